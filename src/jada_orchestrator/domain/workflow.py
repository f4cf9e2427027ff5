"""State: the fold of a workflow's records. Changed only by `engine.apply`; everything else reads.

A task has two `Call`s, the one that does and the one that undoes, and both are the same small machine (`Phase`).
The status that people see (`TaskStatus`) is derived from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.documents import Json, JsonObject, opened
from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.head_start import FirstDispatch, HeadStart
from jada_orchestrator.domain.ids import CatalogueVersion, OutcomeId, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import COMPILED_CACHE_MAX
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.plan import Plan, PlannedTask, Terms
from jada_orchestrator.domain.records import OutcomeType, TerminalStatus, WorkflowRetired
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.seldom import NO_AFTERMATH, NO_TROUBLE, Aftermath, Trouble, WithAftermath, WithTrouble
from jada_orchestrator.domain.usage import Usage


class Status(StrEnum):
    """Where a workflow is, in the contract's words."""

    ACCEPTED = "accepted"
    PLANNING = "planning"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    NEEDS_CLARIFICATION = "needs_clarification"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    COMPENSATED = "compensated"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NEEDS_ATTENTION = "needs_attention"


TERMINAL: frozenset[Status] = frozenset(
    {Status.COMPLETED, Status.FAILED, Status.COMPENSATED, Status.CANCELLED, Status.REJECTED, Status.NEEDS_ATTENTION}
)


class Phase(Enum):
    """Where a call is. `engine.transitions` has the table of what may follow what."""

    WAITING = "waiting"
    """Not yet wanted: predecessors are missing (do), or nothing is to be undone yet (undo)."""
    READY = "ready"
    """May be called as soon as there is a slot."""
    CALLING = "calling"
    """An attempt is in flight."""
    BACKING_OFF = "backing_off"
    """Waits until `Call.until`, then is called (again)."""
    LOST = "lost"
    """Its fate is unknown; waits until `Call.until`, then is looked up."""
    AWAITING = "awaiting"
    """The house does it itself, and waits for time or a person, until `Call.until` at most."""
    LOOKUP_READY = "lookup_ready"
    LOOKING_UP = "looking_up"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """For good, and nothing is left behind."""
    UNRESOLVED = "unresolved"
    """Given up with its fate unknown."""
    SKIPPED = "skipped"

    # Members are singletons, so identity is a sound hash, and ten times cheaper than hashing a name: phases are looked
    # up in sets several times for every record.
    __hash__ = object.__hash__


class TaskStatus(StrEnum):
    """What people see of a task, in the contract's words."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"


FINAL_PHASES: frozenset[Phase] = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.UNRESOLVED, Phase.SKIPPED})
IN_FLIGHT_PHASES: frozenset[Phase] = frozenset({Phase.CALLING, Phase.LOOKING_UP})
LOOKUP_PHASES: frozenset[Phase] = frozenset({Phase.LOST, Phase.LOOKUP_READY, Phase.LOOKING_UP})
GRANTABLE_PHASES: frozenset[Phase] = frozenset({Phase.READY, Phase.LOOKUP_READY})


class Call(WithTrouble, Struct, gc=False):
    """One call of one action on behalf of a task, through all its attempts and lookups."""

    phase: Phase = Phase.WAITING
    attempts: int = 0
    """Calls made so far; the number of the last one."""
    input_text: bytes | None = None
    """What it is told, packed, the same in every attempt; None before the first. `input` reads it."""
    deadline: UtcMs = UtcMs(0)
    """Of the last attempt or lookup in flight."""
    until: UtcMs = UtcMs(0)
    """When a wait ends (BACKING_OFF, LOST)."""
    trouble: Trouble = NO_TROUBLE

    @property
    def input(self) -> JsonObject | None:
        """What it is told, read anew each time."""
        return None if self.input_text is None else opened(self.input_text)

    @property
    def purpose(self) -> Purpose:
        """What the next or present attempt is."""
        return "lookup" if self.phase in LOOKUP_PHASES else "call"

    @property
    def reached(self) -> int:
        """Attempts of the present effort that count."""
        return self.attempts - self.attempts_before - self.refusals

    def begin_anew(self) -> None:
        """Begin a new effort under the same key: what was spent before counts no more."""
        self.attempts_before, self.lookups_before, self.refusals = self.attempts, self.lookups, 0

    @property
    def number(self) -> int:
        """The number of the last attempt of the present purpose."""
        return self.lookups if self.purpose == "lookup" else self.attempts


class _NotCalled(Call):
    """The one call that stands for all that were never wanted; it cannot be changed, and copies of it are itself."""

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"{name} of a call that nobody has wanted yet is to change: `Task.own_call` makes it the task's own"
        raise AttributeError(msg)

    def __copy__(self) -> Call:
        return self

    def __deepcopy__(self, memo: object) -> Call:
        return self


NOT_CALLED: Final = _NotCalled()
"""Tasks whose turn has not come, and all that need not be undone, share this."""


def _not_called() -> Call:
    return NOT_CALLED


class Task(WithAftermath, Struct, gc=False):
    """A task of the adopted plan and what has become of it."""

    planned: PlannedTask
    terms: Terms
    waits_for: int
    """Direct predecessors that are not final yet."""
    do: Call = msgspec.field(default_factory=_not_called)
    undo: Call = msgspec.field(default_factory=_not_called)
    output_text: bytes | None = None
    """What it answered, packed; `output` reads it."""
    released: bool = False
    """Its successors have been told that it is final; that happens once."""
    expires_at: UtcMs | None = None
    """When what it reserved runs out, if its output says so."""
    amount: Money | None = None
    """What it commits, known once it was first dispatched."""
    aftermath: Aftermath = NO_AFTERMATH

    @property
    def output(self) -> JsonObject | None:
        """What it answered, read anew each time."""
        return None if self.output_text is None else opened(self.output_text)

    def call(self, side: Side) -> Call:
        """Return one of the two calls, to be read."""
        return self.do if side == "do" else self.undo

    def own_call(self, side: Side) -> Call:
        """Return one of the two calls, to be changed: from now on it is the task's own."""
        if side == "do":
            if self.do is NOT_CALLED:
                self.do = Call()
            return self.do
        if self.undo is NOT_CALLED:
            self.undo = Call()
        return self.undo

    @property
    def has_effect(self) -> bool:
        """Whether something in the world stands, or may stand, because of this task."""
        if self.planned.for_each:
            return False  # its calls are tasks of their own
        return self.terms.effect is not Effect.READ and (self.do.phase is Phase.SUCCEEDED or self.do.maybe)

    @property
    def status(self) -> TaskStatus:
        """The contract's word for where the task is."""
        if self.undo.phase is Phase.SUCCEEDED:
            return TaskStatus.COMPENSATED
        if self.undo.phase not in {Phase.WAITING, Phase.FAILED, Phase.UNRESOLVED, Phase.SKIPPED}:
            return TaskStatus.COMPENSATING
        return _STATUS_OF_PHASE[self.do.phase]


_STATUS_OF_PHASE: dict[Phase, TaskStatus] = {
    Phase.WAITING: TaskStatus.PENDING,
    Phase.READY: TaskStatus.READY,
    Phase.CALLING: TaskStatus.RUNNING,
    Phase.BACKING_OFF: TaskStatus.BACKING_OFF,
    Phase.AWAITING: TaskStatus.RUNNING,
    Phase.LOST: TaskStatus.UNKNOWN,
    Phase.LOOKUP_READY: TaskStatus.UNKNOWN,
    Phase.LOOKING_UP: TaskStatus.UNKNOWN,
    Phase.SUCCEEDED: TaskStatus.SUCCEEDED,
    Phase.FAILED: TaskStatus.FAILED,
    Phase.UNRESOLVED: TaskStatus.UNKNOWN,
    Phase.SKIPPED: TaskStatus.SKIPPED,
}


@dataclass(slots=True)
class Exchange:
    """One finished exchange with the planner that the next question must show: an answer and its faults."""

    answer: str
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class Clarification:
    """Questions and, once it came, the answer."""

    questions: tuple[str, ...]
    expires_at: UtcMs
    answer: str | None = None


@dataclass(slots=True)
class Planning:
    """Where the conversation with the planner is."""

    call: int = 0
    """The open question's number; 0 before the first."""
    asking: bool = False
    until: UtcMs = UtcMs(0)
    """When the open question may be asked again, while `asking` is false."""
    bad_answers: int = 0
    billed_failures: int = 0
    """Answers that were billed and of no use, whosever fault that was."""
    waits: int = 0
    """Waits in a row, for the backoff."""
    since: UtcMs = UtcMs(0)
    exchanges: tuple[Exchange, ...] = ()
    last_answer: str = ""
    answer_ms: int = 0
    """How long it took."""
    clarifications: tuple[Clarification, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A read that was started, or may be, before there is a plan: what the model wrote, and since when."""

    planned: PlannedTask
    text: str
    since: UtcMs


@dataclass(slots=True)
class PendingOutcome:
    """An outcome that was decided. `content` is the contract's `data` object, frozen when it was decided."""

    outcome_id: OutcomeId
    type: OutcomeType
    at: UtcMs
    content: JsonObject
    delivered: bool = False
    tellings: int = 1
    """How often the frontend was to be told: once, and once more for each time that it asked again."""


@dataclass(slots=True)
class Approval:
    """A person's decision that is awaited, or was given."""

    amount: Money
    task_id: TaskId
    expires_at: UtcMs
    granted: bool | None = None


@dataclass(slots=True)
class UndoQuestion:
    """Whether a failed booking is to be undone: a person is asked, until `expires_at`."""

    failure: Failure
    expires_at: UtcMs


@dataclass(slots=True)
class Revising:
    """A plan that failed is to be replaced by a revision; nothing is started meanwhile that could be in vain."""

    failure: Failure
    """Why; what the booking fails with when no revision comes."""
    given_up: Failure | None = None
    """Why no revision comes, once that is so."""


CallRef: TypeAlias = tuple[TaskId, Side]


@lru_cache(maxsize=COMPILED_CACHE_MAX)
def call_ref(task_id: TaskId, side: Side) -> CallRef:
    """Return what a call is known by in the indexes: one object for all workflows, since task ids repeat."""
    return (task_id, side)


DeadLetterState: TypeAlias = Literal["none", "wanted", "delivered"]


NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})
"""What is empty in most workflows is this one in all of them."""


def _nothing() -> Mapping[Any, Any]:
    return NOTHING


@dataclass(slots=True)
class Workflow:
    """Everything that is known of one request's effort.

    What is empty most of the time is `NOTHING` then, so that nothing is kept for it. It is replaced and never changed,
    but for the three indexes of calls, which `engine.fold_calls.move` alone changes.
    """

    workflow_id: WorkflowId
    seq: int = 0
    """Number of the last record folded."""
    at: UtcMs = UtcMs(0)
    """Its instant."""
    status: Status = Status.ACCEPTED
    request: BookingRequest | None = None
    """None before the first record, and for a rejected message."""
    digest: str = ""
    model: str = ""
    """The model that is asked now."""
    models: tuple[str, ...] = ()
    """The ladder that the workflow keeps; empty: `model` alone."""
    catalogue_version: CatalogueVersion = CatalogueVersion("")
    created_at: UtcMs = UtcMs(0)
    finished_at: UtcMs | None = None
    planning: Planning = field(default_factory=Planning)
    plan: Plan | None = None
    revision: int = 0
    foreseen: Mapping[TaskId, Foreseen] = field(default_factory=_nothing)
    """Reads of the plan to come, by id; those that still stand are among `tasks`. Empty once there is a plan."""
    revision_spent: int = 0
    """The last revision under which foreseen reads were called and then dropped: its keys are never used again."""
    by_template: bool = False
    """Its plan is a template's; no model was asked."""
    first_dispatch: FirstDispatch | None = None
    head_start: HeadStart | None = None
    tasks: dict[TaskId, Task] = field(default_factory=dict)
    dependents: Mapping[TaskId, tuple[TaskId, ...]] = field(default_factory=dict)
    """Who comes right after a task; shared by all workflows whose graph is the same."""
    grantable: Mapping[CallRef, None] = field(default_factory=_nothing)
    """Calls that only wait for a slot, in the order in which they became ready."""
    active: Mapping[CallRef, None] = field(default_factory=_nothing)
    """Calls in flight."""
    waiting: Mapping[CallRef, None] = field(default_factory=_nothing)
    """Calls that wait for an instant."""
    unfinished: int = 0
    """Tasks whose forward call is not final."""
    broken: Failure | None = None
    """Why a required task failed for good, as long as nothing has been concluded from it."""
    breaking: tuple[TaskId, ...] = ()
    """The required tasks that failed for good, as long as nothing has been concluded from that."""
    revising: Revising | None = None
    """The open question for a revision, or the one that came to nothing."""
    revisions: int = 0
    """How many revisions the planner was asked for."""
    to_skip: Mapping[TaskId, str] = field(default_factory=_nothing)
    """Tasks that can no longer run because one that they read from delivered nothing, and why."""
    to_decide: tuple[TaskId, ...] = ()
    """Tasks for which all is there, and of which it is to be decided whether, or how often, they are called."""
    winding_up: Failure | None = None
    """Why nothing new is started, once that is so."""
    cancelled: bool = False
    approval: Approval | None = None
    approved_up_to: Money | None = None
    undo_question: UndoQuestion | None = None
    leave_standing: str | None = None
    """Who decided that nothing is undone and a person takes over, once somebody did."""
    usage: Usage = field(default_factory=Usage)
    outcomes: tuple[PendingOutcome, ...] = ()
    dead_letter: DeadLetterState = "none"
    dead_letter_failure: Failure | None = None
    quarantined: str | None = None
    """The story, while it is set aside."""
    failure: Failure | None = None
    result: Json = None
    terminal: TerminalStatus | None = None
    retry_asked: str | None = None
    """Who wants it to go on from its failed tasks, while it waits for its turn in its lane."""
    settled: str | None = None
    """Who dealt by hand with what stood of it, once somebody did."""
    retired: WorkflowRetired | None = None
    """What stays of it, once its records are deleted."""
    rejected_faults: tuple[Fault, ...] = ()
    rejected_reply_to: str | None = None
    rejected_tenant: str = "default"
    rejected_request_id: str = ""

    @property
    def exists(self) -> bool:
        """Whether any record has been folded."""
        return self.seq > 0

    @property
    def is_terminal(self) -> bool:
        """Whether no task moves any more (an outcome may still have to be delivered)."""
        return self.terminal is not None

    @property
    def is_done(self) -> bool:
        """Whether nothing at all is left to do: it may leave the memory."""
        return (
            self.terminal is not None
            and self.retry_asked is None
            and self.dead_letter != "wanted"
            and all(outcome.delivered for outcome in self.outcomes)
        )

    @property
    def lane(self) -> str | None:
        """The ordering key by which it runs after others, or others after it; None once it has left its lane."""
        if self.request is None or (self.is_terminal and self.retry_asked is None):
            return None
        return self.request.ordering_key

    @property
    def waits_for_turn(self) -> bool:
        """Whether it begins when `TurnCame` says so."""
        return self.status is Status.ACCEPTED or self.retry_asked is not None

    @property
    def request_id(self) -> str:
        """The frontend's id, or what could be read of it from a rejected message."""
        return self.request.request_id if self.request is not None else self.rejected_request_id

    @property
    def tenant(self) -> str:
        """Whose request it is."""
        return self.request.tenant if self.request is not None else self.rejected_tenant
