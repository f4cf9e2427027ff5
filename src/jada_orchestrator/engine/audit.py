"""The laws that hold across the fields of a workflow, whatever happened to it.

Run whole after every step in the tests and the simulator. The runtime runs them after every turn on what the turn
touched (`breaches_near`), and whole where a workflow begins, is taken up again, is undone or ends: a breach sets that
one workflow aside with its story, and the rest go on (law 10).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.limits import PLAN_TASKS_MAX, WORKFLOW_RECORDS_MAX
from jada_orchestrator.domain.members import (
    AWAITING,
    AWAITING_APPROVAL,
    BACKING_OFF,
    COMPENSATING,
    LOST,
    READ,
    SUCCEEDED,
    UNRESOLVED,
    WAITING,
)
from jada_orchestrator.domain.money import CurrencyMismatchError
from jada_orchestrator.domain.workflow import (
    FINAL_PHASES,
    GRANTABLE_PHASES,
    IN_FLIGHT_PHASES,
    TERMINAL,
    CallRef,
    Task,
    Workflow,
)
from jada_orchestrator.engine.branches import delivers, in_place_of, lets_others_go
from jada_orchestrator.engine.house import open_approvals
from jada_orchestrator.engine.money import committed_total


def breaches(workflow: Workflow) -> list[str]:
    """Return a sentence for every law that the workflow breaks; empty when it is sound."""
    if not workflow.exists:
        return []
    tasks = workflow.tasks.values()
    of_tasks = (_graph(workflow, tasks), _branches(workflow, tasks), _effects(workflow, tasks))
    return list(chain(_life(workflow), _indexes(workflow), *of_tasks, _bounds(workflow)))


def breaches_near(workflow: Workflow, records: Sequence[r.Record]) -> list[str]:
    """Return a sentence for every law that these records, which were folded last, can have broken.

    Costs as much as they touched: the tasks that they name and those that come right after them. What changes the whole
    (a plan, an undoing, an ending, anything rare), or no record at all, has the whole audited.
    """
    near: dict[TaskId, Task] = {}
    for record in records:
        if isinstance(record, _OF_NO_TASK):
            continue
        if not isinstance(record, _OF_ONE_TASK) or workflow.winding_up is not None:
            return breaches(workflow)
        if record.task_id not in workflow.tasks:
            return breaches(workflow)  # it was foreseen, and dropped by a later one of the records
        near[record.task_id] = workflow.tasks[record.task_id]
        if not isinstance(record, r.AttemptStarted):
            near.update((task_id, workflow.tasks[task_id]) for task_id in workflow.dependents.get(record.task_id, ()))
    if not records:
        return breaches(workflow)
    tasks = near.values()
    found = [*_life(workflow), *_places(workflow, near), *_graph(workflow, tasks)]
    found += [*_branches(workflow, tasks), *_effects(workflow, tasks)]
    if any(task.amount is not None for task in tasks):
        found += _bounds(workflow)
    return found


_OF_ONE_TASK: Final = (r.TaskSucceeded, r.AttemptStarted, r.TaskBackedOff, r.AttemptLost, r.LookupEnded, r.CallDue)
"""Records that move the call which they name, and at most let the tasks go that come right after it."""


_OF_NO_TASK: Final = (r.OutcomeDelivered, r.PlannerAnswered, r.PlanningStarted)
"""Records that move no call."""


def _life(workflow: Workflow) -> Iterator[str]:
    if (workflow.terminal is not None) is not (workflow.status in TERMINAL):
        yield f"the status is {workflow.status.value}, but terminal is {workflow.terminal}"
    if workflow.terminal is not None and not workflow.outcomes:
        yield f"it ended as {workflow.terminal}, and nobody is told"
    if workflow.terminal is not None and (workflow.active or workflow.approval is not None):
        yield f"it ended as {workflow.terminal}, but something is still under way"
    if (workflow.status is COMPENSATING) and workflow.winding_up is None:
        yield "it is compensating without a reason"
    asked = workflow.approval is not None or workflow.undo_question is not None
    waits = workflow.status is AWAITING_APPROVAL
    if (waits is not asked) if not open_approvals(workflow) else (asked and not waits):
        yield f"the status is {workflow.status.value}, but the approval is {workflow.approval}"
    if workflow.seq > WORKFLOW_RECORDS_MAX:
        yield f"it has {workflow.seq} records; the limit is {WORKFLOW_RECORDS_MAX}: it goes round in circles"


def _indexes(workflow: Workflow) -> Iterator[str]:
    expected: tuple[set[CallRef], set[CallRef], set[CallRef]] = (set(), set(), set())
    unfinished = 0
    for task_id, task in workflow.tasks.items():
        unfinished += task.do.phase not in FINAL_PHASES
        index = _INDEX_OF.get(task.do.phase)
        if index is not None:
            expected[index].add((task_id, "do"))
        index = _INDEX_OF.get(task.undo.phase)
        if index is not None:
            expected[index].add((task_id, "undo"))
    found = (workflow.grantable, workflow.active, workflow.waiting)
    for name, there, wanted in zip(_INDEX_NAMES, found, expected, strict=True):
        if there.keys() != wanted:
            yield f"the index {name!r} holds {sorted(there)}; the phases of the calls say {sorted(wanted)}"
    if unfinished != workflow.unfinished:
        yield f"{unfinished} tasks are unfinished, but the count says {workflow.unfinished}"


_INDEX_NAMES = ("grantable", "active", "waiting")
_INDEX_OF = {
    **dict.fromkeys(GRANTABLE_PHASES, 0),
    **dict.fromkeys(IN_FLIGHT_PHASES, 1),
    **dict.fromkeys((BACKING_OFF, LOST, AWAITING), 2),
}


_NOWHERE = (False, False, False)
_PLACES_OF = {phase: tuple(number == index for number in range(3)) for phase, index in _INDEX_OF.items()}
"""In which of the indexes a call is in a phase."""


def _places(workflow: Workflow, tasks: Mapping[TaskId, Task]) -> Iterator[str]:
    """Look at the indexes for some tasks only."""
    grantable, active, waiting = workflow.grantable, workflow.active, workflow.waiting
    for task_id, task in tasks.items():
        for ref, phase in (((task_id, "do"), task.do.phase), ((task_id, "undo"), task.undo.phase)):
            found = (ref in grantable, ref in active, ref in waiting)
            wanted = _PLACES_OF.get(phase, _NOWHERE)
            if found != wanted:
                wrong = [name for name, is_, ought in zip(_INDEX_NAMES, found, wanted, strict=True) if is_ is not ought]
                yield from (
                    f"{ref[1]} {task_id} is {phase.value}, which the index {name!r} does not know" for name in wrong
                )


def _graph(workflow: Workflow, tasks: Iterable[Task]) -> Iterator[str]:
    for task in tasks:
        if task.do.attempts == 0 or workflow.winding_up is not None:
            continue
        for before_id in task.planned.after:
            before = workflow.tasks[before_id]
            if before.do.phase is SUCCEEDED:
                continue
            needed = before_id in task.planned.needs
            over = delivers(workflow, before) if needed else lets_others_go(workflow, before)
            maker = in_place_of(workflow, before)
            reopened = maker.refreshing or (maker.undoing and not needed)
            reopened = reopened or maker.planned.revision > task.planned.revision  # done anew since
            if not (over or reopened):
                yield f"{task.planned.id} was started before {before_id}, which is {before.do.phase.value}"


def _branches(workflow: Workflow, tasks: Iterable[Task]) -> Iterator[str]:
    if len(workflow.tasks) > PLAN_TASKS_MAX:
        yield f"it has {len(workflow.tasks)} tasks; the limit is {PLAN_TASKS_MAX}"
    for task in tasks:
        if task.planned.for_each:
            yield from _list(workflow, task, task.planned.calls or ())
        if task.planned.instead_of is not None:
            first = workflow.tasks[task.planned.instead_of]
            if _is_left(first) and _is_left(task):
                yield f"{first.planned.id} and {task.planned.id}, which stands in for it, are both done"


def _list(workflow: Workflow, task: Task, calls: Sequence[TaskId]) -> Iterator[str]:
    name = task.planned.id
    if task.do.attempts:
        yield f"{name} is called itself, and not for each item of its list"
    for reader_id in workflow.dependents.get(name, ()):
        if not set(calls) <= set(workflow.tasks[reader_id].planned.after):
            yield f"{reader_id} reads {name}, and does not come after each of its calls"
    if task.do.phase is not SUCCEEDED or workflow.winding_up is not None:
        return
    if task.retired:
        return  # history that nothing of the plan reads; calls of it that the plan keeps go on without it
    for call_id in calls:
        call = workflow.tasks[call_id]
        if not lets_others_go(workflow, call) and not call.refreshing:
            yield f"{name} is joined, but {call_id} is {call.do.phase.value}"


def _is_left(task: Task) -> bool:
    return task.has_effect and task.undo.phase is not SUCCEEDED and task.do.attempts > 0


def _effects(workflow: Workflow, tasks: Iterable[Task]) -> Iterator[str]:
    for task in tasks:
        name, done, undone = task.planned.id, task.do.phase, task.undo.phase
        if done is SUCCEEDED and task.output_text is None and not task.planned.for_each:
            yield f"{name} succeeded without an output"
        if task.terms.effect is READ and (undone is not WAITING or done is UNRESOLVED):
            yield f"{name} only reads, but is undone or unresolved"
        if undone is not WAITING and not task.undoing and task.stands is None:
            yield f"{name} is being undone, but nobody started that"
        if workflow.terminal is not None and _is_left_over(workflow, task):
            yield f"it ended as {workflow.terminal}, but {name} stands and nobody says so"
        # What ran out is given back while those built on it still stand. What a revision gave up and was undone stays
        # so in a retry, although what could not be undone then, and was built on it, is undone once more.
        if task.aftermath.undoing and not task.refreshing and not (task.retired and undone is SUCCEEDED):
            yield from (
                f"{name} is being undone before {dependent}, which was built on it"
                for dependent in workflow.dependents.get(name, ())
                if _stands_on(workflow, dependent)
            )


def _stands_on(workflow: Workflow, dependent_id: TaskId) -> bool:
    dependent = workflow.tasks[dependent_id]
    if workflow.winding_up is None:
        return False
    undone = dependent.undo.phase is SUCCEEDED or dependent.stands is not None
    return dependent.has_effect and dependent.do.phase in FINAL_PHASES and not undone


def _is_left_over(workflow: Workflow, task: Task) -> bool:
    if not task.has_effect or task.undo.phase is SUCCEEDED or task.kept or task.stands is not None:
        return False
    # What was done stands by right where nothing was wound up, also when a stray of an optional task needs attention.
    return workflow.winding_up is not None or task.retired or task.do.phase is not SUCCEEDED


def _bounds(workflow: Workflow) -> Iterator[str]:
    request = workflow.request
    if request is None or request.constraints.max_total is None:
        return
    try:
        total = committed_total(workflow)
        if total is not None and total.exceeds(request.constraints.max_total):
            yield f"{total} is committed; the request allows {request.constraints.max_total}"
    except CurrencyMismatchError as error:
        yield str(error)
