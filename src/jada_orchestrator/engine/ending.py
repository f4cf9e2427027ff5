"""How a workflow ends: in every case with an outcome, and where the request could not be planned, as a dead letter."""

from __future__ import annotations

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId, outcome_id_of
from jada_orchestrator.domain.records import OutcomeType, Record, TerminalStatus
from jada_orchestrator.domain.workflow import Workflow


def tell(workflow: Workflow, outcome_type: OutcomeType, *, after: int = 0, about: TaskId | None = None) -> Record:
    """Return the record that tells the frontend; `after` counts outcomes decided in the same breath.

    `about` is the task whose question is told, where there may be several.
    """
    outcome_id = outcome_id_of(workflow.workflow_id, len(workflow.outcomes) + 1 + after)
    return r.OutcomeDecided(outcome_id, outcome_type, about)


def end(workflow: Workflow, status: TerminalStatus, failure: Failure | None, result: Json = None) -> list[Record]:
    """Return the records that end a workflow and tell the frontend."""
    return [r.WorkflowEnded(status, failure, result), tell(workflow, status)]


def end_unplanned(workflow: Workflow, failure: Failure) -> list[Record]:
    """Return the records that end a request which could not be planned: it is kept as a dead letter, too."""
    return [*end(workflow, "failed", failure), r.DeadLetterDecided(failure)]


def abandon(workflow: Workflow, failure: Failure, *, cancelled: bool = False) -> list[Record]:
    """Return the records that stop a workflow wherever it is: undo what there is, or end where there is nothing."""
    if workflow.is_terminal or workflow.winding_up is not None:
        return []
    if workflow.plan is not None:  # reads that were foreseen and have no plan leave nothing to undo
        return [r.CompensationStarted(failure, cancelled)]
    return end(workflow, "cancelled" if cancelled else "failed", failure)
