"""Commands: what must be in flight because the state is what it is.

Each is frozen and hashable: it is its own identity, so that "is it in flight already?" is a look-up, and a command can
be neither lost nor doubled within a process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.ids import OutcomeId, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs


@dataclass(frozen=True, slots=True)
class AskPlanner:
    """Put the `call`-th question to the model."""

    workflow_id: WorkflowId
    call: int


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Make one attempt of one call, or of one lookup."""

    workflow_id: WorkflowId
    task_id: TaskId
    side: Side
    purpose: Purpose
    number: int


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Wake the workflow at an instant."""

    workflow_id: WorkflowId
    instant: UtcMs


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """Tell the frontend."""

    workflow_id: WorkflowId
    outcome_id: OutcomeId


@dataclass(frozen=True, slots=True)
class SendToDeadLetter:
    """Put the request into the dead-letter queue, whole."""

    workflow_id: WorkflowId


Command: TypeAlias = AskPlanner | Dispatch | WaitUntil | PublishOutcome | SendToDeadLetter
