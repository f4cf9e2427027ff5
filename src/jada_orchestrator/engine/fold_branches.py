"""How records change what is decided of tasks: who is called, and how often."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.ids import TaskId, call_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.plan import PlannedTask
from jada_orchestrator.domain.workflow import Phase, Task, Workflow
from jada_orchestrator.engine.branches import replacement_of
from jada_orchestrator.engine.fold_calls import become_due, move, without


def branch_taken(workflow: Workflow, record: r.BranchTaken, at: UtcMs) -> None:
    """Fold `BranchTaken`."""
    del at
    task = _decided(workflow, record.task_id)
    if task.do.phase is Phase.WAITING:
        move(workflow, task, "do", Phase.READY)


def task_joined(workflow: Workflow, record: r.TaskJoined, at: UtcMs) -> None:
    """Fold `TaskJoined`."""
    del at
    task = _decided(workflow, record.task_id)
    if task.do.phase is Phase.WAITING:
        move(workflow, task, "do", Phase.SUCCEEDED)


def task_expanded(workflow: Workflow, record: r.TaskExpanded, at: UtcMs) -> None:
    """Fold `TaskExpanded`: the calls come before the task in the plan, and before all that comes after it."""
    del at
    task = _decided(workflow, record.task_id)
    whole = task.planned
    calls = tuple(call_id_of(whole.id, index) for index in range(len(record.items)))
    single = structs.replace(whole, when="", for_each="")
    made = [
        Task(structs.replace(single, id=call, item=item, index=index), task.terms, 0)
        for index, (call, item) in enumerate(zip(calls, record.items, strict=True))
    ]
    readers = [workflow.tasks[name] for name in workflow.dependents.get(whole.id, ())]
    task.planned = structs.replace(whole, calls=calls, after=whole.after + calls)
    for reader in readers:
        reader.planned = _behind(reader.planned, whole.id, calls)
        reader.waits_for += len(calls)
    # Bookings of one kind share this mapping, until a list makes one of them another graph.
    followers = (whole.id, *(reader.planned.id for reader in readers))
    workflow.dependents = {
        **workflow.dependents,
        **{before: workflow.dependents[before] + calls for before in whole.after},
        **dict.fromkeys(calls, followers),
    }
    workflow.tasks = {
        name: each
        for old, present in workflow.tasks.items()
        for name, each in [*(((one.planned.id, one) for one in made) if old == whole.id else ()), (old, present)]
    }
    assert workflow.plan is not None, "a workflow with tasks has a plan"
    tasks = tuple(each.planned for each in workflow.tasks.values() if not each.retired)
    workflow.plan = replace(workflow.plan, tasks=tasks)
    task.waits_for = len(calls)
    workflow.unfinished += len(calls)
    for one in made:
        move(workflow, one, "do", Phase.READY)
    if not calls:
        become_due(workflow, task)


def _decided(workflow: Workflow, task_id: TaskId) -> Task:
    workflow.to_decide = without(workflow.to_decide, task_id)
    task = workflow.tasks[task_id]
    task.decided = True
    return task


def _behind(planned: PlannedTask, whole: TaskId, calls: tuple[TaskId, ...]) -> PlannedTask:
    """Return a task that comes after another one, put behind each of that one's calls as well."""
    reads = planned.reads + calls if whole in planned.takes else planned.reads
    return structs.replace(planned, after=planned.after + calls, reads=reads)


# --- Going on from what failed ----------------------------------------------------------------------------------------


def staying(workflow: Workflow) -> frozenset[TaskId]:
    """Return the tasks that are done, and are not done again when the workflow goes on from what failed.

    So is one that failed where its stand-in is done, or may be: it would be done twice. What only looked at something
    that is done again looks again: a sum of reservations is the sum of those that there will be.
    """
    known: dict[TaskId, bool] = {}
    for task_id in workflow.tasks:  # what comes before is known before
        _stays(workflow, task_id, known)
    return frozenset(task_id for task_id, stays in known.items() if stays)


def _stays(workflow: Workflow, task_id: TaskId, known: dict[TaskId, bool]) -> bool:
    if task_id not in known:
        known[task_id] = False
        known[task_id] = _is_done(workflow, workflow.tasks[task_id], known)
    return known[task_id]


def _is_done(workflow: Workflow, task: Task, known: dict[TaskId, bool]) -> bool:
    if task.planned.for_each:
        calls = task.planned.calls or ()
        return task.do.phase is Phase.SUCCEEDED and all(_stays(workflow, call, known) for call in calls)
    if task.do.phase is Phase.SUCCEEDED:
        if task.terms.effect is Effect.READ:
            return all(_is_as_it_was(workflow, name, known) for name in task.planned.takes)
        return task.undo.phase is not Phase.SUCCEEDED
    other = replacement_of(workflow, task)
    return other is not None and (other.do.maybe or _stays(workflow, other.planned.id, known))


def _is_as_it_was(workflow: Workflow, task_id: TaskId, known: dict[TaskId, bool]) -> bool:
    """Tell whether others will find of a task what they found: it stays, or it will be skipped as it was."""
    task = workflow.tasks[task_id]
    if task.do.phase is Phase.SKIPPED:
        return all(_is_as_it_was(workflow, name, known) for name in task.planned.after)
    return _stays(workflow, task_id, known)


def calls_to_forget(workflow: Workflow, stay: frozenset[TaskId]) -> frozenset[TaskId]:
    """Return the calls whose list is made anew: of what makes it something is done again, and of them nothing is.

    A list that a revision gave up is not made anew; of its calls the plan has those that the revision kept. `stay` are
    the tasks that are not done again.
    """
    gone: set[TaskId] = set()
    for task in workflow.tasks.values():
        if task.retired:
            continue
        calls = [workflow.tasks[call] for call in task.planned.calls or ()]
        makers = (workflow.tasks[name].planned for name in task.planned.takes)
        anew = any(maker.instead_of is None and maker.id not in stay for maker in makers)  # a stand-in is its primary's
        if anew and not any(call.do.maybe or call.planned.id in stay for call in calls):
            gone.update(call.planned.id for call in calls)
    return frozenset(gone)


def without_calls(planned: PlannedTask, gone: frozenset[TaskId]) -> PlannedTask:
    """Return a task as it was before a list became these calls."""
    if not gone.intersection(planned.after):
        return planned
    return structs.replace(
        planned,
        after=tuple(name for name in planned.after if name not in gone),
        reads=tuple(name for name in planned.reads if name not in gone),
        calls=None if planned.calls is not None and gone.intersection(planned.calls) else planned.calls,
    )
