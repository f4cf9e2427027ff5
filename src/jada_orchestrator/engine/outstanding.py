"""What should be in flight, derived from the state."""

from __future__ import annotations

from collections.abc import Iterator

from jada_orchestrator.domain.commands import (
    AskChoice,
    AskPlanner,
    Command,
    Dispatch,
    PublishOutcome,
    SendToDeadLetter,
    WaitUntil,
)
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import ATTEMPT_GRACE_MS
from jada_orchestrator.domain.members import NEEDS_CLARIFICATION, PLANNING
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine.asking import planning_until
from jada_orchestrator.engine.house import open_choices


def outstanding(workflow: Workflow) -> Iterator[Command]:
    """Yield every command that must be in flight; nothing while the workflow is quarantined. Reads only."""
    if workflow.quarantined is not None:
        return
    workflow_id = workflow.workflow_id
    for outcome in workflow.outcomes:
        if not outcome.delivered:
            yield PublishOutcome(workflow_id, outcome.outcome_id, outcome.tellings)
    if workflow.dead_letter == "wanted":
        yield SendToDeadLetter(workflow_id)
    if workflow.is_terminal:
        return
    if workflow.status is PLANNING and workflow.planning.asking:
        yield AskPlanner(workflow_id, workflow.planning.call)
    for task_id in open_choices(workflow):
        yield AskChoice(workflow_id, task_id, workflow.tasks[task_id].planned.revision)
    for task_id, side in workflow.active:
        task = workflow.tasks[task_id]
        call = task.call(side)
        purpose = call.purpose
        number = call.attempts if purpose == "call" else call.lookups
        yield Dispatch(workflow_id, task_id, side, purpose, number, task.planned.revision)
    instant = next_instant(workflow)
    if instant is not None:
        yield WaitUntil(workflow_id, instant)


def next_instant(workflow: Workflow) -> UtcMs | None:
    """Return the earliest instant at which the workflow has something to decide by itself."""
    instants = [workflow.tasks[task_id].call(side).until for task_id, side in workflow.waiting]
    if workflow.active:
        first = min([workflow.tasks[task_id].call(side).deadline for task_id, side in workflow.active])
        instants.append(UtcMs(first + ATTEMPT_GRACE_MS))
    if (
        workflow.winding_up is None
        and workflow.request is not None
        and workflow.request.constraints.deadline is not None
    ):
        instants.append(workflow.request.constraints.deadline)
    if workflow.approval is not None:
        instants.append(workflow.approval.expires_at)
    if workflow.undo_question is not None:
        instants.append(workflow.undo_question.expires_at)
    if workflow.status is NEEDS_CLARIFICATION:
        instants.append(workflow.planning.clarifications[-1].expires_at)
    if workflow.status is PLANNING:
        instants.append(planning_until(workflow))
        if not workflow.planning.asking:
            instants.append(workflow.planning.until)
    return min(instants, default=None)
