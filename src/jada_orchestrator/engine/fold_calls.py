"""How records change calls and tasks: the one place where a call moves, and every index with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeVar

from msgspec import structs

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.head_start import FirstDispatch
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import LOOKUP_SAFETY_MS
from jada_orchestrator.domain.members import (
    AWAITING,
    AWAITING_APPROVAL,
    BACKING_OFF,
    CALLING,
    COMPENSATING,
    FAILED,
    LOOKING_UP,
    LOOKUP_READY,
    LOST,
    READ,
    READY,
    RESERVE,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    UNRESOLVED,
    WAITING,
)
from jada_orchestrator.domain.plan import Plan
from jada_orchestrator.domain.workflow import (
    FINAL_PHASES,
    GRANTABLE_PHASES,
    IN_FLIGHT_PHASES,
    NOT_CALLED,
    NOTHING,
    Call,
    Phase,
    Task,
    Workflow,
    call_ref,
)
from jada_orchestrator.engine.branches import as_called_now, delivers, lets_others_go, stand_in_for
from jada_orchestrator.engine.holds import expiry_of
from jada_orchestrator.engine.house import is_house, open_approvals
from jada_orchestrator.engine.money import committed_amount
from jada_orchestrator.engine.retry import learns_by_repeating
from jada_orchestrator.engine.revising import is_dear

_T = TypeVar("_T")

# --- The one place where a call changes its phase ---------------------------------------------------------------------


def move(workflow: Workflow, task: Task, side: Side, phase: Phase) -> None:
    """Put a call into a phase, and keep every index true."""
    call = task.own_call(side)
    before, call.phase = call.phase, phase
    ref = call_ref(task.planned.id, side)
    left, entered = _INDEX_OF.get(before), _INDEX_OF.get(phase)
    if left is not None and left is not entered:
        index = getattr(workflow, left)
        if ref in index:
            del index[ref]
            if not index:
                setattr(workflow, left, NOTHING)  # or it keeps its memory for as long as the workflow waits
    if entered is not None:
        index = getattr(workflow, entered)
        if index is NOTHING:
            setattr(workflow, entered, {ref: None})
        else:
            index[ref] = None
    if side == "do" and (phase in FINAL_PHASES) is not (before in FINAL_PHASES):
        if phase in FINAL_PHASES:
            workflow.unfinished -= 1
            if phase is not SUCCEEDED:
                task.output_text = task.expires_at = None  # of what was given back, and not reserved anew
            if not task.released:
                task.released = True
                _release_dependents(workflow, task)
        else:
            workflow.unfinished += 1


_INDEX_OF: Final[dict[Phase, Literal["grantable", "active", "waiting"]]] = {
    **dict.fromkeys(GRANTABLE_PHASES, "grantable"),
    **dict.fromkeys(IN_FLIGHT_PHASES, "active"),
    **dict.fromkeys((BACKING_OFF, LOST, AWAITING), "waiting"),
}
"""In which index a call is in a phase; in the other phases it is in none."""


def without(found: tuple[_T, ...], gone: _T) -> tuple[_T, ...]:
    """Return all but one, whether or not that is among them."""
    return tuple([each for each in found if each != gone])


def _release_dependents(workflow: Workflow, task: Task) -> None:
    """Let the successors of a task that became final go, each on its own as soon as nothing else keeps it."""
    if not lets_others_go(workflow, task):
        return  # a required task failed: `broken` says so, and nothing is started any more
    for dependent_id in workflow.dependents.get(task.planned.id, ()):
        dependent = workflow.tasks[dependent_id]
        dependent.waits_for -= 1
        if dependent.waits_for == 0 and dependent.do.phase is WAITING and workflow.winding_up is None:
            become_due(workflow, dependent)


def become_due(workflow: Workflow, task: Task) -> None:
    """Let a task go for which all is over that it comes after; or note what has to be decided of it first."""
    planned = task.planned
    lacking = next((name for name in planned.needs if not delivers(workflow, workflow.tasks[name])), None)
    if lacking is not None:
        workflow.to_skip = {**workflow.to_skip, planned.id: f"it reads what {lacking} did not deliver"}
    elif planned.calls is not None or (planned.is_decided and not task.decided):
        if planned.id not in workflow.to_decide:
            workflow.to_decide = (*workflow.to_decide, planned.id)
    else:
        move(workflow, task, "do", READY)


# --- Attempts ---------------------------------------------------------------------------------------------------------


def attempt_started(workflow: Workflow, record: r.AttemptStarted, at: UtcMs) -> None:
    """Fold `AttemptStarted`."""
    if workflow.first_dispatch is None:
        workflow.first_dispatch = FirstDispatch(at, workflow.seq)
    task = workflow.tasks[record.task_id]
    call = task.call(record.side)
    call.deadline = record.deadline
    if record.purpose == "lookup":
        call.lookups = record.number
        move(workflow, task, record.side, LOOKING_UP)
        return
    call.attempts = record.number
    if record.input is not None:
        call.input_text = record.input.text
        if record.side == "do":
            task.amount = committed_amount(task, record.input)
            if not isinstance(planned := as_called_now(workflow, task.planned), tuple):
                task.planned = planned
    move(workflow, task, record.side, CALLING)


def await_started(workflow: Workflow, record: r.AwaitStarted, at: UtcMs) -> None:
    """Fold `AwaitStarted`."""
    del at
    task = workflow.tasks[record.task_id]
    call = task.own_call("do")
    call.input_text, call.until, call.attempts = packed(record.input).text, record.until, call.attempts + 1
    move(workflow, task, "do", AWAITING)
    look_for_askers(workflow)


def look_for_askers(workflow: Workflow) -> None:
    """Let the status say whether a person is waited for, while the plan runs."""
    if workflow.status in {RUNNING, AWAITING_APPROVAL}:
        asked = workflow.approval is not None or workflow.undo_question is not None or bool(open_approvals(workflow))
        workflow.status = AWAITING_APPROVAL if asked else RUNNING


def task_backed_off(workflow: Workflow, record: r.TaskBackedOff, at: UtcMs) -> None:
    """Fold `TaskBackedOff`."""
    task = workflow.tasks[record.task_id]
    call = task.call(record.side)
    call.until = record.until
    call.trouble = call.trouble.told(record.failure, counted=record.counted)
    move(workflow, task, record.side, _wait_for(record.purpose, record.until, at))


def attempt_lost(workflow: Workflow, record: r.AttemptLost, at: UtcMs) -> None:
    """Fold `AttemptLost`."""
    task = workflow.tasks[record.task_id]
    call = task.call(record.side)
    call.until = record.until
    settled_by = UtcMs(call.deadline + LOOKUP_SAFETY_MS)
    call.trouble = call.trouble.lost(settled_by, record.failure, counted=record.counted)
    move(workflow, task, record.side, _wait_for(record.then, record.until, at))


def lookup_ended(workflow: Workflow, record: r.LookupEnded, at: UtcMs) -> None:
    """Fold `LookupEnded`."""
    task = workflow.tasks[record.task_id]
    call = task.call(record.side)
    call.until, call.failure = record.until, record.failure
    if record.cleared:
        call.maybe = False
    if not record.counted:
        call.lookups_before += 1
    move(workflow, task, record.side, _wait_for(record.then, record.until, at))


def _wait_for(purpose: Purpose, until: UtcMs, at: UtcMs) -> Phase:
    """Return where a call waits; a wait that is over as it begins is none."""
    if until <= at:
        return LOOKUP_READY if purpose == "lookup" else READY
    return LOST if purpose == "lookup" else BACKING_OFF


_ASKS = frozenset({LOST, LOOKUP_READY})


def call_due(workflow: Workflow, record: r.CallDue, at: UtcMs) -> None:
    """Fold `CallDue`."""
    del at
    task = workflow.tasks[record.task_id]
    lost = task.call(record.side).phase in _ASKS
    move(workflow, task, record.side, LOOKUP_READY if lost else READY)


def task_succeeded(workflow: Workflow, record: r.TaskSucceeded, at: UtcMs) -> None:
    """Fold `TaskSucceeded`."""
    del at
    task = workflow.tasks[record.task_id]
    task.output_text = record.output.text
    task.expires_at = expiry_of(record.output) if task.terms.effect is RESERVE else None
    if task.aftermath.refreshing:
        task.refreshing = False
    call = task.own_call("do")
    if call.trouble.maybe:
        call.maybe = False
    if record.usage is not None:
        workflow.usage = workflow.usage + record.usage
    move(workflow, task, "do", SUCCEEDED)
    if is_house(task):
        look_for_askers(workflow)


def task_failed(workflow: Workflow, record: r.TaskFailed, at: UtcMs) -> None:
    """Fold `TaskFailed`."""
    del at
    task = workflow.tasks[record.task_id]
    workflow.to_decide = without(workflow.to_decide, record.task_id)
    task.own_call("do").maybe = False
    task.amount = None
    if record.usage is not None:
        workflow.usage = workflow.usage + record.usage
    _fail(workflow, task, FAILED, record.failure)


def task_unresolved(workflow: Workflow, record: r.TaskUnresolved, at: UtcMs) -> None:
    """Fold `TaskUnresolved`."""
    del at
    task = workflow.tasks[record.task_id]
    task.own_call("do").maybe = True
    task.do.settled_by = UtcMs(max(task.do.settled_by, task.do.deadline + LOOKUP_SAFETY_MS))
    _fail(workflow, task, UNRESOLVED, record.failure)


def _fail(workflow: Workflow, task: Task, phase: Phase, failure: Failure) -> None:
    task.own_call("do").failure = failure
    stood_in = phase is FAILED and stand_in_for(workflow, task, failure.code) is not None
    foreseen = workflow.plan is None  # then no booking fails by it: the plan's own task begins afresh
    spared = foreseen or stood_in or task.planned.optional or task.retired
    if not spared and workflow.winding_up is None:
        workflow.breaking = (*workflow.breaking, task.planned.id)
        if workflow.broken is None:
            workflow.broken = Failure(failure.code, f"{task.planned.id} ({task.planned.action}): {failure.message}")
    move(workflow, task, "do", phase)
    if is_house(task):
        look_for_askers(workflow)


def task_skipped(workflow: Workflow, record: r.TaskSkipped, at: UtcMs) -> None:
    """Fold `TaskSkipped`."""
    del at
    if record.task_id in workflow.to_skip:
        left = {task_id: why for task_id, why in workflow.to_skip.items() if task_id != record.task_id}
        workflow.to_skip = left or NOTHING
    else:
        workflow.tasks[record.task_id].decided = True  # its own condition, and not what it lacks
    workflow.to_decide = without(workflow.to_decide, record.task_id)
    task = workflow.tasks[record.task_id]
    task.own_call("do").failure = Failure("SKIPPED", record.reason)
    # One that an operator had called again may still have its earlier effect: that is seen to before the end.
    move(workflow, task, "do", UNRESOLVED if task.do.maybe else SKIPPED)


# --- Undoing ----------------------------------------------------------------------------------------------------------


def compensation_started(workflow: Workflow, record: r.CompensationStarted, at: UtcMs) -> None:
    """Fold `CompensationStarted`."""
    del at
    workflow.winding_up = record.failure
    workflow.cancelled = workflow.cancelled or record.cancelled
    workflow.broken = workflow.revising = None
    workflow.breaking = ()
    workflow.planning.asking = False
    workflow.approval = workflow.undo_question = None
    workflow.status = COMPENSATING
    workflow.to_skip = NOTHING
    workflow.to_decide = ()
    for task in workflow.tasks.values():
        phase = _phase_when_winding_up(task)
        if phase is not task.do.phase:
            move(workflow, task, "do", phase)


def _phase_when_winding_up(task: Task) -> Phase:
    """Return where a forward call goes when nothing new is started: what may have an effect is seen to its end."""
    phase = task.do.phase
    if phase is AWAITING:
        return SKIPPED
    if phase in {WAITING, READY, BACKING_OFF}:
        if task.do.maybe:
            return UNRESOLVED
        return SKIPPED if task.do.attempts == 0 else FAILED
    if phase is CALLING and task.terms.effect is READ:
        return SKIPPED
    return phase


def undo_started(workflow: Workflow, record: r.UndoStarted, at: UtcMs) -> None:
    """Fold `UndoStarted`: undo what is certain; find out first about what is not."""
    task = workflow.tasks[record.task_id]
    task.undoing = True
    if task.do.phase is not UNRESOLVED:
        move(workflow, task, "undo", READY)
    elif task.terms.lookup is not None:
        task.do.begin_anew()
        task.do.until = at
        move(workflow, task, "do", LOST)
    elif learns_by_repeating(task):
        task.do.begin_anew()
        task.do.until = at
        move(workflow, task, "do", BACKING_OFF)
    else:
        # Not before the lost call can no longer be on its way.
        task.own_call("undo").until = UtcMs(max(at, task.do.settled_by))
        move(workflow, task, "undo", BACKING_OFF)


def refresh_started(workflow: Workflow, record: r.RefreshStarted, at: UtcMs) -> None:
    """Fold `RefreshStarted`: give back what ran out; whoever was about to use it waits until it is there anew."""
    del at
    workflow.revision = record.revision
    task = workflow.tasks[record.task_id]
    task.refreshing = task.undoing = True
    task.refreshes += 1
    task.released = False
    for dependent_id in workflow.dependents.get(record.task_id, ()):
        dependent = workflow.tasks[dependent_id]
        waits = dependent.do.phase is WAITING  # also one that was called before a retry
        if waits or (dependent.do.phase is READY and dependent.do.attempts == 0):
            dependent.waits_for += 1
            if not waits:
                move(workflow, dependent, "do", WAITING)
    move(workflow, task, "undo", READY)


def _reserve_anew(workflow: Workflow, task: Task) -> None:
    """Let a task that was given back be done once more, under a new key, as a new revision of the plan."""
    task.planned = structs.replace(task.planned, revision=workflow.revision)
    move(workflow, task, "undo", WAITING)
    task.undo = NOT_CALLED
    task.undoing = False
    move(workflow, task, "do", READY)
    task.do = Call(phase=READY)


def task_compensated(workflow: Workflow, record: r.TaskCompensated, at: UtcMs) -> None:
    """Fold `TaskCompensated`."""
    del at
    task = workflow.tasks[record.task_id]
    task.amount = None
    task.do.maybe = False
    task.undo.maybe = False
    move(workflow, task, "undo", SUCCEEDED)
    if task.refreshing and workflow.winding_up is None:
        _reserve_anew(workflow, task)


def task_kept(workflow: Workflow, record: r.TaskKept, at: UtcMs) -> None:
    """Fold `TaskKept`."""
    del at
    workflow.tasks[record.task_id].kept = True


def task_stands(workflow: Workflow, record: r.TaskStands, at: UtcMs) -> None:
    """Fold `TaskStands`."""
    del at
    task = workflow.tasks[record.task_id]
    task.stands = record.failure
    if task.do.phase not in FINAL_PHASES:
        move(workflow, task, "do", UNRESOLVED)
    move(workflow, task, "undo", UNRESOLVED if task.undo.maybe else FAILED)
    if (task.refreshing or is_dear(task)) and workflow.winding_up is None:
        workflow.broken = record.failure


# --- Laying out a plan ------------------------------------------------------------------------------------------
def lay_out(workflow: Workflow, plan: Plan, kept: dict[TaskId, Task]) -> None:
    """Make the tasks of a plan, but for those that are kept, and let those go that wait for nothing.

    What the plan gives up of an earlier one is among those kept: its undoing goes on.
    """
    workflow.tasks = {}
    workflow.dependents = _dependents(plan)
    workflow.grantable = workflow.waiting = workflow.active = NOTHING
    workflow.to_skip = NOTHING
    workflow.to_decide = ()
    workflow.unfinished = 0
    terms = plan.terms
    for planned in plan.everything:
        workflow.tasks[planned.id] = kept.get(planned.id) or Task(planned, terms[planned.action], 0)
    for planned in plan.retired:
        task = workflow.tasks[planned.id]
        task.retired = True
        if task.do.phase is WAITING:  # a list some of whose calls were made
            task.own_call("do").phase = SKIPPED
    for task in workflow.tasks.values():
        if task.undo.phase is not WAITING:
            move(workflow, task, "undo", task.undo.phase)
        after = task.planned.after
        if kept or plan.retired:
            task.waits_for = sum(_holds_back(workflow, workflow.tasks[before]) for before in after)
        else:
            task.waits_for = len(after)  # as nothing has begun, all of them hold it back
        if task.do.phase not in FINAL_PHASES:
            workflow.unfinished += 1
            if task.do.phase is not WAITING:
                move(workflow, task, "do", task.do.phase)
            elif task.waits_for == 0:
                become_due(workflow, task)


def _holds_back(workflow: Workflow, task: Task) -> bool:
    """Tell whether those after a task wait for it: what is being reserved anew lets them go once it is there again."""
    return task.refreshing or not lets_others_go(workflow, task)


def _dependents(plan: Plan) -> Mapping[TaskId, tuple[TaskId, ...]]:
    """Return who comes right after each task; one answer for all plans of the same graph, which nobody changes."""
    graph = tuple((planned.id, planned.after) for planned in plan.everything)
    known = _GRAPHS.get(graph)
    if known is None:
        found: dict[TaskId, list[TaskId]] = {}
        for planned in plan.everything:
            for before in planned.after:
                found.setdefault(before, []).append(planned.id)
        if len(_GRAPHS) >= _GRAPHS_MAX:
            _GRAPHS.clear()
        known = _GRAPHS[graph] = {before: tuple(after) for before, after in found.items()}
    return known


_GRAPHS_MAX: Final = 256
_GRAPHS: Final[dict[tuple[tuple[TaskId, tuple[TaskId, ...]], ...], Mapping[TaskId, tuple[TaskId, ...]]]] = {}
