"""How records change a workflow as a whole: its life, its planning, its people, and what its frontend is told."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.plan import PlannedTask
from jada_orchestrator.domain.template import TEMPLATE_MODEL
from jada_orchestrator.domain.workflow import (
    NOT_CALLED,
    NOTHING,
    Approval,
    Call,
    Clarification,
    Exchange,
    PendingOutcome,
    Phase,
    Planning,
    Revising,
    Status,
    Task,
    UndoQuestion,
    Workflow,
)
from jada_orchestrator.engine.fold_branches import calls_to_forget, staying, without_calls
from jada_orchestrator.engine.fold_calls import lay_out, look_for_askers
from jada_orchestrator.engine.fold_foreseen import drop_foreseen, head_start
from jada_orchestrator.engine.outcomes import outcome_content

# --- The life of a workflow ----------------------------------------------------------------------------------------


def accepted(workflow: Workflow, record: r.WorkflowAccepted, at: UtcMs) -> None:
    """Fold `WorkflowAccepted`."""
    workflow.request = record.request
    workflow.digest = record.digest
    workflow.model = record.model
    workflow.models = record.models
    workflow.catalogue_version = record.catalogue_version
    workflow.created_at = at
    workflow.status = Status.ACCEPTED


def rejected(workflow: Workflow, record: r.WorkflowRejected, at: UtcMs) -> None:
    """Fold `WorkflowRejected`."""
    workflow.rejected_request_id = record.request_id or ""
    workflow.rejected_tenant = record.tenant
    workflow.rejected_reply_to = record.reply_to
    workflow.rejected_faults = record.faults
    workflow.created_at = workflow.finished_at = at
    workflow.failure = Failure(record.code, "; ".join(str(fault) for fault in record.faults) or record.code)
    workflow.status = Status.REJECTED
    workflow.terminal = "rejected"


def ended(workflow: Workflow, record: r.WorkflowEnded, at: UtcMs) -> None:
    """Fold `WorkflowEnded`."""
    workflow.status = Status(record.status)
    workflow.terminal = record.status
    workflow.failure = record.failure
    workflow.result = record.result
    workflow.finished_at = at
    workflow.planning.asking = False
    workflow.approval = workflow.undo_question = workflow.revising = None
    drop_foreseen(workflow)


def cancel_requested(workflow: Workflow, record: r.CancelRequested, at: UtcMs) -> None:
    """Fold `CancelRequested`."""
    del record, at
    workflow.cancelled = True


def quarantined(workflow: Workflow, record: r.Quarantined, at: UtcMs) -> None:
    """Fold `Quarantined`."""
    del at
    workflow.quarantined = record.story


def released(workflow: Workflow, record: r.Released, at: UtcMs) -> None:
    """Fold `Released`."""
    del record, at
    workflow.quarantined = None


def retired(workflow: Workflow, record: r.WorkflowRetired, at: UtcMs) -> None:
    """Fold `WorkflowRetired`: all that is known of it now. Its outcome was told, and can be told again."""
    del at
    workflow.retired = record
    workflow.rejected_request_id = record.request_id
    workflow.rejected_tenant = record.tenant
    workflow.rejected_reply_to = record.reply_to
    workflow.digest = record.digest
    workflow.model = record.model
    workflow.by_template = record.by_template
    workflow.revision = record.revision
    workflow.usage = record.usage
    workflow.created_at = record.created_at
    workflow.finished_at = record.finished_at
    workflow.status = Status(record.status)
    workflow.terminal = record.status
    why = "it was retired: its records are deleted, and of the reason this code alone is kept"
    workflow.failure = None if record.error_code is None else Failure(record.error_code, why)
    if record.status == "completed":
        workflow.result = {"omitted": "it was retired: its records are deleted, and its result with them"}
    if record.outcome_id is not None:
        content = outcome_content(workflow, record.status)
        told = PendingOutcome(record.outcome_id, record.status, record.outcome_at, content, delivered=True)
        workflow.outcomes = (*workflow.outcomes, told)


# --- Planning ----------------------------------------------------------------------------------------------------


def planning_started(workflow: Workflow, record: r.PlanningStarted, at: UtcMs) -> None:
    """Fold `PlanningStarted`."""
    planning = workflow.planning
    if planning.call == 0 or planning.since == 0 or workflow.terminal is not None:
        planning.since = at
    planning.call = record.call
    planning.asking = True
    workflow.status = Status.PLANNING


def planner_answered(workflow: Workflow, record: r.PlannerAnswered, at: UtcMs) -> None:
    """Fold `PlannerAnswered`."""
    del at
    planning = workflow.planning
    planning.asking = False
    planning.waits = 0
    planning.last_answer = record.text
    planning.answer_ms = record.latency_ms
    workflow.by_template = record.model == TEMPLATE_MODEL
    workflow.usage = workflow.usage + record.usage


def proposal_faulted(workflow: Workflow, record: r.ProposalFaulted, at: UtcMs) -> None:
    """Fold `ProposalFaulted`."""
    del at
    planning = workflow.planning
    planning.exchanges = (*planning.exchanges, Exchange(planning.last_answer, record.faults))
    planning.call = record.call
    planning.asking = True


def planner_backed_off(workflow: Workflow, record: r.PlannerBackedOff, at: UtcMs) -> None:
    """Fold `PlannerBackedOff`."""
    del at
    planning = workflow.planning
    planning.call = record.call
    planning.asking = False
    planning.until = record.until
    planning.waits += 1
    planning.failure = record.failure
    if record.kind == "bad_answer":
        planning.bad_answers += 1
    if record.usage.total_input_tokens:
        planning.billed_failures += 1
    workflow.usage = workflow.usage + record.usage


def planner_gave_up(workflow: Workflow, record: r.PlannerGaveUp, at: UtcMs) -> None:
    """Fold `PlannerGaveUp`."""
    del at
    workflow.planning.asking = False
    workflow.planning.failure = record.failure
    workflow.usage = workflow.usage + record.usage


def choice_answered(workflow: Workflow, record: r.ChoiceAnswered, at: UtcMs) -> None:
    """Fold `ChoiceAnswered`."""
    del at
    workflow.usage = workflow.usage + record.usage


def model_raised(workflow: Workflow, record: r.ModelRaised, at: UtcMs) -> None:
    """Fold `ModelRaised`."""
    del at
    workflow.model = record.model
    planning = workflow.planning
    planning.call = record.call
    planning.asking = True
    planning.waits = planning.bad_answers = 0
    if record.reason == "refusal":
        planning.exchanges = ()


def clarification_asked(workflow: Workflow, record: r.ClarificationAsked, at: UtcMs) -> None:
    """Fold `ClarificationAsked`."""
    del at
    asked = Clarification(record.questions, record.expires_at)
    workflow.planning.clarifications = (*workflow.planning.clarifications, asked)
    drop_foreseen(workflow)
    workflow.status = Status.NEEDS_CLARIFICATION


def clarification_answered(workflow: Workflow, record: r.ClarificationAnswered, at: UtcMs) -> None:
    """Fold `ClarificationAnswered`."""
    planning = workflow.planning
    planning.clarifications[-1].answer = record.answer
    planning.exchanges = ()  # what was wrong with plans made in ignorance is of no use to the next one
    planning.since = at
    planning.call = record.call
    planning.asking = True
    workflow.status = Status.PLANNING


def plan_adopted(workflow: Workflow, record: r.PlanAdopted, at: UtcMs) -> None:
    """Fold `PlanAdopted`."""
    if workflow.plan is None:
        workflow.head_start = head_start(workflow, at)
    before = workflow.tasks
    workflow.plan = record.plan
    workflow.revision = record.revision
    workflow.status = Status.RUNNING
    workflow.planning = Planning(call=workflow.planning.call, clarifications=workflow.planning.clarifications)
    workflow.broken = workflow.revising = None
    workflow.breaking = ()
    workflow.foreseen = NOTHING
    kept: dict[TaskId, Task] = {}
    for planned in record.plan.everything if before else ():
        task = before.get(planned.id)
        if task is not None and task.planned == planned:
            task.planned = planned  # one object, where reads that were foreseen brought one of their own
            kept[planned.id] = task
    lay_out(workflow, record.plan, kept)


def revision_asked(workflow: Workflow, record: r.RevisionAsked, at: UtcMs) -> None:
    """Fold `RevisionAsked`."""
    del at
    workflow.revising = Revising(record.failure)
    workflow.revisions = record.number
    workflow.planning = Planning(call=workflow.planning.call, clarifications=workflow.planning.clarifications)
    workflow.approval = None
    workflow.status = Status.RUNNING
    look_for_askers(workflow)


def revision_given_up(workflow: Workflow, record: r.RevisionGivenUp, at: UtcMs) -> None:
    """Fold `RevisionGivenUp`."""
    del at
    workflow.planning.asking = False
    workflow.status = Status.RUNNING
    look_for_askers(workflow)
    if workflow.revising is not None:
        workflow.revising.given_up = record.failure


# --- People ----------------------------------------------------------------------------------------------------


def approval_requested(workflow: Workflow, record: r.ApprovalRequested, at: UtcMs) -> None:
    """Fold `ApprovalRequested`."""
    del at
    workflow.approval = Approval(Money.parse(record.amount), record.task_id, record.expires_at)
    workflow.status = Status.AWAITING_APPROVAL


def approval_decided(workflow: Workflow, record: r.ApprovalDecided, at: UtcMs) -> None:
    """Fold `ApprovalDecided`."""
    del at
    if workflow.approval is not None and record.granted:
        workflow.approved_up_to = workflow.approval.amount
    workflow.approval = None
    workflow.status = Status.RUNNING
    look_for_askers(workflow)


def undo_question_asked(workflow: Workflow, record: r.UndoQuestionAsked, at: UtcMs) -> None:
    """Fold `UndoQuestionAsked`."""
    del at
    workflow.undo_question = UndoQuestion(record.failure, record.expires_at)
    workflow.approval = None
    workflow.status = Status.AWAITING_APPROVAL


def undo_question_answered(workflow: Workflow, record: r.UndoQuestionAnswered, at: UtcMs) -> None:
    """Fold `UndoQuestionAnswered`."""
    del at
    workflow.undo_question = None
    workflow.leave_standing = None if record.undo else record.by
    workflow.status = Status.RUNNING
    look_for_askers(workflow)


def retry_asked(workflow: Workflow, record: r.RetryAsked, at: UtcMs) -> None:
    """Fold `RetryAsked`."""
    del at
    workflow.retry_asked = record.by if record.wanted else None


def attention_settled(workflow: Workflow, record: r.AttentionSettled, at: UtcMs) -> None:
    """Fold `AttentionSettled`."""
    del at
    workflow.settled = record.by


def retry_started(workflow: Workflow, record: r.RetryStarted, at: UtcMs) -> None:
    """Fold `RetryStarted`."""
    workflow.terminal = None
    workflow.finished_at = None
    workflow.failure = workflow.winding_up = workflow.broken = workflow.revising = None
    workflow.breaking = ()
    workflow.revisions = 0
    workflow.leave_standing = None
    workflow.cancelled = False
    workflow.retry_asked = None
    if record.catalogue_version:
        workflow.catalogue_version = record.catalogue_version
    if workflow.plan is None:
        call = workflow.planning.call + 1
        workflow.planning = Planning(call=call, asking=True, since=at, clarifications=workflow.planning.clarifications)
        workflow.status = Status.PLANNING
        return
    kept: dict[TaskId, Task] = {}
    planned: list[PlannedTask] = []
    stay = staying(workflow)
    forgotten = calls_to_forget(workflow, stay)
    for task in [task for task_id, task in workflow.tasks.items() if task_id not in forgotten]:
        task.planned = without_calls(task.planned, forgotten)
        if task.retired:
            kept[task.planned.id] = _given_up_still(task)
        elif task.planned.id in stay:
            task.stands, task.undo, task.undoing, task.kept = None, _waiting_again(task.undo), False, False
            task.refreshing = False  # what has run out is found to have when it is to be used
            kept[task.planned.id] = task
            planned.append(task.planned)
        elif task.do.maybe:
            kept[task.planned.id] = _once_more(task)
            planned.append(task.planned)
        else:
            planned.append(structs.replace(task.planned, revision=record.revision))
    workflow.plan = replace(workflow.plan, tasks=tuple(planned))
    workflow.revision = record.revision
    workflow.status = Status.RUNNING
    lay_out(workflow, workflow.plan, kept)


def _given_up_still(task: Task) -> Task:
    """Return a task that a revision gave up; a retry does not bring it back, but undoes once more what stands of it."""
    if task.stands is not None:
        task.stands, task.undo, task.undoing = None, _waiting_again(task.undo), False
    return task


def _once_more(task: Task) -> Task:
    """Return a task whose fate is unknown, to be called again: same key, same input, so that it is not done twice."""
    return Task(task.planned, task.terms, 0, do=_waiting_again(task.do), amount=task.amount)


def _waiting_again(call: Call) -> Call:
    """Return a call that may be made again under its key: with its numbers, its input, and what is not known of it."""
    if call is NOT_CALLED:
        return call
    again = structs.replace(call, phase=Phase.WAITING)
    again.begin_anew()
    return again


# --- Telling the frontend ----------------------------------------------------------------------------------------


def outcome_decided(workflow: Workflow, record: r.OutcomeDecided, at: UtcMs) -> None:
    """Fold `OutcomeDecided`."""
    content = outcome_content(workflow, record.type, record.task_id)
    decided = PendingOutcome(record.outcome_id, record.type, at, content)
    workflow.outcomes = (*workflow.outcomes, decided)


def outcome_delivered(workflow: Workflow, record: r.OutcomeDelivered, at: UtcMs) -> None:
    """Fold `OutcomeDelivered`."""
    del at
    for outcome in workflow.outcomes:
        if outcome.outcome_id == record.outcome_id:
            outcome.delivered = True


def outcome_reopened(workflow: Workflow, record: r.OutcomeReopened, at: UtcMs) -> None:
    """Fold `OutcomeReopened`."""
    del at
    for outcome in workflow.outcomes:
        if outcome.outcome_id == record.outcome_id:
            outcome.delivered = False
            outcome.tellings += 1


def dead_letter_decided(workflow: Workflow, record: r.DeadLetterDecided, at: UtcMs) -> None:
    """Fold `DeadLetterDecided`."""
    del at
    workflow.dead_letter = "wanted"
    workflow.dead_letter_failure = record.failure


def dead_letter_delivered(workflow: Workflow, record: r.DeadLetterDelivered, at: UtcMs) -> None:
    """Fold `DeadLetterDelivered`."""
    del record, at
    workflow.dead_letter = "delivered"
