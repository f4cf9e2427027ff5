"""Events: what the world told us; late, doubled or untrue as it may be, `engine.decide` believes none of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from msgspec import Struct

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.ids import IdempotencyKey, OutcomeId, RequestId, TaskId, Tenant
from jada_orchestrator.domain.request import BookingRequest, Message
from jada_orchestrator.domain.usage import Usage

Side: TypeAlias = Literal["do", "undo"]
"""A task is done, and perhaps undone: two calls of two actions, each with its own attempts."""
Purpose: TypeAlias = Literal["call", "lookup"]
"""An attempt either makes the call or asks what became of one."""


@dataclass(frozen=True, slots=True)
class RequestArrived:
    """A valid request was received; `digest` is the SHA-256 of its content."""

    request: BookingRequest
    digest: str
    message: Message
    model: str
    """The model that a workflow begun now would plan with."""
    models: tuple[str, ...] = ()
    """The ladder from that model upwards; empty: that model alone."""


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A message that is not a valid request was received, or one that conflicts with an earlier request."""

    request_id: RequestId | None
    tenant: Tenant
    reply_to: str | None
    code: str
    faults: tuple[Fault, ...]
    message: Message


@dataclass(frozen=True, slots=True)
class ControlArrived:
    """A person, or a program for one, wants something of a running workflow."""

    command: Literal["cancel", "approve", "deny", "answer", "retry", "release", "settle"]
    by: str
    text: str = ""
    task_id: TaskId | None = None
    """Which of several questions an `approve` or a `deny` answers."""


@dataclass(frozen=True, slots=True)
class TurnCame:
    """No earlier workflow with the same ordering key is unfinished."""


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """The model answered the `call`-th question completely; `text` is what it said, unchecked."""

    call: int
    text: str
    model: str
    usage: Usage
    latency_ms: int
    first_token_ms: int
    waited_ms: int = 0
    """How long it waited before it was put."""


@dataclass(frozen=True, slots=True)
class TaskProposed:
    """The answer to the `call`-th question, still arriving, holds one more task; `text` is its whole JSON, unchecked.

    Nothing of an answer that is unfinished is ever seen but such tasks, in order. It may be that no answer follows.
    """

    call: int
    text: str


PlannerFailureKind: TypeAlias = Literal["wait", "stopped", "bad_answer", "permanent", "attention"]
"""`wait`: passing trouble, try again; `stopped`: no plan can be made until a person or the calendar acts;
`bad_answer`: billed but unusable (cut, truncated, unreadable); `permanent`: this request can never be planned so;
`attention`: only a person can decide how it goes on, about money for instance."""


@dataclass(frozen=True, slots=True)
class PlannerFailed:
    """The `call`-th question brought no answer. `retry_after_ms` is what the service asked for, if it did."""

    call: int
    kind: PlannerFailureKind
    failure: Failure
    retry_after_ms: int | None
    model: str
    usage: Usage
    latency_ms: int = 0
    first_token_ms: int = 0
    stop_reason: str = ""


class ChoiceEnded(Struct, frozen=True, gc=False):
    """The model chose for a task, or could not be had: then `failure` says why, and `text` is empty."""

    task_id: TaskId
    revision: int
    text: str
    failure: Failure | None
    model: str
    usage: Usage
    latency_ms: int = 0
    first_token_ms: int = 0


class Succeeded(Struct, frozen=True, gc=False):
    """The agent did it, and answered `output` (already checked against the action's output schema)."""

    output: JsonObject


@dataclass(frozen=True, slots=True)
class Failed:
    """It is certain that this attempt changed nothing.

    `answered` tells whether the agent itself said so (then, by its idempotency, also of earlier attempts under the
    same key, unless it is retryable), or whether the call never reached it.
    """

    failure: Failure
    retryable: bool
    answered: bool
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody knows what became of the attempt: cut off, timed out, crashed. An effect may have happened."""

    failure: Failure


AttemptResult: TypeAlias = Succeeded | Failed | Lost


class AttemptEnded(Struct, frozen=True, gc=False):
    """An attempt came to its end, or is said to have.

    `revision` is the task's own, as in `Dispatch`: attempt 1 of a task that is done anew is another attempt.
    """

    task_id: TaskId
    side: Side
    purpose: Purpose
    number: int
    revision: int
    result: AttemptResult
    usage: Usage | None = None


class ReplyArrived(Struct, frozen=True, gc=False):
    """A worker answered on the reply queue; which call it answers is told by its key and attempt."""

    task_id: TaskId
    attempt: int
    idempotency_key: IdempotencyKey
    result: AttemptResult
    usage: Usage | None = None


class SlotGranted(Struct, frozen=True, gc=False):
    """Capacity lets one ready call of this task go now."""

    task_id: TaskId
    side: Side


@dataclass(frozen=True, slots=True)
class TimerFired:
    """An instant that the workflow waited for may have come; what is due is read from the state."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The process began anew with what is durable: whatever was in flight is not any more."""


@dataclass(frozen=True, slots=True)
class OutcomePublished:
    """The queue took an outcome."""

    outcome_id: OutcomeId


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """The dead-letter queue took the request, whole."""


@dataclass(frozen=True, slots=True)
class LawBroken:
    """Our own audit found the workflow in a state that cannot be: it is to be set aside."""

    story: str


Event: TypeAlias = (
    RequestArrived
    | RequestRefused
    | ControlArrived
    | TurnCame
    | TaskProposed
    | ProposalReceived
    | PlannerFailed
    | ChoiceEnded
    | AttemptEnded
    | ReplyArrived
    | SlotGranted
    | TimerFired
    | Resumed
    | OutcomePublished
    | DeadLettered
    | LawBroken
)
