"""Branches at run time: what is read of whom, who stands in for whom, and what is decided before a task is called.

The rules, in one place:

- A task is due once all that it comes after is over. Then it is decided, once, and the verdict is a record.
- If a task without whose output it cannot be called delivered nothing (it was skipped, or it failed and was optional),
  it is skipped, too. An order alone is satisfied by a task that was skipped.
- If it stands in for another, it is called where that one failed with one of its codes, and skipped otherwise.
- If it has a condition, it is skipped unless that is true.
- If it has a list, it becomes as many calls; it has succeeded once they have.

To be skipped is no failure. To fail is none either where another task stands in, which it does for certain failures
only: what may have been done is never done a second way.
"""

from __future__ import annotations

from msgspec import structs

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.limits import FOR_EACH_MAX, PLAN_TASKS_MAX
from jada_orchestrator.domain.members import FAILED, SKIPPED, SUCCEEDED
from jada_orchestrator.domain.plan import PlannedTask
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import FINAL_PHASES, Task, Workflow
from jada_orchestrator.planning import resolve_condition, resolve_list

Outputs = dict[TaskId, Json]


def stand_in_for(workflow: Workflow, task: Task, code: str) -> Task | None:
    """Return the task that is called instead of one that fails with this code.

    One that was skipped already is not: what its primary reserved ran out, and could not be reserved anew.
    """
    for dependent_id in workflow.dependents.get(task.planned.id, ()):
        other = workflow.tasks[dependent_id]
        stands_in = other.planned.instead_of == task.planned.id and code in other.planned.on_codes
        if stands_in and other.do.phase is not SKIPPED:
            return other
    return None


def replacement_of(workflow: Workflow, task: Task) -> Task | None:
    """Return the task that is called instead of one that has failed for certain; None where it has not, or none is."""
    if task.do.phase is not FAILED or task.do.failure is None:
        return None
    return stand_in_for(workflow, task, task.do.failure.code)


def in_place_of(workflow: Workflow, task: Task) -> Task:
    """Return who is read under a task's name: itself, or the last of those that were called instead."""
    other = replacement_of(workflow, task)
    return task if other is None else in_place_of(workflow, other)


def delivers(workflow: Workflow, task: Task) -> bool:
    """Tell whether what others read of a task is there: it has succeeded, or who stands in for it has."""
    if task.do.phase is SUCCEEDED:
        return True
    other = replacement_of(workflow, task)
    return other is not None and delivers(workflow, other)


def lets_others_go(workflow: Workflow, task: Task) -> bool:
    """Tell whether a task that is over keeps nobody from going on: no required one has failed without a stand-in."""
    if task.do.phase not in FINAL_PHASES:
        return False
    if task.planned.optional or task.do.phase in {SUCCEEDED, SKIPPED}:
        return True
    return replacement_of(workflow, task) is not None


def output_of(workflow: Workflow, task_id: TaskId, renewed: Outputs | None = None) -> Json:
    """Return what others read of a task: its output, its stand-in's, or the list of its calls'; None where none is.

    `renewed` holds outputs that are about to take the place of those that are known.
    """
    task = workflow.tasks[task_id]
    if renewed is not None and task_id in renewed:
        return renewed[task_id]
    if task.planned.for_each:
        joined = task.planned.calls is not None and task.do.phase is SUCCEEDED
        return [output_of(workflow, call, renewed) for call in task.planned.calls or ()] if joined else None
    if task.output_text is not None:
        return task.output
    other = replacement_of(workflow, task)
    return output_of(workflow, other.planned.id, renewed) if other is not None else None


def outputs_for(workflow: Workflow, planned: PlannedTask, renewed: Outputs | None = None) -> Outputs:
    """Return what a task may read: of everything that it comes after, what is there."""
    outputs: Outputs = {}
    for name in planned.after:
        output = output_of(workflow, name, renewed)
        if output is not None:
            outputs[name] = output
    return outputs


def as_called_now(workflow: Workflow, planned: PlannedTask) -> PlannedTask | tuple[Fault, ...]:
    """Return a task as it is to be called: a call that outlived its list has the item that is in its place by now.

    A revision may keep a call and give up its list, which is then never made anew; but what the list was made of may
    be, by a retry. An item of before would be one of something that was undone.
    """
    if planned.index is None:
        return planned
    followers = (workflow.tasks[name] for name in workflow.dependents.get(planned.id, ()))
    whole = next((task for task in followers if planned.id in (task.planned.calls or ())), None)
    if whole is None or not whole.retired:
        return planned
    assert workflow.request is not None, "a workflow with tasks has a request"
    items = resolve_list(whole.planned, outputs_for(workflow, whole.planned), workflow.request)
    if isinstance(items, tuple):
        return items
    if planned.index < len(items):
        return structs.replace(planned, item=items[planned.index])
    message = f"`{whole.planned.for_each}` has {len(items)} items by now, and none in its place"
    return (Fault("MISSING_AT_RUNTIME", f"tasks.{planned.id}", message),)


def decide_branch(workflow: Workflow, task: Task) -> Record:
    """Return what becomes of a task that is due: called, skipped, called for each item, joined, or failed."""
    planned = task.planned
    if planned.calls is not None:
        return r.TaskJoined(planned.id)
    if planned.instead_of is not None:
        return _stand_in(workflow, task, workflow.tasks[planned.instead_of])
    request = workflow.request
    assert request is not None, "a workflow with tasks has a request"
    outputs = outputs_for(workflow, planned)
    if planned.when:
        holds = resolve_condition(planned, outputs, request)
        if isinstance(holds, tuple):
            return _unresolved(planned, holds)
        if not holds:
            return r.TaskSkipped(planned.id, f"its condition `{planned.when}` does not hold")
    if not planned.for_each:
        return r.BranchTaken(planned.id, f"its condition `{planned.when}` holds")
    items = resolve_list(planned, outputs, request)
    return _unresolved(planned, items) if isinstance(items, tuple) else _expanded(workflow, planned, items)


def _stand_in(workflow: Workflow, task: Task, first: Task) -> Record:
    if replacement_of(workflow, first) is task:
        code = first.do.failure.code if first.do.failure is not None else ""
        return r.BranchTaken(task.planned.id, f"it stands in for {first.planned.id}, which failed with {code}")
    if first.do.phase is SUCCEEDED:
        return r.TaskSkipped(task.planned.id, f"{first.planned.id} succeeded, so that nothing need stand in for it")
    return r.TaskSkipped(task.planned.id, f"{first.planned.id} did not fail with a code on which it stands in")


def _expanded(workflow: Workflow, planned: PlannedTask, items: list[Json]) -> Record:
    """A list that is too long is a failure, never cut off: nobody would know what was left out."""
    if len(items) > FOR_EACH_MAX:
        message = f"`{planned.for_each}` has {len(items)} items; a task is called for at most {FOR_EACH_MAX}"
        return r.TaskFailed(planned.id, "call", 0, Failure("LIST_TOO_LONG", message))
    if len(workflow.tasks) + len(items) > PLAN_TASKS_MAX:
        message = (
            f"`{planned.for_each}` has {len(items)} items; with them the plan would have "
            f"{len(workflow.tasks) + len(items)} tasks, and it may have {PLAN_TASKS_MAX}"
        )
        return r.TaskFailed(planned.id, "call", 0, Failure("LIST_TOO_LONG", message))
    return r.TaskExpanded(planned.id, tuple(items))


def _unresolved(planned: PlannedTask, faults: tuple[Fault, ...]) -> Record:
    failure = Failure("INPUT_UNRESOLVED", "; ".join(str(fault) for fault in faults))
    return r.TaskFailed(planned.id, "call", 0, failure)
