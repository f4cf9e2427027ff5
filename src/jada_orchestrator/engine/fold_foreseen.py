"""How reads that are started before there is a plan come into the state, and out of it again."""

from __future__ import annotations

from jada_orchestrator.domain.foreseen import TaskForeseen
from jada_orchestrator.domain.head_start import HeadStart
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import NOTHING, Foreseen, Phase, Task, Workflow
from jada_orchestrator.engine.fold_calls import become_due


def task_foreseen(workflow: Workflow, record: TaskForeseen, at: UtcMs) -> None:
    """Fold `TaskForeseen`: a task like any other, but for the plan that is still to come."""
    planned = record.task
    workflow.foreseen = {**workflow.foreseen, planned.id: Foreseen(planned, record.text, at)}
    waits_for = sum(workflow.tasks[before].do.phase is not Phase.SUCCEEDED for before in planned.after)
    task = workflow.tasks[planned.id] = Task(planned, record.terms, waits_for)
    workflow.unfinished += 1
    # Plans of the same graph share what is known of it: it is replaced, never changed.
    after = {before: (*workflow.dependents.get(before, ()), planned.id) for before in planned.after}
    workflow.dependents = {**workflow.dependents, **after}
    if waits_for == 0:
        become_due(workflow, task)


def drop_foreseen(workflow: Workflow) -> None:
    """Take what was foreseen out of a workflow that gets no plan now; the keys that it was called under are spent."""
    if workflow.plan is not None or not workflow.foreseen:
        return
    workflow.revision_spent = next_revision(workflow)
    workflow.foreseen = NOTHING
    workflow.tasks = {}
    workflow.dependents = {}
    workflow.grantable = workflow.waiting = workflow.active = NOTHING
    workflow.to_skip = NOTHING
    workflow.to_decide = ()
    workflow.unfinished = 0


def next_revision(workflow: Workflow) -> int:
    """Return the number of the next plan; no key was ever used under it, but by what is foreseen of that very plan."""
    return max(workflow.revision, workflow.revision_spent) + 1


def head_start(workflow: Workflow, at: UtcMs) -> HeadStart:
    """Return how much of its plan's making a workflow did not wait for, when the plan is adopted at `at`."""
    answer_ms = workflow.planning.answer_ms
    ahead_ms = at - workflow.first_dispatch.at if workflow.first_dispatch is not None else 0
    return HeadStart(min(max(ahead_ms, 0), answer_ms), answer_ms, workflow.seq)
