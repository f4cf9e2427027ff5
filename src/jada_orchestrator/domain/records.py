"""Records: what we decided. Immutable, numbered, versioned, and folded for ever: a record's meaning never changes.

A record class is never edited once released, except by adding a field with a default; a new meaning is a new class.
`tests/golden` holds journals of every released version and proves that they still fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from msgspec import Struct

from jada_orchestrator.domain.documents import Json, JsonObject, Packed
from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.foreseen import TaskForeseen
from jada_orchestrator.domain.ids import CatalogueVersion, OutcomeId, RequestId, TaskId, Tenant
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.people_records import (
    ApprovalDecided,
    ApprovalRequested,
    AttentionSettled,
    CancelRequested,
    Quarantined,
    Released,
    RetryAsked,
    RetryStarted,
    UndoQuestionAnswered,
    UndoQuestionAsked,
)
from jada_orchestrator.domain.planning_records import (
    ChoiceAnswered,
    ClarificationAnswered,
    ClarificationAsked,
    ModelRaised,
    PlanAdopted,
    PlannerAnswered,
    PlannerBackedOff,
    PlannerGaveUp,
    PlanningStarted,
    ProposalFaulted,
    RevisionAsked,
    RevisionGivenUp,
)
from jada_orchestrator.domain.request import BookingRequest, Message
from jada_orchestrator.domain.retired import TerminalStatus, WorkflowRetired
from jada_orchestrator.domain.usage import Usage

__all__ = [
    "ApprovalDecided",
    "ApprovalRequested",
    "AttemptLost",
    "AttemptStarted",
    "AttentionSettled",
    "AwaitStarted",
    "BranchTaken",
    "CallDue",
    "CancelRequested",
    "ChoiceAnswered",
    "ClarificationAnswered",
    "ClarificationAsked",
    "CompensationStarted",
    "DeadLetterDecided",
    "DeadLetterDelivered",
    "Entry",
    "LookupEnded",
    "ModelRaised",
    "OutcomeDecided",
    "OutcomeDelivered",
    "OutcomeReopened",
    "OutcomeType",
    "PlanAdopted",
    "PlannerAnswered",
    "PlannerBackedOff",
    "PlannerGaveUp",
    "PlanningStarted",
    "ProposalFaulted",
    "Quarantined",
    "Record",
    "RefreshStarted",
    "Released",
    "RetryAsked",
    "RetryStarted",
    "RevisionAsked",
    "RevisionGivenUp",
    "TaskBackedOff",
    "TaskCompensated",
    "TaskExpanded",
    "TaskFailed",
    "TaskJoined",
    "TaskKept",
    "TaskSkipped",
    "TaskStands",
    "TaskSucceeded",
    "TaskUnresolved",
    "TerminalStatus",
    "UndoQuestionAnswered",
    "UndoQuestionAsked",
    "UndoStarted",
    "WorkflowAccepted",
    "WorkflowEnded",
    "WorkflowRejected",
    "WorkflowRetired",
]

OutcomeType: TypeAlias = Literal[
    "completed",
    "failed",
    "compensated",
    "cancelled",
    "rejected",
    "needs_clarification",
    "awaiting_approval",
    "needs_attention",
]


@dataclass(frozen=True, slots=True)
class WorkflowAccepted:
    """The request is ours now. First record of an accepted workflow."""

    request: BookingRequest
    digest: str
    message: Message
    model: str
    catalogue_version: CatalogueVersion
    models: tuple[str, ...] = ()
    """The ladder of models that it keeps, from `model` upwards; empty: that model alone."""


@dataclass(frozen=True, slots=True)
class WorkflowRejected:
    """The message is no request that we can accept. First and decisive record of a workflow that never runs."""

    request_id: RequestId | None
    tenant: Tenant
    reply_to: str | None
    code: str
    faults: tuple[Fault, ...]
    message: Message


class AttemptStarted(Struct, frozen=True, gc=False):
    """One dispatch. `input` stands on a call's first attempt (later ones send the same), and on every lookup."""

    task_id: TaskId
    side: Side
    purpose: Purpose
    number: int
    input: Packed | None
    deadline: UtcMs


@dataclass(frozen=True, slots=True)
class TaskBackedOff:
    """An attempt certainly changed nothing and is made again at `until`."""

    task_id: TaskId
    side: Side
    purpose: Purpose
    number: int
    failure: Failure
    until: UtcMs
    counted: bool = True
    """False when the attempt never reached the agent, or this process's own end cut it off: such attempts have a more
    patient budget of their own."""


@dataclass(frozen=True, slots=True)
class AttemptLost:
    """Nobody knows what became of a call; at `until` its fate is looked up, or it is made again under the same key."""

    task_id: TaskId
    side: Side
    number: int
    failure: Failure
    then: Purpose
    until: UtcMs
    counted: bool = True
    """False when this process's own end cut it off: that says nothing of the agent, and uses up none of its tries."""


@dataclass(frozen=True, slots=True)
class LookupEnded:
    """A lookup did not settle the matter by itself; at `until` comes what `then` says.

    `cleared`: it is now certain that the call has had no effect so far.
    """

    task_id: TaskId
    side: Side
    number: int
    failure: Failure
    then: Purpose
    until: UtcMs
    cleared: bool
    counted: bool = True
    """As in `AttemptLost`."""


@dataclass(frozen=True, slots=True)
class CallDue:
    """A wait is over: the call or lookup may go as soon as there is a slot."""

    task_id: TaskId
    side: Side


class TaskSucceeded(Struct, frozen=True, gc=False):
    """The task did what it should; by its own answer, or by what a lookup found."""

    task_id: TaskId
    purpose: Purpose
    number: int
    output: Packed
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The task failed for good, and certainly left nothing behind. `number` is 0 when it was never dispatched."""

    task_id: TaskId
    purpose: Purpose
    number: int
    failure: Failure
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class TaskUnresolved:
    """The task is given up, and nobody knows whether it had its effect; it counts as failed, and as one to undo."""

    task_id: TaskId
    purpose: Purpose
    number: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class TaskSkipped:
    """The task is not going to run."""

    task_id: TaskId
    reason: str


@dataclass(frozen=True, slots=True)
class BranchTaken:
    """The task is to be called: its condition holds, or the task that it stands in for has failed with its code."""

    task_id: TaskId
    reason: str


@dataclass(frozen=True, slots=True)
class TaskExpanded:
    """The list of a task is there: it is called once for each of these items, each call a task of its own."""

    task_id: TaskId
    items: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class TaskJoined:
    """All calls of a task with a list are over, and none that it cannot do without has failed."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class CompensationStarted:
    """Nothing new is started from here on; what has an effect is undone, in reverse order of dependency."""

    failure: Failure
    cancelled: bool


@dataclass(frozen=True, slots=True)
class UndoStarted:
    """What this task did, or may have done, is to be undone now: everything that was built on it is undone already."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class RefreshStarted:
    """What this task reserved ran out before it was used: it is given back, and reserved anew as part of `revision`."""

    task_id: TaskId
    revision: int


@dataclass(frozen=True, slots=True)
class TaskCompensated:
    """The task's effect is undone."""

    task_id: TaskId
    purpose: Purpose
    number: int


@dataclass(frozen=True, slots=True)
class TaskStands:
    """The task's effect (or what may be one) could not be undone and stands; a person must act."""

    task_id: TaskId
    failure: Failure


@dataclass(frozen=True, slots=True)
class AwaitStarted:
    """A task that the house does itself begins to wait for time, or for a person, until an instant at most."""

    task_id: TaskId
    input: JsonObject
    until: UtcMs


@dataclass(frozen=True, slots=True)
class TaskKept:
    """An optional task's effect stays although the booking failed: the request allows that (`keep_partial`)."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class OutcomeDecided:
    """The frontend is to be told; the message is built from the state as it is when this is folded."""

    outcome_id: OutcomeId
    type: OutcomeType
    task_id: TaskId | None = None
    """The task whose question it tells of, where there may be several."""


@dataclass(frozen=True, slots=True)
class OutcomeDelivered:
    """The queue took the outcome."""

    outcome_id: OutcomeId


@dataclass(frozen=True, slots=True)
class OutcomeReopened:
    """The frontend asked again about a finished request: its outcome is published once more, under the same id."""

    outcome_id: OutcomeId


@dataclass(frozen=True, slots=True)
class DeadLetterDecided:
    """The request is to be put into the dead-letter queue, whole, with this reason."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class DeadLetterDelivered:
    """The dead-letter queue took it."""


@dataclass(frozen=True, slots=True)
class WorkflowEnded:
    """The end: no task moves any more."""

    status: TerminalStatus
    failure: Failure | None
    result: Json


Record: TypeAlias = (
    WorkflowAccepted
    | WorkflowRejected
    | PlanningStarted
    | PlannerAnswered
    | ProposalFaulted
    | PlannerBackedOff
    | PlannerGaveUp
    | ModelRaised
    | TaskForeseen
    | PlanAdopted
    | RevisionAsked
    | RevisionGivenUp
    | ClarificationAsked
    | ClarificationAnswered
    | AttemptStarted
    | TaskBackedOff
    | AttemptLost
    | LookupEnded
    | CallDue
    | TaskSucceeded
    | TaskFailed
    | TaskUnresolved
    | TaskSkipped
    | BranchTaken
    | TaskExpanded
    | TaskJoined
    | CompensationStarted
    | UndoStarted
    | RefreshStarted
    | TaskCompensated
    | TaskStands
    | AwaitStarted
    | ChoiceAnswered
    | CancelRequested
    | ApprovalRequested
    | ApprovalDecided
    | UndoQuestionAsked
    | UndoQuestionAnswered
    | TaskKept
    | RetryStarted
    | RetryAsked
    | AttentionSettled
    | Quarantined
    | Released
    | OutcomeDecided
    | OutcomeDelivered
    | OutcomeReopened
    | DeadLetterDecided
    | DeadLetterDelivered
    | WorkflowEnded
    | WorkflowRetired
)


class Entry(Struct, frozen=True, gc=False):
    """A record in its place: `seq` counts from 1 within the workflow; `at` never goes back within it."""

    seq: int
    at: UtcMs
    record: Record
