"""What has come due: waits that are over, deadlines that have passed."""

from __future__ import annotations

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.limits import ATTEMPT_GRACE_MS
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import Phase, Status, Workflow
from jada_orchestrator.engine.asking import planning_until
from jada_orchestrator.engine.attempts import overdue
from jada_orchestrator.engine.ending import abandon, end_unplanned
from jada_orchestrator.engine.house import await_over


def timer_fired(workflow: Workflow, now: UtcMs) -> list[Record]:
    """Decide everything that is due now; nothing when the timer came early or for something that is over."""
    if workflow.is_terminal:
        return []
    ended = _ended_by_time(workflow, now)
    if ended:
        return ended
    records: list[Record] = []
    planning = workflow.planning
    if workflow.status is Status.PLANNING and not planning.asking and planning.until <= now:
        records.append(r.PlanningStarted(planning.call))
    for task_id, side in workflow.waiting:
        task = workflow.tasks[task_id]
        if task.call(side).until <= now:
            records.append(await_over(task) if task.do.phase is Phase.AWAITING else r.CallDue(task_id, side))
    for task_id, side in workflow.active:
        task = workflow.tasks[task_id]
        if task.call(side).deadline + ATTEMPT_GRACE_MS <= now:
            records.append(overdue(workflow, task, side, now))
    return records


def _ended_by_time(workflow: Workflow, now: UtcMs) -> list[Record]:
    """Return what ends or undoes the whole workflow because its time is over."""
    request = workflow.request
    deadline = request.constraints.deadline if request is not None else None
    if deadline is not None and deadline <= now and workflow.winding_up is None:
        message = f"the request's deadline, {format_instant(deadline)}, passed before the booking was complete"
        return abandon(workflow, Failure("DEADLINE_EXCEEDED", message))
    if workflow.approval is not None and workflow.approval.expires_at <= now:
        failure = Failure("APPROVAL_EXPIRED", f"nobody approved {workflow.approval.amount} in time")
        return [r.ApprovalDecided(granted=False, by="time"), *abandon(workflow, failure)]
    if workflow.undo_question is not None and workflow.undo_question.expires_at <= now:
        answered = r.UndoQuestionAnswered(undo=True, by="time")
        return [answered, *abandon(workflow, workflow.undo_question.failure)]
    if workflow.status is Status.NEEDS_CLARIFICATION and workflow.planning.clarifications[-1].expires_at <= now:
        return abandon(workflow, Failure("CLARIFICATION_EXPIRED", "nobody answered the questions in time"))
    if workflow.status is Status.PLANNING and planning_until(workflow) <= now:
        last = workflow.planning.failure
        because = f"; at last: {last.message}" if last is not None else ""
        if workflow.revising is not None:
            return [r.RevisionGivenUp(Failure("PLANNER_UNAVAILABLE", f"the planner did not answer in time{because}"))]
        return end_unplanned(workflow, Failure("PLANNER_UNAVAILABLE", f"no plan could be made for a day{because}"))
    return []
