"""The catalogue: which agents there are, what each action takes, gives, changes and costs, and what undoes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.ids import ActionName, AgentName, CatalogueVersion

REPLAN_CODES: Final = frozenset(
    {
        # What agents say: this one is gone, or is not what it was; another may do.
        "SOLD_OUT",
        "PRICE_CHANGED",
        "NOT_AVAILABLE",
        "NO_OFFERS",
        "OFFER_EXPIRED",
        # What the house finds: nothing there that fits, held too long, or dearer than allowed.
        "INPUT_UNRESOLVED",
        "HOLD_EXPIRED",
        "OVER_BUDGET",
    }
)
"""The failures that another plan could get round, for actions that do not name their own (`Action.replan_on`)."""


class Effect(StrEnum):
    """What an action does to the world."""

    READ = "read"
    """Changes nothing."""
    RESERVE = "reserve"
    """Can be undone for free."""
    COMMIT = "commit"
    """Costs something to undo, or cannot be undone."""


@dataclass(frozen=True, slots=True)
class LambdaTransport:
    """An AWS Lambda function, invoked synchronously; `qualifier` is a version or alias, empty for the latest."""

    function: str
    qualifier: str = ""
    kind: Literal["lambda"] = "lambda"


@dataclass(frozen=True, slots=True)
class SqsTransport:
    """A worker that reads tasks from an SQS queue and answers on the queue named in ``reply_to``."""

    queue: str
    kind: Literal["sqs"] = "sqs"


Transport: TypeAlias = LambdaTransport | SqsTransport
TransportKind: TypeAlias = Literal["lambda", "sqs", "house"]
"""`house`: nobody is called; the house does it itself (`domain.house`)."""
ModelSourceKind: TypeAlias = Literal["id", "ssm", "file", "inherit"]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where an agent's own model is written down; `value` is the id, the parameter's name or the path."""

    kind: ModelSourceKind
    value: str = ""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff: `attempts` calls in all, the first wait `first_ms`, doubled each time up to `max_ms`."""

    attempts: int
    first_ms: int
    max_ms: int


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the value of an input field comes from: a JMESPath expression, or a constant when `expression` is empty.

    In a plan the expression ranges over ``{task_id: output}``; in a compensation and in `Action.amount` over
    ``{"input": ..., "output": ..., "key": ...}`` of the task itself.
    """

    expression: str = ""
    constant: Json = None


@dataclass(frozen=True, slots=True)
class Compensation:
    """The action that undoes another, and its input by field."""

    action: ActionName
    bindings: dict[str, Binding]


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """How much of an agent may be used at once. `rate_per_second` is None where only concurrency is limited."""

    concurrency: int
    rate_per_second: float | None = None
    adaptive: bool = False
    """Find out how much it bears, from latency and throttles; `concurrency` is then the most."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that an agent can do."""

    name: ActionName
    agent: AgentName
    description: str
    effect: Effect
    input_schema: JsonObject
    output_schema: JsonObject
    timeout_ms: int
    retry: RetryPolicy
    compensate: Compensation | None = None
    irreversible: bool = False
    """Declared by the catalogue's author: nothing undoes this action, and the house is to say so when it matters."""
    idempotent: bool = True
    """The agent returns its first answer when it sees a key again."""
    lookup: ActionName | None = None
    amount: Binding | None = None
    """Where the money of a commit is, over ``{"input", "output"}``."""
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By input field: the only places that its value may come from, ``user``, ``const`` or ``agent.action.path``."""
    replan_on: tuple[str, ...] | None = None
    """Codes of failures that another plan could get round; None: `REPLAN_CODES`."""
    codes: tuple[str, ...] | None = None
    """Every code of its own with which it may fail (`domain.codes` has those of the house); None: it does not say."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A downstream worker."""

    name: AgentName
    description: str
    transport: Transport
    model: ModelSource
    limits: AgentLimits


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All agents and actions of one version; `version` is derived from the content."""

    version: CatalogueVersion
    agents: dict[AgentName, Agent]
    actions: dict[ActionName, Action]

    def transport_of(self, action: ActionName) -> Transport:
        """Return how an action's agent is reached; raises KeyError when the catalogue does not know the action."""
        return self.agents[self.actions[action].agent].transport
