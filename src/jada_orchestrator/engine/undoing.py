"""Undoing one task, and when its turn has come: everything that was built on it is undone before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.members import SUCCEEDED, WAITING
from jada_orchestrator.domain.plan import PlannedTask
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import FINAL_PHASES, Task, Workflow
from jada_orchestrator.engine.retry import learns_by_repeating


def undo_in_order(
    workflow: Workflow, planned: Iterable[PlannedTask], begin: Callable[[Task], Record]
) -> tuple[list[Record], bool]:
    """Return how to begin every undo whose turn has come, and whether nothing is left to undo.

    `planned` are the tasks to be undone, in topological order, with everything that was built on them among them.
    """
    settled: dict[str, bool] = {}
    records: list[Record] = []
    for one in reversed(tuple(planned)):
        task = workflow.tasks[one.id]
        built_on_it = all(settled[dependent] for dependent in workflow.dependents.get(one.id, ()))
        settled[one.id] = built_on_it and is_settled(task)
        if built_on_it and not settled[one.id] and wants_undo(task):
            records.append(begin(task))
    return records, all(settled.values())


def is_settled(task: Task) -> bool:
    """Tell whether nothing in the world is left of a task, or it is certain that what is left stays."""
    if task.do.phase not in FINAL_PHASES:
        return False
    return not task.has_effect or task.undo.phase is SUCCEEDED or task.kept or task.stands is not None


def wants_undo(task: Task) -> bool:
    """Tell whether undoing a task is still to be begun."""
    untouched = task.undo.phase is WAITING and task.stands is None and not task.kept
    return untouched and task.do.phase in FINAL_PHASES and task.has_effect


def undo(task: Task) -> Record:
    """Return how to begin undoing a task: undo it, find out first, or say that it stands."""
    task_id, terms = task.planned.id, task.terms
    certain = task.do.phase is SUCCEEDED
    if not certain and terms.lookup is not None:
        return r.UndoStarted(task_id)  # asks first what became of it
    if terms.compensate is None:
        known = "was done" if certain else "may have been done"
        return r.TaskStands(task_id, Failure("IRREVERSIBLE", f"{terms.action} {known}, and nothing undoes it"))
    if (
        not certain
        and not learns_by_repeating(task)
        and any("output" in binding.expression for binding in terms.compensate.bindings.values())
    ):
        message = f"{terms.action} may have been done; undoing it needs its answer, which never came"
        return r.TaskStands(task_id, Failure("UNRESOLVED", message))
    return r.UndoStarted(task_id)
