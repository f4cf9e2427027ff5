"""What a workflow has committed, and what it may commit."""

from __future__ import annotations

from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.money import CurrencyMismatchError, Money
from jada_orchestrator.domain.workflow import Task, Workflow
from jada_orchestrator.planning import resolve_amount


def committed_amount(task: Task, call_input: JsonObject) -> Money | None:
    """Return what a call with this input commits; None when the action commits no money, or its input names none."""
    if task.terms.effect is not Effect.COMMIT or task.terms.amount is None:
        return None
    amount = resolve_amount(task.terms.amount, input=call_input, output=None)
    return amount if isinstance(amount, Money) else None


def committed_total(workflow: Workflow) -> Money | None:
    """Return the sum of what was, or may have been, committed and not undone; None when that is nothing.

    Raises: CurrencyMismatchError.
    """
    total: Money | None = None
    for task in workflow.tasks.values():
        if task.amount is not None:
            total = task.amount if total is None else total + task.amount
    return total


def check_commit(workflow: Workflow, task: Task, call_input: JsonObject) -> Failure | Money | None:
    """Check a commit against the request's bounds before it is dispatched.

    Returns a `Failure` when it must not go; the new total when a person must approve it first; None when it may go.
    """
    request = workflow.request
    if task.terms.effect is not Effect.COMMIT or task.terms.amount is None or request is None:
        return None
    bounds = request.constraints
    amount = resolve_amount(task.terms.amount, input=call_input, output=None)
    if not isinstance(amount, Money):
        return Failure("AMOUNT_UNKNOWN", f"what it would commit cannot be read from its input: {amount[0]}")
    if amount.amount < 0:
        return Failure("AMOUNT_NEGATIVE", f"it would commit {amount}; an amount below zero is never sent")
    try:
        before = committed_total(workflow)
        total = amount if before is None else before + amount
        if bounds.max_total is not None and total.exceeds(bounds.max_total):
            return Failure("OVER_BUDGET", f"it would bring the total to {total}; the request allows {bounds.max_total}")
        limit = workflow.approved_up_to or bounds.approve_above
        if bounds.approve_above is not None and limit is not None and total.exceeds(limit):
            return total
    except CurrencyMismatchError as error:
        return Failure("CURRENCY_MISMATCH", str(error))
    return None
