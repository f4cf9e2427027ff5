"""How the planner is asked: why, of which model, and how often by now."""

from __future__ import annotations

from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import PLANNING_WAIT_MAX_MS, REVISION_WAIT_MAX_MS
from jada_orchestrator.domain.members import PLANNING
from jada_orchestrator.domain.usage import CallPurpose
from jada_orchestrator.domain.workflow import Workflow


def is_open(workflow: Workflow, call: int) -> bool:
    """Tell whether the planner's `call`-th question is the one that is asked now."""
    planning = workflow.planning
    return workflow.status is PLANNING and planning.asking and planning.call == call


def purpose_of(workflow: Workflow) -> CallPurpose:
    """Return why the open question is put."""
    if workflow.planning.exchanges:
        return "correction"
    answered = any(entry.answer is not None for entry in workflow.planning.clarifications)
    return "revision" if answered or workflow.revision else "plan"


def planning_until(workflow: Workflow) -> UtcMs:
    """Return when the planner is asked no more: a new request can wait for a day, what was reserved cannot."""
    patience = PLANNING_WAIT_MAX_MS if workflow.revising is None else REVISION_WAIT_MAX_MS
    return UtcMs(workflow.planning.since + patience)


def attempt_of(workflow: Workflow) -> int:
    """Return how often the open question has been put, the present time included."""
    return workflow.planning.waits + 1


def rung_of(workflow: Workflow) -> int:
    """Return how many models of the ladder have been left behind."""
    return workflow.models.index(workflow.model) if workflow.model in workflow.models else 0


def stronger_model(workflow: Workflow) -> str | None:
    """Return the next model of the workflow's own ladder, or None at its top."""
    if workflow.model not in workflow.models:
        return None
    above = workflow.models[rung_of(workflow) + 1 :]
    return above[0] if above else None
