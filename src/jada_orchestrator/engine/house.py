"""What the house does itself: waiting for an instant, for a person, and for the model's choice.

Such a task is never dispatched and takes no slot. Once it is ready it begins to wait (`AwaitStarted`), and what it
waits for is derived from the state: the earliest instant of all, and an answer. So it outlasts any restart.
"""

from __future__ import annotations

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.choice import Choice
from jada_orchestrator.domain.documents import Json, JsonObject, packed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.house import APPROVE, CHOOSE, HOUSE_ACTIONS
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs, format_instant, parse_instant
from jada_orchestrator.domain.limits import APPROVAL_WAIT_MAX_MS, CHOICE_WAIT_MAX_MS, CHOICES_MAX, WAIT_MAX_MS
from jada_orchestrator.domain.members import AWAITING
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import Task, Workflow
from jada_orchestrator.engine.branches import outputs_for
from jada_orchestrator.engine.ending import tell
from jada_orchestrator.planning import chosen_index, resolve_input, roots_of, shortened


def is_house(task: Task) -> bool:
    """Tell whether the house does a task itself."""
    return task.terms.via == "house"


def open_approvals(workflow: Workflow) -> list[TaskId]:
    """Return the tasks that wait for a person's approval, in the order in which they began."""
    return [task_id for task_id, _ in workflow.waiting if _waits_for_a_person(workflow.tasks[task_id])]


def open_choices(workflow: Workflow) -> list[TaskId]:
    """Return the tasks that wait for the model to choose."""
    return [
        task_id
        for task_id, side in workflow.waiting
        if side == "do" and (task := workflow.tasks[task_id]).do.phase is AWAITING
        if task.planned.action == CHOOSE
    ]


def _waits_for_a_person(task: Task) -> bool:
    return task.do.phase is AWAITING and task.planned.action == APPROVE


def begin_house_tasks(workflow: Workflow) -> list[Record]:
    """Return how the house's own tasks begin that are ready; each once."""
    tasks = workflow.tasks
    ready = [tasks[ref[0]] for ref in workflow.grantable if ref[1] == "do" and tasks[ref[0]].terms.via == "house"]
    records: list[Record] = []
    for task in ready:
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
    if planned.action == CHOOSE:
        options = given["options"][:CHOICES_MAX]
        if len(options) == 1:
            return [_chosen(planned.id, options, 0, "order", number=0)]
        begun = {"options": options, "criteria": given["criteria"]}
        return [r.AwaitStarted(planned.id, begun, UtcMs(workflow.at + CHOICE_WAIT_MAX_MS))]
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
    if task.planned.action == CHOOSE:
        return _chosen(task_id, _options(task), 0, "order")
    return r.TaskSucceeded(task_id, "call", 1, packed({"waited_until": format_instant(task.do.until)}))


def answered(workflow: Workflow, task_id: TaskId, *, granted: bool, by: str) -> Record:
    """Return what a person's answer to an approval means.

    A denial is an answer like any other where the plan asks about it, and a failure where nobody would notice.
    """
    if granted or any(task_id in roots_of(task.planned.when) for task in workflow.tasks.values()):
        return r.TaskSucceeded(task_id, "call", 1, packed({"approved": granted, "by": by}))
    return _failed(task_id, "APPROVAL_DENIED", f"{by} denied it", number=1)


# --- Choices ----------------------------------------------------------------------------------------------------------


def choice_of(task: Task) -> Choice:
    """Return what the model is asked: the options made short, as data, and the criteria."""
    criteria = str((task.do.input or {}).get("criteria", ""))
    return Choice(criteria, tuple(shortened(option) for option in _options(task)))


def choice_ended(workflow: Workflow, event: e.ChoiceEnded) -> list[Record]:
    """Record what the model said, and take the option at the place that it names; the first where it names none."""
    task = workflow.tasks.get(event.task_id)
    if task is None or event.task_id not in open_choices(workflow) or task.planned.revision != event.revision:
        return []
    options, failure = _options(task), event.failure
    index = None if failure is not None else chosen_index(event.text, len(options))
    if index is None and failure is None:
        failure = Failure("BAD_CHOICE", f"it named no place from 0 to {len(options) - 1}")
    answered = r.ChoiceAnswered(
        event.task_id, event.text, failure, event.model, event.usage, event.latency_ms, event.first_token_ms
    )
    by = "order" if index is None else "model"
    return [answered, _chosen(event.task_id, options, index or 0, by)]


def _options(task: Task) -> list[Json]:
    options = (task.do.input or {}).get("options")
    return options if isinstance(options, list) else []


def _chosen(task_id: TaskId, options: list[Json], index: int, by: str, number: int = 1) -> Record:
    return r.TaskSucceeded(task_id, "call", number, packed({"index": index, "option": options[index], "by": by}))


# --- What people are shown --------------------------------------------------------------------------------------------


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
