"""Reads that start while the plan is still arriving, and what becomes of them when it is there.

A read may be foreseen when it is complete, has no fault when compiled with what was foreseen before it, and changes
nothing however often it is made. It becomes a task of the workflow at once, with the key that it will have in the plan.
So nothing else of the engine knows that it is early: slots, retries, deadlines, recovery and fencing are a task's own.

When the plan comes, a task of it that is just what was foreseen takes over whatever has come of it. Everything else is
dropped; where a dropped id occurs in the plan all the same (other arguments, a call that failed, an answer that is too
old), its task gets a revision of its own, so that no key is ever used for two things.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from msgspec import structs

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.foreseen import TaskForeseen
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import FORESEEN_AGE_MAX_MS, FORESEEN_MAX, FORESEEN_TASK_CHARS_MAX
from jada_orchestrator.domain.plan import Plan, PlannedTask, shared
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import FINAL_PHASES, Phase, Workflow
from jada_orchestrator.engine.asking import is_open
from jada_orchestrator.engine.fold_foreseen import next_revision
from jada_orchestrator.planning import foresee


def task_proposed(workflow: Workflow, event: e.TaskProposed, catalogue: Catalogue) -> list[Record]:
    """Foresee a task of an answer that is still arriving, if it may be; what may not is left to the whole plan.

    Plans that revise another one are not read ahead: what runs belongs to the plan that there is.
    """
    if not is_open(workflow, event.call) or workflow.plan is not None or workflow.request is None:
        return []
    if len(workflow.foreseen) >= FORESEEN_MAX or len(event.text) > FORESEEN_TASK_CHARS_MAX:
        return []
    found = foresee(
        event.text,
        [each.text for each in workflow.foreseen.values()],
        catalogue,
        workflow.request,
        revision=next_revision(workflow),
        answers=answers_of(workflow),
    )
    if found is None or found.task.id in workflow.foreseen:
        return []
    return [TaskForeseen(event.call, event.text, found.task, found.terms)]


def answers_of(workflow: Workflow) -> list[str]:
    """Return what the traveller answered to earlier questions."""
    return [each.answer for each in workflow.planning.clarifications if each.answer is not None]


def adopted(workflow: Workflow, plan: Plan, now: UtcMs) -> r.PlanAdopted:
    """Return the adoption of a plan that was compiled as the next revision, with what was foreseen in its place."""
    revision = next_revision(workflow)
    kept: dict[TaskId, PlannedTask] = {}
    for task in plan.tasks:  # predecessors come first
        foreseen = _taken_over(workflow, task, kept, now)
        if foreseen is not None:
            # The plan's own where they are the same in all: bookings of a kind share their plans' tasks.
            kept[task.id] = task if foreseen == task else foreseen
    if any(task.id in workflow.foreseen and task.id not in kept for task in plan.tasks):
        revision += 1
    tasks = tuple(kept.get(task.id) or _of_revision(task, revision) for task in plan.tasks)
    is_as_compiled = all(one is other for one, other in zip(tasks, plan.tasks, strict=True))
    return r.PlanAdopted(revision, plan if is_as_compiled else replace(plan, tasks=tasks))


def _of_revision(task: PlannedTask, revision: int) -> PlannedTask:
    """Return a task as one of that revision: as it is where it is one, since plans of a kind share their tasks."""
    return task if task.revision == revision else shared(structs.replace(task, revision=revision))


def _taken_over(
    workflow: Workflow, task: PlannedTask, kept: dict[TaskId, PlannedTask], now: UtcMs
) -> PlannedTask | None:
    """Return what was foreseen for a task of the plan, if it is the same and nothing speaks against using it."""
    foreseen = workflow.foreseen.get(task.id)
    if foreseen is None or not _is_same(foreseen.planned, task) or not all(before in kept for before in task.after):
        return None
    phase = workflow.tasks[task.id].do.phase
    too_old = now - foreseen.since > FORESEEN_AGE_MAX_MS
    return None if too_old or (phase in FINAL_PHASES and phase is not Phase.SUCCEEDED) else foreseen.planned


def _is_same(foreseen: PlannedTask, task: PlannedTask) -> bool:
    """Compare but for the order of edges, which depends on the tasks around."""
    return foreseen == structs.replace(task, after=foreseen.after, needs=foreseen.needs) and all(
        _same_names(one, other) for one, other in ((foreseen.after, task.after), (foreseen.needs, task.needs))
    )


def _same_names(one: Iterable[TaskId], other: Iterable[TaskId]) -> bool:
    return set(one) == set(other)
