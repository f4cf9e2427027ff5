"""The fold: what each record changes in the state. Total: whatever is durable can be applied, for ever.

One function a record class, found by a table; a test proves that the table knows every class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.foreseen import TaskForeseen
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import fold_branches as branches
from jada_orchestrator.engine import fold_calls as calls
from jada_orchestrator.engine import fold_foreseen as ahead
from jada_orchestrator.engine import fold_workflow as whole


def apply(workflow: Workflow, entry: Entry) -> None:
    """Fold one entry into the state. Entries come in order of `seq`; nothing is ever refused."""
    workflow.seq = entry.seq
    workflow.at = entry.at
    APPLIERS[type(entry.record)](workflow, entry.record, entry.at)


APPLIERS: dict[type, Callable[[Workflow, Any, UtcMs], None]] = {
    r.WorkflowAccepted: whole.accepted,
    r.WorkflowRejected: whole.rejected,
    r.PlanningStarted: whole.planning_started,
    r.PlannerAnswered: whole.planner_answered,
    r.ProposalFaulted: whole.proposal_faulted,
    r.PlannerBackedOff: whole.planner_backed_off,
    r.PlannerGaveUp: whole.planner_gave_up,
    r.ModelRaised: whole.model_raised,
    TaskForeseen: ahead.task_foreseen,
    r.PlanAdopted: whole.plan_adopted,
    r.RevisionAsked: whole.revision_asked,
    r.RevisionGivenUp: whole.revision_given_up,
    r.ClarificationAsked: whole.clarification_asked,
    r.ClarificationAnswered: whole.clarification_answered,
    r.AttemptStarted: calls.attempt_started,
    r.TaskBackedOff: calls.task_backed_off,
    r.AttemptLost: calls.attempt_lost,
    r.LookupEnded: calls.lookup_ended,
    r.CallDue: calls.call_due,
    r.TaskSucceeded: calls.task_succeeded,
    r.TaskFailed: calls.task_failed,
    r.TaskUnresolved: calls.task_unresolved,
    r.TaskSkipped: calls.task_skipped,
    r.BranchTaken: branches.branch_taken,
    r.TaskExpanded: branches.task_expanded,
    r.TaskJoined: branches.task_joined,
    r.CompensationStarted: calls.compensation_started,
    r.UndoStarted: calls.undo_started,
    r.RefreshStarted: calls.refresh_started,
    r.TaskCompensated: calls.task_compensated,
    r.TaskStands: calls.task_stands,
    r.AwaitStarted: calls.await_started,
    r.ChoiceAnswered: whole.choice_answered,
    r.CancelRequested: whole.cancel_requested,
    r.ApprovalRequested: whole.approval_requested,
    r.ApprovalDecided: whole.approval_decided,
    r.UndoQuestionAsked: whole.undo_question_asked,
    r.UndoQuestionAnswered: whole.undo_question_answered,
    r.TaskKept: calls.task_kept,
    r.RetryStarted: whole.retry_started,
    r.RetryAsked: whole.retry_asked,
    r.AttentionSettled: whole.attention_settled,
    r.Quarantined: whole.quarantined,
    r.Released: whole.released,
    r.OutcomeDecided: whole.outcome_decided,
    r.OutcomeDelivered: whole.outcome_delivered,
    r.OutcomeReopened: whole.outcome_reopened,
    r.DeadLetterDecided: whole.dead_letter_decided,
    r.DeadLetterDelivered: whole.dead_letter_delivered,
    r.WorkflowEnded: whole.ended,
    r.WorkflowRetired: whole.retired,
}
