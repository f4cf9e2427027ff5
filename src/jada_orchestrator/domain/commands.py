"""Commands: what must be in flight because the state is what it is.

Each is frozen and hashable: it is its own identity, so that "is it in flight already?" is a look-up, and a command can
be neither lost nor doubled within a process.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.ids import OutcomeId, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs


class AskPlanner(Struct, frozen=True, gc=False):
    """Put the `call`-th question to the model."""

    workflow_id: WorkflowId
    call: int


class AskChoice(Struct, frozen=True, gc=False):
    """Have the model choose for a task; `revision` is the task's own."""

    workflow_id: WorkflowId
    task_id: TaskId
    revision: int


class Dispatch(Struct, frozen=True, gc=False):
    """Make one attempt of one call, or of one lookup.

    `revision` is the task's own: a task that is done anew begins with attempt 1 again, and that is another attempt.
    """

    workflow_id: WorkflowId
    task_id: TaskId
    side: Side
    purpose: Purpose
    number: int
    revision: int


class WaitUntil(Struct, frozen=True, gc=False):
    """Wake the workflow at an instant."""

    workflow_id: WorkflowId
    instant: UtcMs


class PublishOutcome(Struct, frozen=True, gc=False):
    """Tell the frontend. `telling` counts from 1, and goes up when the frontend asks again."""

    workflow_id: WorkflowId
    outcome_id: OutcomeId
    telling: int


class SendToDeadLetter(Struct, frozen=True, gc=False):
    """Put the request into the dead-letter queue, whole."""

    workflow_id: WorkflowId


Command: TypeAlias = AskPlanner | AskChoice | Dispatch | WaitUntil | PublishOutcome | SendToDeadLetter
