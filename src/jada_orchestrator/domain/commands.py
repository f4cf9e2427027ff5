"""Commands: what must be in flight because the state is what it is.

Each is frozen and hashable: it is its own identity, so that "is it in flight already?" is a look-up, and a command can
be neither lost nor doubled within a process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.ids import OutcomeId, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.making import made_often


@dataclass(frozen=True, slots=True)
class AskPlanner:
    """Put the `call`-th question to the model."""

    workflow_id: WorkflowId
    call: int


@dataclass(frozen=True, slots=True)
class AskChoice:
    """Have the model choose for a task; `revision` is the task's own."""

    workflow_id: WorkflowId
    task_id: TaskId
    revision: int


class Dispatch(NamedTuple):
    """Make one attempt of one call, or of one lookup.

    A named tuple, because most commands are of this kind, and each is made and compared anew in every turn that touches
    its workflow: made, hashed and compared without running any Python, that costs a fifth.
    `revision` is the task's own: a task that is done anew begins with attempt 1 again, and that is another attempt.
    """

    workflow_id: WorkflowId
    task_id: TaskId
    side: Side
    purpose: Purpose
    number: int
    revision: int


@made_often
@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Wake the workflow at an instant."""

    workflow_id: WorkflowId
    instant: UtcMs


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """Tell the frontend. `telling` counts from 1, and goes up when the frontend asks again."""

    workflow_id: WorkflowId
    outcome_id: OutcomeId
    telling: int


@dataclass(frozen=True, slots=True)
class SendToDeadLetter:
    """Put the request into the dead-letter queue, whole."""

    workflow_id: WorkflowId


Command: TypeAlias = AskPlanner | AskChoice | Dispatch | WaitUntil | PublishOutcome | SendToDeadLetter
