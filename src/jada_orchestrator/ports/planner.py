"""The planner: whoever turns a request into a proposal. In production, Claude."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol, TypeAlias

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.choice import Choice
from jada_orchestrator.domain.events import PlannerFailureKind
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.revision import Past
from jada_orchestrator.domain.usage import CallPurpose, PlannerSignal, RateLimit, Usage
from jada_orchestrator.domain.workflow import Clarification, Exchange


class PlannerError(Exception):
    """A question brought no usable answer. Raised by planner adapters, always classified.

    What the operator does depends on `kind`: nothing for `wait` and `bad_answer`; for `stopped`, raise the spend
    limit or mend the key; for `permanent`, read `failure` (the request cannot be planned as it is).
    `usage` holds what was billed all the same. `signal` is what the failure says of the service itself; the planner
    that made the call also tells its times, its stop reason and the limits in the answer's headers.
    """

    def __init__(
        self,
        kind: PlannerFailureKind,
        failure: Failure,
        *,
        retry_after_ms: int | None = None,
        usage: Usage | None = None,
        signal: PlannerSignal = "none",
    ) -> None:
        """Keep the classification."""
        super().__init__(f"{failure.code}: {failure.message}")
        self.kind: PlannerFailureKind = kind
        self.failure = failure
        self.retry_after_ms = retry_after_ms
        self.usage = usage if usage is not None else Usage()
        self.signal: PlannerSignal = signal
        self.limits: tuple[RateLimit, ...] = ()
        self.latency_ms = 0
        self.first_token_ms = 0
        self.stop_reason = ""
        self.model = ""
        """The model that was asked, where that is not the question's."""


@dataclass(frozen=True, slots=True)
class PlannerQuestion:
    """Everything that the planner may see. No text in it comes from an agent."""

    workflow_id: WorkflowId
    request: BookingRequest
    catalogue: Catalogue
    model: str
    now: UtcMs
    exchanges: tuple[Exchange, ...]
    """Earlier answers and the compiler's faults in them, oldest first."""
    clarifications: tuple[Clarification, ...]
    """Only answered ones."""
    purpose: CallPurpose = "plan"
    attempt: int = 1
    """How often this question has been put by now, this time included."""
    billed_failures: int = 0
    """Earlier answers in this planning that were billed and of no use."""
    spent: Usage = field(default_factory=Usage)
    """What the booking's calls have used so far."""
    choice: Choice | None = None
    """What is to be chosen, where the question is not for a plan: the answer is ``{"index": n}``. Texts in it are an
    agent's, as data."""
    past: Past | None = None
    """What was executed, where the question is for a revision of a plan that failed."""
    billed_at: UtcMs | None = None
    """The day whose prices hold, where that is not `now`."""


@dataclass(frozen=True, slots=True)
class PlannerAnswer:
    """A complete answer; `text` is unchecked."""

    text: str
    model: str
    usage: Usage
    latency_ms: int
    first_token_ms: int
    limits: tuple[RateLimit, ...] = ()
    """The service's limits as its headers told them."""
    waited_ms: int = 0
    """How long the question waited before it was put."""


TaskListener: TypeAlias = Callable[[str], None]
"""Told the JSON text of a complete task of an answer that is still arriving. Returns at once and raises nothing."""


class Planner(Protocol):
    """Asks the model. May be called many times at once; bounds its own concurrency to its connections."""

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Return the model's complete answer.

        `on_task` is told of each task of a proposal as soon as it is complete, in order, while the rest is still
        arriving: its JSON text, unchecked; never a part of one. A planner that does not stream tells nothing. An
        answer that breaks off after some tasks is a failure all the same.

        Raises: PlannerError, for everything that can go wrong at the service or on the way. Nothing is retried here:
        retry policy is the engine's. When cancelled, the call is abandoned and may still be billed.
        """

    async def close(self) -> None:
        """Release connections. May be called twice."""


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """What a question will probably use, and what its price will be: expected, and at worst; None: not known."""

    input_tokens: int
    """Without what the prompt cache will serve."""
    output_tokens: int
    expected_usd: Decimal | None
    worst_usd: Decimal | None


class Estimator(Protocol):
    """Whoever can tell beforehand what a question will cost."""

    def estimate(self, question: PlannerQuestion) -> CallEstimate:
        """Return the estimate; nothing is sent."""


class PlanningGate(Protocol):
    """Whether plans can be made at all; intake receives few new requests while they cannot."""

    def stopped(self) -> str | None:
        """Return why no plans can be made until a person or the calendar acts, or None."""

    def wants_a_probe(self) -> bool:
        """Tell whether a question would be put now although planning is stopped: it is how the end of that is found."""

    @property
    def waiting(self) -> int:
        """Questions that are in flight as far as the runtime knows, and wait for their turn in truth."""

    def waiting_for(self) -> frozenset[WorkflowId]:
        """Return the workflows whose questions those are."""


class AlwaysOpen:
    """The gate of a planner that nobody governs: tests and simulations."""

    waiting = 0

    def stopped(self) -> str | None:
        """Return None: plans can always be made."""
        return None

    def waiting_for(self) -> frozenset[WorkflowId]:
        """Return nothing: no question waits."""
        return frozenset()

    def wants_a_probe(self) -> bool:
        """Return False: nothing is ever stopped."""
        return False
