"""Revising a plan that failed: when another one is asked for, what waits meanwhile, and what is given up by it.

A required task that failed with a code that another plan could get round does not end the booking: first everything
that is under way comes to its end, then the planner is asked for a revision, which sees what was executed. Holds run
out, so the wait is short: with no usable answer by then (or a refusal, a question, too many faults, no money for the
call) what follows is what would have followed at once, had nobody been asked.

What a revision gives up is undone while the new tasks run, in reverse order; but nothing is committed before that is
over, so that the traveller never pays twice for one thing.
"""

from __future__ import annotations

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import REPLAN_CODES, Action, Catalogue
from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.events import Side
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.house import action_named
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.limits import REVISIONS_MAX
from jada_orchestrator.domain.members import (
    COMMIT,
    FAILED,
    LOOKUP_READY,
    LOST,
    PLANNING,
    SKIPPED,
    SUCCEEDED,
    UNRESOLVED,
    WAITING,
)
from jada_orchestrator.domain.plan import Terms
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.revision import Past, PastState, PastTask
from jada_orchestrator.domain.workflow import FINAL_PHASES, IN_FLIGHT_PHASES, Phase, Task, Workflow
from jada_orchestrator.engine.branches import output_of
from jada_orchestrator.engine.holds import stands_on_nothing
from jada_orchestrator.engine.keys import adopted_plan
from jada_orchestrator.engine.undoing import is_settled, undo, undo_in_order
from jada_orchestrator.planning import Told, facts_of, told_arguments, told_in


def can_be_got_round(terms: Terms, code: str) -> bool:
    """Tell whether another plan could get round a failure of this action."""
    return code in (REPLAN_CODES if terms.replan_on is None else terms.replan_on)


def is_revising(workflow: Workflow) -> bool:
    """Tell whether a revision is wanted and may still come."""
    return workflow.revising is not None and workflow.revising.given_up is None


def settle_revision(workflow: Workflow) -> list[Record] | None:
    """Return what is to be recorded so that a broken plan gets a revision; None when none is to be had."""
    if not _may_be_revised(workflow):
        return None
    if workflow.revising is None:
        why = workflow.broken
        assert why is not None, "only what is broken is revised"
        return [r.RevisionAsked(why, workflow.breaking, workflow.revisions + 1)]
    if workflow.revising.given_up is not None:
        return None
    if workflow.status is PLANNING or any(_is_under_way(task) for task in workflow.tasks.values()):
        return []
    return [r.PlanningStarted(workflow.planning.call + 1)]


def _may_be_revised(workflow: Workflow) -> bool:
    if workflow.cancelled or not workflow.breaking or workflow.leave_standing is not None:
        return False
    if workflow.revising is None and workflow.revisions >= REVISIONS_MAX:
        return False
    failed = [workflow.tasks[task_id] for task_id in workflow.breaking]
    if not all(task.do.phase is FAILED and _failed_so(task) for task in failed):
        return False
    if any(_is_past_revising(task) for task in workflow.tasks.values()):
        return False
    return not stands_on_nothing(workflow)  # whatever another plan did, that would be part of the booking


def _is_past_revising(task: Task) -> bool:
    """Tell whether a task keeps its plan from being revised: what was to be given back stands, or nobody knows.

    One that was retried may have its earlier effect, found out when its turn comes; a revision would forget that.
    """
    if task.do.maybe and task.do.phase is WAITING:
        return True
    return task.stands is not None and (task.refreshing or is_dear(task))


def _failed_so(task: Task) -> bool:
    return task.do.failure is not None and can_be_got_round(task.terms, task.do.failure.code)


def is_dear(task: Task) -> bool:
    """Tell whether a revision gave up what costs money while it stands."""
    return task.retired and task.terms.effect is COMMIT


def _is_under_way(task: Task) -> bool:
    """Tell whether a call was begun and its end is to be waited for. What was given up takes the time that it takes."""
    if task.retired or (task.do.phase in FINAL_PHASES and not is_being_renewed(task)):
        return False
    return task.do.phase in _UNDER_WAY or task.do.maybe or task.refreshing


def is_being_renewed(task: Task) -> bool:
    """Tell whether what a task reserved is being given back, so that it can be reserved anew."""
    return task.refreshing and task.do.phase is SUCCEEDED


_UNDER_WAY = IN_FLIGHT_PHASES | {LOST, LOOKUP_READY}


def is_held_back(workflow: Workflow, task: Task, side: Side) -> bool:
    """Tell whether a call waits for the sake of a revision: for its coming, or for the undoing of what it gave up."""
    if side == "undo" or task.aftermath.retired:
        return False
    if is_revising(workflow):
        return not _is_under_way(task)
    if task.terms.effect is not COMMIT or workflow.plan is None or not workflow.plan.retired:
        return False
    return not all(is_settled(workflow.tasks[planned.id]) for planned in workflow.plan.retired)


def undo_retired(workflow: Workflow) -> list[Record]:
    """Return how to begin undoing what a revision gave up, as far as its turn has come."""
    retired = adopted_plan(workflow).retired
    return undo_in_order(workflow, retired, undo)[0] if retired else []


def outdated(workflow: Workflow) -> frozenset[TaskId]:
    """Return what was done with a reservation that ran out and could not be had again: it is to be done otherwise.

    What cannot be undone is not among it.
    """
    found: set[TaskId] = set()
    for planned in adopted_plan(workflow).tasks:  # what comes before comes first
        task = workflow.tasks[planned.id]
        if task.do.phase is not SUCCEEDED or (task.has_effect and task.terms.compensate is None):
            continue
        used = (workflow.tasks[name] for name in planned.takes + (planned.calls or ()))
        if any(each.planned.id in found or (each.refreshes and each.do.phase is FAILED) for each in used):
            found.add(planned.id)
    return frozenset(found)


def left_over(workflow: Workflow) -> list[Task]:
    """Return what is kept only because something came after it, and serves nothing: what it was done with is gone."""
    if workflow.revision == 1:
        return []  # nothing was renewed
    gone = outdated(workflow)
    used = {
        name
        for task in workflow.tasks.values()
        if task.do.phase is SUCCEEDED and task.planned.id not in gone
        for name in task.planned.takes
    }
    return [task for task in workflow.tasks.values() if task.planned.id in gone - used and task.has_effect]


def failure_of(workflow: Workflow, why: Failure) -> Failure:
    """Return why a booking failed for which no revision came: the failure itself, and what became of the question."""
    given_up = workflow.revising.given_up if workflow.revising is not None else None
    return why if given_up is None else Failure(why.code, f"{why.message}; no other plan was found: {given_up.message}")


# --- What the planner is told -----------------------------------------------------------------------------------------


def past_of(workflow: Workflow, catalogue: Catalogue) -> Past | None:
    """Return what a revision is to see of the plan that failed; None while no revision is wanted."""
    if not is_revising(workflow):
        return None
    plan, request = adopted_plan(workflow), workflow.request
    assert request is not None, "a workflow with a plan has a request"
    told = told_in(request, [each.answer for each in workflow.planning.clarifications if each.answer is not None])
    gone = outdated(workflow)
    tasks = (workflow.tasks[planned.id] for planned in plan.everything)
    past = tuple(_past(workflow, task, catalogue, told, gone) for task in tasks)
    return Past(past, plan.terms, frozenset(workflow.breaking))


def _past(workflow: Workflow, task: Task, catalogue: Catalogue, told: Told, gone: frozenset[TaskId]) -> PastTask:
    action = action_named(catalogue, task.terms.action)
    state = "given_up" if task.planned.id in gone else _state_of(task)
    stands = state == "succeeded" and task.has_effect
    return PastTask(
        planned=task.planned,
        state=state,
        code=_code(task) if state == "failed" else "",
        facts=_facts(workflow, task, action) if action is not None and state == "succeeded" else None,
        told=told_arguments(task.planned, told),
        amount=task.amount if task.do.phase is SUCCEEDED and not task.retired else None,
        is_bound=stands and task.terms.compensate is None,
    )


def _state_of(task: Task) -> PastState:
    if task.retired:
        return "given_up"
    if task.planned.calls is not None and task.do.phase is WAITING:
        return "failed"  # a list some of whose calls were made: its id, and theirs, are taken
    return _STATES.get(task.do.phase, "not_started")


def _facts(workflow: Workflow, task: Task, action: Action) -> Json:
    schema = {"items": action.output_schema} if task.planned.for_each else action.output_schema
    return facts_of(schema, output_of(workflow, task.planned.id))


_STATES: dict[Phase, PastState] = {
    SUCCEEDED: "succeeded",
    FAILED: "failed",
    UNRESOLVED: "unknown",
    SKIPPED: "skipped",
}


def _code(task: Task) -> str:
    """Return a failure's code where the catalogue or the house knows it: any other is an agent's own wording."""
    code = task.do.failure.code if task.do.failure is not None else ""
    return code if can_be_got_round(task.terms, code) else ""
