"""What the house does itself: waiting for an instant, and for a person.

Such a task is never dispatched and takes no slot. Once it is ready it begins to wait (`AwaitStarted`), and what it
waits for is derived from the state: the earliest instant of all, and an answer. So it outlasts any restart.
"""

from __future__ import annotations

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.house import APPROVE, HOUSE_ACTIONS
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs, format_instant, parse_instant
from jada_orchestrator.domain.limits import APPROVAL_WAIT_MAX_MS, WAIT_MAX_MS
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import Phase, Task, Workflow
from jada_orchestrator.engine.branches import outputs_for
from jada_orchestrator.engine.ending import tell
from jada_orchestrator.planning import resolve_input, roots_of


def is_house(task: Task) -> bool:
    """Tell whether the house does a task itself."""
    return task.terms.via == "house"


def open_approvals(workflow: Workflow) -> list[TaskId]:
    """Return the tasks that wait for a person's approval, in the order in which they began."""
    return [task_id for task_id, _ in workflow.waiting if _waits_for_a_person(workflow.tasks[task_id])]


def _waits_for_a_person(task: Task) -> bool:
    return task.do.phase is Phase.AWAITING and task.planned.action == APPROVE


def begin_house_tasks(workflow: Workflow) -> list[Record]:
    """Return how the house's own tasks begin that are ready; each once."""
    ready = [workflow.tasks[task_id] for task_id, side in workflow.grantable if side == "do"]
    records: list[Record] = []
    for task in ready:
        if is_house(task):
            records += _begin(workflow, task, tells=sum(isinstance(each, r.OutcomeDecided) for each in records))
    return records


def _begin(workflow: Workflow, task: Task, tells: int) -> list[Record]:
    planned, request = task.planned, workflow.request
    assert request is not None, "a workflow with tasks has a request"
    given = resolve_input(planned, outputs_for(workflow, planned), request, HOUSE_ACTIONS[planned.action])
    if isinstance(given, tuple):
        return [_failed(planned.id, "INPUT_UNRESOLVED", "; ".join(map(str, given)))]
    if planned.action == APPROVE:
        until = UtcMs(workflow.at + min(given.get("expires_in", APPROVAL_WAIT_MAX_MS // 1_000) * 1_000, WAIT_MAX_MS))
        asked = tell(workflow, "awaiting_approval", after=tells, about=planned.id)
        return [r.AwaitStarted(planned.id, given, until), asked]
    return [_begin_waiting(workflow, planned.id, given)]


def _begin_waiting(workflow: Workflow, task_id: TaskId, given: JsonObject) -> Record:
    try:
        until = parse_instant(given["until"]) if "until" in given else UtcMs(workflow.at + given["seconds"] * 1_000)
    except ValueError as error:
        return _failed(task_id, "INPUT_UNRESOLVED", f"until: {error}")
    if until > workflow.at + WAIT_MAX_MS:
        days = WAIT_MAX_MS // 86_400_000
        return _failed(task_id, "WAIT_TOO_LONG", f"{format_instant(until)} is more than {days} days ahead")
    return r.AwaitStarted(task_id, given, until)


def await_over(task: Task) -> Record:
    """Return what the end of a wait means: done, where time was all that it waited for."""
    task_id = task.planned.id
    if task.planned.action == APPROVE:
        return _failed(task_id, "APPROVAL_EXPIRED", "nobody approved it in time", number=1)
    return r.TaskSucceeded(task_id, "call", 1, {"waited_until": format_instant(task.do.until)})


def answered(workflow: Workflow, task_id: TaskId, *, granted: bool, by: str) -> Record:
    """Return what a person's answer to an approval means.

    A denial is an answer like any other where the plan asks about it, and a failure where nobody would notice.
    """
    if granted or any(task_id in roots_of(task.planned.when) for task in workflow.tasks.values()):
        return r.TaskSucceeded(task_id, "call", 1, {"approved": granted, "by": by})
    return _failed(task_id, "APPROVAL_DENIED", f"{by} denied it", number=1)


def approval_of(workflow: Workflow, task_id: TaskId) -> JsonObject:
    """Return what a person is asked by an approval, with who worded the question: the plan, or an agent."""
    task = workflow.tasks[task_id]
    given = task.do.input or {}
    worded = roots_of(task.planned.bindings["question"].expression) - {"request"}
    asked: JsonObject = {
        "task_id": task_id,
        "question": given.get("question"),
        "worded_by": "agent" if worded else "plan",
        "expires_at": format_instant(task.do.until),
    }
    if "amount" in given:
        asked["amount"] = given["amount"]
    return asked


def _failed(task_id: TaskId, code: str, message: str, number: int = 0) -> Record:
    return r.TaskFailed(task_id, "call", number, Failure(code, message))
