"""Records of planning: what was asked of the planner, what it said, and what became of that.

Part of `domain.records`, under whose rules they stand: a class is never edited once released.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.plan import Plan
from jada_orchestrator.domain.usage import CallPurpose, Usage


@dataclass(frozen=True, slots=True)
class PlanningStarted:
    """The `call`-th question to the planner is open (from 1; each is asked once, and again after a restart)."""

    call: int


@dataclass(frozen=True, slots=True)
class PlannerAnswered:
    """What the planner said, recorded once; replay reads it here and never asks again."""

    call: int
    text: str
    model: str
    usage: Usage
    latency_ms: int
    first_token_ms: int
    purpose: CallPurpose = "plan"
    attempt: int = 1
    """How often the same question had been put by then."""
    stop_reason: str = "end_turn"
    waited_ms: int = 0
    """How long it waited for leave before it was put."""


@dataclass(frozen=True, slots=True)
class ProposalFaulted:
    """The compiler found faults; they go back to the planner as the `call`-th question."""

    faults: tuple[Fault, ...]
    call: int


@dataclass(frozen=True, slots=True)
class PlannerBackedOff:
    """A question brought no answer; it is asked again, as question `call`, at `until`."""

    call: int
    kind: Literal["wait", "stopped", "bad_answer"]
    failure: Failure
    until: UtcMs
    usage: Usage
    model: str = ""
    purpose: CallPurpose = "plan"
    attempt: int = 1
    latency_ms: int = 0
    first_token_ms: int = 0
    stop_reason: str = ""


@dataclass(frozen=True, slots=True)
class PlannerGaveUp:
    """A question brought no answer and is not asked again; its usage is kept."""

    call: int
    failure: Failure
    usage: Usage
    model: str = ""
    purpose: CallPurpose = "plan"
    attempt: int = 1
    latency_ms: int = 0
    first_token_ms: int = 0
    stop_reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelRaised:
    """A stronger model of the ladder is asked from now on, first question `call`.

    After `faults` it sees what was wrong so far; after a `refusal` it begins afresh.
    """

    model: str
    call: int
    reason: Literal["faults", "refusal"]


@dataclass(frozen=True, slots=True)
class PlanAdopted:
    """The compiled plan that is run from now on. Tasks that it shares with the plan before keep their state."""

    revision: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class RevisionAsked:
    """Required tasks failed for good, in a way that another plan may get round: the planner is to be asked for one.

    Until it is adopted (`PlanAdopted`) or nothing comes of it (`RevisionGivenUp`) nothing is started that could be in
    vain; what is under way comes to its end first, and then the question is put (`PlanningStarted`).
    """

    failure: Failure
    tasks: tuple[TaskId, ...]
    """Those that had failed by then."""
    number: int
    """Which revision it would be, from 1; refreshes and retries do not count here."""


@dataclass(frozen=True, slots=True)
class RevisionGivenUp:
    """No revision comes: what follows is what would have followed without the question."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class ClarificationAsked:
    """Information is missing; the workflow waits for an answer until `expires_at`."""

    questions: tuple[str, ...]
    expires_at: UtcMs


@dataclass(frozen=True, slots=True)
class ClarificationAnswered:
    """Somebody answered the open questions; planning goes on as question `call`."""

    answer: str
    by: str
    call: int


@dataclass(frozen=True, slots=True)
class ChoiceAnswered:
    """What the model said when it was to choose for a task, recorded once; or why it said nothing of use."""

    task_id: TaskId
    text: str
    failure: Failure | None
    model: str
    usage: Usage
    latency_ms: int = 0
    first_token_ms: int = 0
