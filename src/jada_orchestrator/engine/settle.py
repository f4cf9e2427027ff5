"""What follows from the state by itself, without any event: skips, failures, undoing, endings.

`settle` is called after every batch of records until it has nothing more to say. It looks only at what `apply` has
marked (`broken`, `to_skip`, `to_decide`, `unfinished`), so that a turn over a large graph stays cheap.
"""

from __future__ import annotations

from typing import Final

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import APPROVAL_WAIT_MAX_MS
from jada_orchestrator.domain.members import AWAITING_APPROVAL, READ, RUNNING, SUCCEEDED, UNRESOLVED, WAITING
from jada_orchestrator.domain.plan import Plan
from jada_orchestrator.domain.records import Record, TerminalStatus
from jada_orchestrator.domain.workflow import FINAL_PHASES, Task, Workflow
from jada_orchestrator.engine.branches import decide_branch, output_of
from jada_orchestrator.engine.ending import end, tell
from jada_orchestrator.engine.house import begin_house_tasks
from jada_orchestrator.engine.keys import adopted_plan
from jada_orchestrator.engine.revising import failure_of, left_over, settle_revision, undo_retired
from jada_orchestrator.engine.undoing import is_settled, undo, undo_in_order, wants_undo
from jada_orchestrator.planning import resolve_result, roots_of_result


def settle(workflow: Workflow) -> list[Record]:
    """Return what is to be recorded because the state is what it is; empty when it is at rest. Reads only."""
    if workflow.plan is None or workflow.is_terminal or workflow.quarantined is not None:
        return []
    if workflow.winding_up is not None:
        return _settle_undoing(workflow, workflow.winding_up)
    if workflow.broken is not None:
        return _settle_broken(workflow, workflow.broken) or undo_retired(workflow)
    if workflow.to_skip:
        return [r.TaskSkipped(task_id, reason) for task_id, reason in workflow.to_skip.items()]
    begun = (begin_house_tasks(workflow) if workflow.grantable else []) or undo_retired(workflow)
    if begun:
        return begun
    if workflow.to_decide:  # one by one: together they may be more than a plan can hold
        return [decide_branch(workflow, workflow.tasks[workflow.to_decide[0]])]
    if workflow.unfinished == 0 and workflow.status in _GOING_ON:
        return _settle_complete(workflow, workflow.plan)
    return []


_GOING_ON: Final = frozenset({RUNNING, AWAITING_APPROVAL})


def _settle_broken(workflow: Workflow, why: Failure) -> list[Record]:
    """A required task failed for good: revise the plan where that may help, or undo what there is.

    Where the request wants that, a person is asked before anything is undone.
    """
    if workflow.undo_question is not None:
        return []
    revision = settle_revision(workflow)
    if revision is not None:
        return revision
    why = failure_of(workflow, why)
    request = workflow.request
    if request is None or request.constraints.on_failure != "ask" or workflow.leave_standing is not None:
        return [r.CompensationStarted(why, cancelled=False)]
    if not any(task.has_effect or _may_yet_have_one(task) for task in workflow.tasks.values()):
        return [r.CompensationStarted(why, cancelled=False)]  # nothing stands, so there is nothing to decide
    expires_at = UtcMs(workflow.at + APPROVAL_WAIT_MAX_MS)
    return [r.UndoQuestionAsked(why, expires_at), tell(workflow, "awaiting_approval")]


def _may_yet_have_one(task: Task) -> bool:
    return task.terms.effect is not READ and task.do.phase not in FINAL_PHASES and task.do.attempts > 0


def _settle_complete(workflow: Workflow, plan: Plan) -> list[Record]:
    """All tasks are final and no required one failed. What an optional one may have left behind is seen to first."""
    strays = [
        task
        for task in workflow.tasks.values()
        if task.do.phase is UNRESOLVED or task.aftermath.undoing or task.aftermath.retired
    ]
    strays += [task for task in left_over(workflow) if task not in strays]
    records = [undo(task) for task in strays if wants_undo(task) and not task.retired]
    if records or not all(is_settled(task) for task in strays):
        return records
    request = workflow.request
    assert request is not None, "a workflow with a plan has a request"
    read = roots_of_result(plan)
    outputs = {
        task_id: output
        for task_id, task in workflow.tasks.items()
        if task_id in read
        and task.undo.phase is not SUCCEEDED
        and not task.aftermath.retired  # what was undone is no result
        and (output := output_of(workflow, task_id)) is not None
    }
    result = resolve_result(plan, outputs, request)
    standing = [task for task in workflow.tasks.values() if task.aftermath.stands is not None]
    if standing:
        return end(workflow, "needs_attention", _standing_failure(None, standing), result)
    return end(workflow, "completed", None, result)


def _settle_undoing(workflow: Workflow, why: Failure) -> list[Record]:
    """Start every undo whose turn has come, or end when all is settled."""
    kept = _to_keep(workflow)
    if kept:
        return kept

    def begin(task: Task) -> Record:
        return _leave(workflow, task) if workflow.leave_standing is not None else undo(task)

    records, all_settled = undo_in_order(workflow, adopted_plan(workflow).everything, begin)
    if records or not all_settled:
        return records
    return end(workflow, *_verdict(workflow, why))


def _to_keep(workflow: Workflow) -> list[Record]:
    """Return what stays under `keep_partial`: effects of optional tasks that nothing to be undone carries."""
    request = workflow.request
    if request is None or request.constraints.on_failure != "keep_partial" or workflow.cancelled:
        return []
    stays: set[str] = set()
    records: list[Record] = []
    for planned in adopted_plan(workflow).tasks:  # predecessors come first
        task = workflow.tasks[planned.id]
        wanted = planned.optional and task.do.phase is SUCCEEDED and task.undo.phase is WAITING
        if all(before in stays for before in planned.after) and (wanted or not task.has_effect):
            stays.add(planned.id)
            if task.has_effect and not task.kept:
                records.append(r.TaskKept(planned.id))
    return records


def _leave(workflow: Workflow, task: Task) -> Record:
    message = f"{workflow.leave_standing} decided to leave it standing"
    return r.TaskStands(task.planned.id, Failure("LEFT_STANDING", message))


def _verdict(workflow: Workflow, why: Failure) -> tuple[TerminalStatus, Failure]:
    standing = [task for task in workflow.tasks.values() if task.stands is not None]
    if standing:
        return "needs_attention", _standing_failure(why, standing)
    if workflow.cancelled:
        return "cancelled", why
    if any(task.undo.phase is SUCCEEDED for task in workflow.tasks.values()):
        return "compensated", why
    return "failed", why


def _how(task: Task) -> str:
    return "may stand" if task.do.maybe or task.undo.maybe else "stands"


def _standing_failure(why: Failure | None, standing: list[Task]) -> Failure:
    """Name exactly what stands, so that a person knows what to do."""
    named = "; ".join(
        f"{task.planned.id} ({task.planned.action}) {_how(task)}: {task.stands.message}"
        for task in standing
        if task.stands is not None
    )
    cause = f"{why.message}. " if why is not None else ""
    return Failure("EFFECTS_STAND", f"{cause}Could not be undone: {named}")
