"""The fold: what each record changes in the state. Total: whatever is durable can be applied, for ever.

One function a record class, found by a table; a test proves that the table knows every class. Indexes (`grantable`,
`active`, `waiting`, `unfinished`, `broken`, `to_skip`) are kept here and nowhere else, by `_move`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import LOOKUP_SAFETY_MS
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.workflow import (
    FINAL_PHASES,
    GRANTABLE_PHASES,
    IN_FLIGHT_PHASES,
    Approval,
    Call,
    Clarification,
    Exchange,
    PendingOutcome,
    Phase,
    Planning,
    Status,
    Task,
    Workflow,
)
from jada_orchestrator.engine.money import committed_amount
from jada_orchestrator.engine.outcomes import outcome_content


def apply(workflow: Workflow, entry: Entry) -> None:
    """Fold one entry into the state. Entries come in order of `seq`; nothing is ever refused."""
    workflow.seq = entry.seq
    workflow.at = entry.at
    _APPLIERS[type(entry.record)](workflow, entry.record, entry.at)


# --- The one place where a call changes its phase ------------------------------------------------------------------


def _move(workflow: Workflow, task: Task, side: Side, phase: Phase) -> None:
    """Put a call into a phase, and keep every index true."""
    call = task.call(side)
    before, call.phase = call.phase, phase
    ref = (task.planned.id, side)
    for index, phases in (
        (workflow.grantable, GRANTABLE_PHASES),
        (workflow.active, IN_FLIGHT_PHASES),
        (workflow.waiting, _WAITING_PHASES),
    ):
        if phase in phases:
            index[ref] = None
        else:
            index.pop(ref, None)
    if side == "do" and (phase in FINAL_PHASES) is not (before in FINAL_PHASES):
        if phase in FINAL_PHASES:
            workflow.unfinished -= 1
            if not task.released:
                task.released = True
                _release_dependents(workflow, task)
        else:
            workflow.unfinished += 1


_WAITING_PHASES = frozenset({Phase.BACKING_OFF, Phase.LOST})


def _release_dependents(workflow: Workflow, task: Task) -> None:
    """Let the successors of a task that became final go, each on its own as soon as nothing else keeps it."""
    succeeded = task.do.phase is Phase.SUCCEEDED
    if not succeeded and not task.planned.optional:
        return  # a required task failed: `broken` says so, and nothing is started any more
    for dependent_id in workflow.dependents.get(task.planned.id, ()):
        dependent = workflow.tasks[dependent_id]
        if not succeeded and task.planned.id in dependent.planned.needs:
            if dependent.do.phase is Phase.WAITING:
                workflow.to_skip[dependent_id] = f"it reads what {task.planned.id} did not deliver"
            continue
        dependent.waits_for -= 1
        if dependent.waits_for == 0 and dependent.do.phase is Phase.WAITING and workflow.winding_up is None:
            _move(workflow, dependent, "do", Phase.READY)


# --- The life of a workflow ----------------------------------------------------------------------------------------


def _accepted(workflow: Workflow, record: r.WorkflowAccepted, at: UtcMs) -> None:
    workflow.request = record.request
    workflow.digest = record.digest
    workflow.message = record.message
    workflow.model = record.model
    workflow.catalogue_version = record.catalogue_version
    workflow.created_at = at
    workflow.status = Status.ACCEPTED


def _rejected(workflow: Workflow, record: r.WorkflowRejected, at: UtcMs) -> None:
    workflow.rejected_request_id = record.request_id or ""
    workflow.rejected_tenant = record.tenant
    workflow.rejected_reply_to = record.reply_to
    workflow.rejected_faults = record.faults
    workflow.message = record.message
    workflow.created_at = workflow.finished_at = at
    workflow.failure = Failure(record.code, "; ".join(str(fault) for fault in record.faults) or record.code)
    workflow.status = Status.REJECTED
    workflow.terminal = "rejected"


def _ended(workflow: Workflow, record: r.WorkflowEnded, at: UtcMs) -> None:
    workflow.status = Status(record.status)
    workflow.terminal = record.status
    workflow.failure = record.failure
    workflow.result = record.result
    workflow.finished_at = at
    workflow.planning.asking = False
    workflow.approval = None


def _cancel_requested(workflow: Workflow, record: r.CancelRequested, at: UtcMs) -> None:
    del record, at
    workflow.cancelled = True


def _quarantined(workflow: Workflow, record: r.Quarantined, at: UtcMs) -> None:
    del at
    workflow.quarantined = record.story


def _released(workflow: Workflow, record: r.Released, at: UtcMs) -> None:
    del record, at
    workflow.quarantined = None


# --- Planning ------------------------------------------------------------------------------------------------------


def _planning_started(workflow: Workflow, record: r.PlanningStarted, at: UtcMs) -> None:
    planning = workflow.planning
    if planning.call == 0 or workflow.terminal is not None:
        planning.since = at
    planning.call = record.call
    planning.asking = True
    workflow.status = Status.PLANNING


def _planner_answered(workflow: Workflow, record: r.PlannerAnswered, at: UtcMs) -> None:
    del at
    planning = workflow.planning
    planning.asking = False
    planning.waits = 0
    planning.last_answer = record.text
    workflow.usage = workflow.usage + record.usage


def _proposal_faulted(workflow: Workflow, record: r.ProposalFaulted, at: UtcMs) -> None:
    del at
    planning = workflow.planning
    planning.exchanges.append(Exchange(planning.last_answer, record.faults))
    planning.call = record.call
    planning.asking = True


def _planner_backed_off(workflow: Workflow, record: r.PlannerBackedOff, at: UtcMs) -> None:
    del at
    planning = workflow.planning
    planning.call = record.call
    planning.asking = False
    planning.until = record.until
    planning.waits += 1
    planning.failure = record.failure
    if record.kind == "bad_answer":
        planning.bad_answers += 1
    workflow.usage = workflow.usage + record.usage


def _planner_gave_up(workflow: Workflow, record: r.PlannerGaveUp, at: UtcMs) -> None:
    del at
    workflow.planning.asking = False
    workflow.planning.failure = record.failure
    workflow.usage = workflow.usage + record.usage


def _clarification_asked(workflow: Workflow, record: r.ClarificationAsked, at: UtcMs) -> None:
    del at
    workflow.planning.clarifications.append(Clarification(record.questions, record.expires_at))
    workflow.status = Status.NEEDS_CLARIFICATION


def _clarification_answered(workflow: Workflow, record: r.ClarificationAnswered, at: UtcMs) -> None:
    planning = workflow.planning
    planning.clarifications[-1].answer = record.answer
    planning.exchanges.clear()  # what was wrong with plans made in ignorance is of no use to the next one
    planning.since = at
    planning.call = record.call
    planning.asking = True
    workflow.status = Status.PLANNING


def _plan_adopted(workflow: Workflow, record: r.PlanAdopted, at: UtcMs) -> None:
    del at
    kept = workflow.tasks
    workflow.plan = record.plan
    workflow.revision = record.revision
    workflow.status = Status.RUNNING
    workflow.planning = Planning(call=workflow.planning.call, clarifications=workflow.planning.clarifications)
    _lay_out(workflow, record.plan, {t.id: kept[t.id] for t in record.plan.tasks if t.id in kept and kept[t.id].planned == t})


def _lay_out(workflow: Workflow, plan: Plan, kept: dict[TaskId, Task]) -> None:
    """Make the tasks of a plan, but for those that are kept, and let those go that wait for nothing."""
    workflow.tasks = {}
    workflow.dependents = {}
    workflow.grantable.clear()
    workflow.waiting.clear()
    workflow.active.clear()
    workflow.to_skip.clear()
    workflow.unfinished = 0
    for planned in plan.tasks:
        task = kept.get(planned.id) or Task(planned, plan.terms_of(planned), 0)
        workflow.tasks[planned.id] = task
        for before in planned.after:
            workflow.dependents.setdefault(before, []).append(planned.id)
    for task in workflow.tasks.values():
        task.waits_for = sum(_holds_back(workflow.tasks[before]) for before in task.planned.after)
        if task.do.phase not in FINAL_PHASES:
            workflow.unfinished += 1
            if task.do.phase is Phase.WAITING and task.waits_for == 0:
                _move(workflow, task, "do", Phase.READY)
            else:
                _move(workflow, task, "do", task.do.phase)


def _holds_back(task: Task) -> bool:
    return not (task.do.phase is Phase.SUCCEEDED or (task.planned.optional and task.do.phase in FINAL_PHASES))


# --- Attempts ------------------------------------------------------------------------------------------------------


def _attempt_started(workflow: Workflow, record: r.AttemptStarted, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    call = task.call(record.side)
    call.deadline = record.deadline
    if record.purpose == "lookup":
        call.lookups = record.number
        _move(workflow, task, record.side, Phase.LOOKING_UP)
        return
    call.attempts = record.number
    if record.input is not None:
        call.input = record.input
        if record.side == "do":
            task.amount = committed_amount(task, record.input)
    _move(workflow, task, record.side, Phase.CALLING)


def _task_backed_off(workflow: Workflow, record: r.TaskBackedOff, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    call = task.call(record.side)
    call.until, call.failure = record.until, record.failure
    if not record.counted:
        call.refusals += 1
    _move(workflow, task, record.side, _wait_for(record.purpose))


def _attempt_lost(workflow: Workflow, record: r.AttemptLost, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    call = task.call(record.side)
    call.maybe = True
    call.settled_by = UtcMs(max(call.settled_by, call.deadline + LOOKUP_SAFETY_MS))
    call.until, call.failure = record.until, record.failure
    _move(workflow, task, record.side, _wait_for(record.then))


def _lookup_ended(workflow: Workflow, record: r.LookupEnded, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    call = task.call(record.side)
    call.until, call.failure = record.until, record.failure
    if record.cleared:
        call.maybe = False
    _move(workflow, task, record.side, _wait_for(record.then))


def _wait_for(purpose: Purpose) -> Phase:
    return Phase.LOST if purpose == "lookup" else Phase.BACKING_OFF


def _call_due(workflow: Workflow, record: r.CallDue, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    lost = task.call(record.side).phase is Phase.LOST
    _move(workflow, task, record.side, Phase.LOOKUP_READY if lost else Phase.READY)


def _task_succeeded(workflow: Workflow, record: r.TaskSucceeded, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    task.output = record.output
    task.do.maybe = False
    if record.usage is not None:
        workflow.usage = workflow.usage + record.usage
    _move(workflow, task, "do", Phase.SUCCEEDED)


def _task_failed(workflow: Workflow, record: r.TaskFailed, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    task.do.maybe = False
    task.amount = None
    if record.usage is not None:
        workflow.usage = workflow.usage + record.usage
    _fail(workflow, task, Phase.FAILED, record.failure)


def _task_unresolved(workflow: Workflow, record: r.TaskUnresolved, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    task.do.maybe = True
    task.do.settled_by = UtcMs(max(task.do.settled_by, task.do.deadline + LOOKUP_SAFETY_MS))
    _fail(workflow, task, Phase.UNRESOLVED, record.failure)


def _fail(workflow: Workflow, task: Task, phase: Phase, failure: Failure) -> None:
    task.do.failure = failure
    if not task.planned.optional and workflow.winding_up is None and workflow.broken is None:
        workflow.broken = Failure(failure.code, f"{task.planned.id} ({task.planned.action}): {failure.message}")
    _move(workflow, task, "do", phase)


def _task_skipped(workflow: Workflow, record: r.TaskSkipped, at: UtcMs) -> None:
    del at
    workflow.to_skip.pop(record.task_id, None)
    task = workflow.tasks[record.task_id]
    task.do.failure = Failure("SKIPPED", record.reason)
    _move(workflow, task, "do", Phase.SKIPPED)


# --- Undoing -------------------------------------------------------------------------------------------------------


def _compensation_started(workflow: Workflow, record: r.CompensationStarted, at: UtcMs) -> None:
    del at
    workflow.winding_up = record.failure
    workflow.cancelled = workflow.cancelled or record.cancelled
    workflow.broken = None
    workflow.approval = None
    workflow.status = Status.COMPENSATING
    workflow.to_skip.clear()
    for task in workflow.tasks.values():
        phase = _phase_when_winding_up(task)
        if phase is not task.do.phase:
            _move(workflow, task, "do", phase)


def _phase_when_winding_up(task: Task) -> Phase:
    """Return where a forward call goes when nothing new is started: what may have an effect is seen to its end."""
    phase = task.do.phase
    if phase in {Phase.WAITING, Phase.READY, Phase.BACKING_OFF}:
        if task.do.maybe:
            return Phase.UNRESOLVED
        return Phase.SKIPPED if task.do.attempts == 0 else Phase.FAILED
    if phase is Phase.CALLING and task.terms.effect is Effect.READ:
        return Phase.SKIPPED
    return phase


def _undo_started(workflow: Workflow, record: r.UndoStarted, at: UtcMs) -> None:
    task = workflow.tasks[record.task_id]
    task.undoing = True
    if task.do.phase is Phase.UNRESOLVED and task.terms.lookup is not None:
        task.do.lookups = 0
        task.do.until = at
        _move(workflow, task, "do", Phase.LOST)
    else:
        _move(workflow, task, "undo", Phase.READY)


def _task_compensated(workflow: Workflow, record: r.TaskCompensated, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    task.amount = None
    task.do.maybe = False
    task.undo.maybe = False
    _move(workflow, task, "undo", Phase.SUCCEEDED)


def _task_stands(workflow: Workflow, record: r.TaskStands, at: UtcMs) -> None:
    del at
    task = workflow.tasks[record.task_id]
    task.stands = record.failure
    if task.do.phase not in FINAL_PHASES:
        _move(workflow, task, "do", Phase.UNRESOLVED)
    _move(workflow, task, "undo", Phase.UNRESOLVED if task.undo.maybe else Phase.FAILED)


# --- People --------------------------------------------------------------------------------------------------------


def _approval_requested(workflow: Workflow, record: r.ApprovalRequested, at: UtcMs) -> None:
    del at
    workflow.approval = Approval(Money.parse(record.amount), record.task_id, record.expires_at)
    workflow.status = Status.AWAITING_APPROVAL


def _approval_decided(workflow: Workflow, record: r.ApprovalDecided, at: UtcMs) -> None:
    del at
    if workflow.approval is not None and record.granted:
        workflow.approved_up_to = workflow.approval.amount
    workflow.approval = None
    workflow.status = Status.RUNNING


def _retry_started(workflow: Workflow, record: r.RetryStarted, at: UtcMs) -> None:
    workflow.terminal = None
    workflow.finished_at = None
    workflow.failure = workflow.winding_up = workflow.broken = None
    workflow.cancelled = False
    if workflow.plan is None:
        call = workflow.planning.call + 1
        workflow.planning = Planning(call=call, asking=True, since=at, clarifications=workflow.planning.clarifications)
        workflow.status = Status.PLANNING
        return
    kept: dict[TaskId, Task] = {}
    planned: list[PlannedTask] = []
    for task in workflow.tasks.values():
        if task.do.phase is Phase.SUCCEEDED and task.undo.phase is not Phase.SUCCEEDED:
            task.stands, task.undo, task.undoing = None, Call(), False
            kept[task.planned.id] = task
            planned.append(task.planned)
        elif task.do.maybe:
            kept[task.planned.id] = _once_more(task)
            planned.append(task.planned)
        else:
            planned.append(replace(task.planned, revision=record.revision))
    workflow.plan = replace(workflow.plan, tasks=tuple(planned))
    workflow.revision = record.revision
    workflow.status = Status.RUNNING
    _lay_out(workflow, workflow.plan, kept)


def _once_more(task: Task) -> Task:
    """Return a task whose fate is unknown, to be called again: same key, same input, so that it does not do it twice."""
    do = task.do
    again = Call(
        attempts=do.attempts, refusals=do.attempts, input=do.input, maybe=True, settled_by=do.settled_by, failure=do.failure
    )
    return Task(task.planned, task.terms, 0, do=again, amount=task.amount)


# --- Telling the frontend ------------------------------------------------------------------------------------------


def _outcome_decided(workflow: Workflow, record: r.OutcomeDecided, at: UtcMs) -> None:
    content = outcome_content(workflow, record.type)
    workflow.outcomes.append(PendingOutcome(record.outcome_id, record.type, at, content))


def _outcome_delivered(workflow: Workflow, record: r.OutcomeDelivered, at: UtcMs) -> None:
    del at
    for outcome in workflow.outcomes:
        if outcome.outcome_id == record.outcome_id:
            outcome.delivered = True


def _outcome_reopened(workflow: Workflow, record: r.OutcomeReopened, at: UtcMs) -> None:
    del at
    for outcome in workflow.outcomes:
        if outcome.outcome_id == record.outcome_id:
            outcome.delivered = False


def _dead_letter_decided(workflow: Workflow, record: r.DeadLetterDecided, at: UtcMs) -> None:
    del at
    workflow.dead_letter = "wanted"
    workflow.dead_letter_failure = record.failure


def _dead_letter_delivered(workflow: Workflow, record: r.DeadLetterDelivered, at: UtcMs) -> None:
    del record, at
    workflow.dead_letter = "delivered"


_APPLIERS: dict[type, Callable[[Workflow, Any, UtcMs], None]] = {
    r.WorkflowAccepted: _accepted,
    r.WorkflowRejected: _rejected,
    r.PlanningStarted: _planning_started,
    r.PlannerAnswered: _planner_answered,
    r.ProposalFaulted: _proposal_faulted,
    r.PlannerBackedOff: _planner_backed_off,
    r.PlannerGaveUp: _planner_gave_up,
    r.PlanAdopted: _plan_adopted,
    r.ClarificationAsked: _clarification_asked,
    r.ClarificationAnswered: _clarification_answered,
    r.AttemptStarted: _attempt_started,
    r.TaskBackedOff: _task_backed_off,
    r.AttemptLost: _attempt_lost,
    r.LookupEnded: _lookup_ended,
    r.CallDue: _call_due,
    r.TaskSucceeded: _task_succeeded,
    r.TaskFailed: _task_failed,
    r.TaskUnresolved: _task_unresolved,
    r.TaskSkipped: _task_skipped,
    r.CompensationStarted: _compensation_started,
    r.UndoStarted: _undo_started,
    r.TaskCompensated: _task_compensated,
    r.TaskStands: _task_stands,
    r.CancelRequested: _cancel_requested,
    r.ApprovalRequested: _approval_requested,
    r.ApprovalDecided: _approval_decided,
    r.RetryStarted: _retry_started,
    r.Quarantined: _quarantined,
    r.Released: _released,
    r.OutcomeDecided: _outcome_decided,
    r.OutcomeDelivered: _outcome_delivered,
    r.OutcomeReopened: _outcome_reopened,
    r.DeadLetterDecided: _dead_letter_decided,
    r.DeadLetterDelivered: _dead_letter_delivered,
    r.WorkflowEnded: _ended,
}
