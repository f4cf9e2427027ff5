"""What people want: cancel, approve, deny, answer, retry, settle, release.

A command that does not apply leads to nothing.
"""

from __future__ import annotations

from typing import assert_never

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import CatalogueVersion, TaskId
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import Phase, Status, Workflow
from jada_orchestrator.engine.ending import abandon
from jada_orchestrator.engine.house import answered, open_approvals


def control_arrived(workflow: Workflow, event: e.ControlArrived, catalogue: Catalogue) -> list[Record]:
    """Return what a person's command leads to."""
    match event.command:
        case "cancel":
            return _cancel(workflow, event)
        case "approve":
            return _approve(workflow, event)
        case "deny":
            return _deny(workflow, event)
        case "answer":
            if workflow.status is not Status.NEEDS_CLARIFICATION:
                return []
            return [r.ClarificationAnswered(event.text, event.by, workflow.planning.call + 1)]
        case "retry":
            return _retry(workflow, event, catalogue)
        case "settle":
            return [r.AttentionSettled(event.by, event.text)] if may_settle(workflow) is None else []
        case "release":
            return [r.Released(event.by)] if workflow.quarantined is not None else []
        case _:
            assert_never(event.command)


def _retry(workflow: Workflow, event: e.ControlArrived, catalogue: Catalogue) -> list[Record]:
    if may_retry(workflow) is not None or workflow.retry_asked is not None:
        return []
    if workflow.request is not None and workflow.request.ordering_key is not None:
        return [r.RetryAsked(event.by)]  # others share its key: `TurnCame` begins it
    return [retry_now(workflow, event.by, catalogue)]


def retry_now(workflow: Workflow, by: str, catalogue: Catalogue) -> Record:
    """Return what has a workflow go on; one that never got a plan is planned with the present catalogue."""
    version = catalogue.version if workflow.plan is None else CatalogueVersion("")
    return r.RetryStarted(by, workflow.revision + 1, version)


def _cancel(workflow: Workflow, event: e.ControlArrived) -> list[Record]:
    if workflow.retry_asked is not None:
        return [r.RetryAsked(event.by, wanted=False)]
    if workflow.is_terminal or workflow.cancelled:
        return []
    why = f": {event.text}" if event.text else ""
    failure = Failure("CANCELLED", f"cancelled by {event.by}{why}")
    return [r.CancelRequested(event.by), *abandon(workflow, failure, cancelled=True)]


def _approve(workflow: Workflow, event: e.ControlArrived) -> list[Record]:
    asked = _asked_by_plan(workflow, event)
    if asked is not None:
        return [answered(workflow, asked, granted=True, by=event.by)]
    if _names_another(workflow, event):
        return []
    if workflow.undo_question is not None:
        return [r.UndoQuestionAnswered(undo=True, by=event.by), *abandon(workflow, workflow.undo_question.failure)]
    return [r.ApprovalDecided(granted=True, by=event.by)] if workflow.approval is not None else []


def _asked_by_plan(workflow: Workflow, event: e.ControlArrived) -> TaskId | None:
    """Return the approval of the plan that an answer is for: the one that it names, or the only question there is."""
    asking = open_approvals(workflow)
    if event.task_id is not None:
        return event.task_id if event.task_id in asking else None
    is_alone = len(asking) == 1 and workflow.undo_question is None and workflow.approval is None
    return asking[0] if is_alone else None


def _names_another(workflow: Workflow, event: e.ControlArrived) -> bool:
    """Tell whether an answer names a task that does not ask."""
    money = workflow.approval.task_id if workflow.approval is not None else None
    return event.task_id is not None and event.task_id != money


def _deny(workflow: Workflow, event: e.ControlArrived) -> list[Record]:
    asked = _asked_by_plan(workflow, event)
    if asked is not None:
        return [answered(workflow, asked, granted=False, by=event.by)]
    if _names_another(workflow, event):
        return []
    if workflow.undo_question is not None:
        return [r.UndoQuestionAnswered(undo=False, by=event.by), *abandon(workflow, workflow.undo_question.failure)]
    if workflow.approval is None:
        return []
    failure = Failure("APPROVAL_DENIED", f"{event.by} denied {workflow.approval.amount}")
    return [r.ApprovalDecided(granted=False, by=event.by), *abandon(workflow, failure)]


def may_retry(workflow: Workflow) -> str | None:
    """Return why a workflow cannot be retried from its failed tasks; None when it can."""
    if workflow.retired is not None:
        return "it was retired: its records are deleted, and nothing can go on from them"
    if workflow.terminal not in {"failed", "compensated", "cancelled", "needs_attention"} or workflow.request is None:
        return f"it is {workflow.status.value}; only what failed, was undone or needs attention can be retried"
    if workflow.settled is not None:
        return f"what stood of it was settled by hand by {workflow.settled}: what it has may be gone"
    for task in workflow.tasks.values():
        if task.do.maybe and task.do.phase is not Phase.SUCCEEDED and not task.terms.idempotent:
            name = f"{task.planned.id} ({task.planned.action})"
            return f"{name} may have been done, and its agent does not honour idempotency keys"
        if task.do.phase is Phase.SUCCEEDED and task.undo.maybe:
            name = f"{task.planned.id} ({task.planned.action})"
            return f"{name} may have been undone: whether it can be built upon is for a person to find out"
    return None


def may_settle(workflow: Workflow) -> str | None:
    """Return why there is nothing of a workflow to be settled by hand; None when there is."""
    if workflow.terminal != "needs_attention":
        return f"it is {workflow.status.value}; only what needs attention can be settled"
    if workflow.settled is not None:
        return f"{workflow.settled} has settled it already"
    if workflow.retry_asked is not None:
        return f"{workflow.retry_asked} has asked for a retry, which waits for its turn: cancel that first"
    return None
