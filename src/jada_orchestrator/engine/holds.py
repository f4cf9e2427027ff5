"""Reservations that run out.

``expires_at`` in the output of a `reserve` action is a deadline for whatever commits on it. A commit is never sent on
a reservation that has run out: the reservation is given back (it may still stand somewhere) and made anew under a new
key. What was already done with the old one must still be what would be done with the new one, or else the booking has
changed under the traveller's feet, and is undone.
"""

from __future__ import annotations

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import JsonObject, Packed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs, parse_instant
from jada_orchestrator.domain.limits import HOLD_MARGIN_MS, HOLD_REFRESHES_MAX
from jada_orchestrator.domain.members import COMMIT, FAILED, SKIPPED, SUCCEEDED
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.workflow import Task, Workflow
from jada_orchestrator.engine.branches import Outputs, outputs_for
from jada_orchestrator.planning import resolve_condition, resolve_input, resolve_list


def expiry_of(output: Packed) -> UtcMs | None:
    """Return when what an output reserves runs out; None when it does not say, or not readably."""
    value = output.opened().get("expires_at") if output.may_say("expires_at") else None
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except ValueError:
        return None


def due_of(workflow: Workflow, task: Task) -> UtcMs | None:
    """Return by when a task should have gone: the first of its reservations to run out, or the deadline."""
    due = workflow.request.constraints.deadline if workflow.request is not None else None
    for needed in task.planned.takes:
        expires_at = workflow.tasks[needed].expires_at
        if expires_at is not None and (due is None or expires_at < due):
            due = expires_at
    return due


def refresh_expired(workflow: Workflow, task: Task, now: UtcMs) -> list[Record] | None:
    """Return how the reservations that a commit is about to use, and that ran out, are renewed; None when none did."""
    if task.terms.effect is not COMMIT or workflow.winding_up is not None:
        return None
    expired = [held for needed in task.planned.takes if _has_run_out(workflow, held := workflow.tasks[needed], now)]
    if not expired:
        return None
    for held in expired:
        if held.terms.compensate is None or held.refreshes >= HOLD_REFRESHES_MAX:
            message = f"what {held.planned.id} reserved ran out before it was used, and cannot be renewed again"
            return [r.TaskFailed(task.planned.id, "call", 0, Failure("HOLD_EXPIRED", message))]
    return [r.RefreshStarted(held.planned.id, workflow.revision + 1 + n) for n, held in enumerate(expired)]


def _has_run_out(workflow: Workflow, held: Task, now: UtcMs) -> bool:
    """Tell whether a reservation ran out unused; one that a commit has used already is that commit's business."""
    if held.expires_at is None or held.do.phase is not SUCCEEDED or held.undoing:
        return False
    if now + HOLD_MARGIN_MS < held.expires_at:
        return False
    return not any(
        user.terms.effect is COMMIT and held.planned.id in user.planned.takes and user.do.attempts > 0
        for user in (workflow.tasks[name] for name in workflow.dependents.get(held.planned.id, ()))
    )


def outgrown(workflow: Workflow, task: Task, output: JsonObject) -> list[Record]:
    """Return what stops the workflow when what is done anew no longer fits what was done with it before.

    It is done anew where a reservation ran out, and where an operator has it go on from what failed.
    """
    if workflow.request is None or workflow.winding_up is not None:
        return []
    renewed: Outputs = {task.planned.id: output}
    for name in workflow.dependents.get(task.planned.id, ()):
        user = workflow.tasks[name]
        known = user.aftermath
        if known.retired or user.do.phase is FAILED:
            continue  # of what was done with the old one, nothing is part of the booking
        if (known.decided and _is_otherwise_called(workflow, user, workflow.request, renewed)) or (
            user.do.input_text is not None
            and task.planned.id in user.planned.takes
            and resolve_input(user.planned, outputs_for(workflow, user.planned, renewed), workflow.request)
            != user.do.input
        ):
            done = "reserved" if task.refreshing else "done"
            message = f"{task.planned.id} had to be {done} anew, and {name} was done with what has changed since"
            return [r.CompensationStarted(Failure("HOLD_CHANGED", message), cancelled=False)]
    return []


def stands_on_nothing(workflow: Workflow) -> bool:
    """Tell whether a task that cannot be undone stands, and was done with what is gone.

    A retry does again what was undone, and that may fail, or have yet to come. Until it is there as it was, what was
    done with it says what is not so.
    """
    if workflow.revision == 1 or workflow.request is None:
        return False  # nothing was done again
    for task in workflow.tasks.values():
        if task.do.phase is not SUCCEEDED or task.terms.compensate is not None or task.aftermath.retired:
            continue
        if not task.has_effect or task.do.input_text is None:
            continue
        outputs = outputs_for(workflow, task.planned)
        if resolve_input(task.planned, outputs, workflow.request) != task.do.input:
            return True
    return False


def _is_otherwise_called(workflow: Workflow, user: Task, request: BookingRequest, renewed: Outputs) -> bool:
    """Tell whether a task that was decided upon would be decided otherwise now."""
    planned = user.planned
    now = outputs_for(workflow, planned, renewed)
    is_called = user.do.phase is not SKIPPED
    if planned.when and (resolve_condition(planned, now, request) is True) is not is_called:
        return True
    if not planned.for_each or not is_called:
        return False
    return resolve_list(planned, now, request) != [workflow.tasks[call].planned.item for call in planned.calls or ()]
