"""Money that a plan is certain to commit, as far as it is known before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from jada_orchestrator.domain.money import CurrencyMismatchError, Money
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.planning.arguments import Bound
from jada_orchestrator.planning.effects import Step
from jada_orchestrator.planning.findings import Findings
from jada_orchestrator.planning.inputs import resolve_amount
from jada_orchestrator.planning.references import ReferenceFault, evaluate


def check_spending(steps: Sequence[Step], bound: Sequence[Bound], request: BookingRequest, findings: Findings) -> None:
    """Law 8: amounts that are known are not negative, of one currency, and together within the request's bound.

    Amounts that only an agent's answer tells are checked by the engine, before each commit.
    """
    total: Money | None = None
    limit = request.constraints.max_total
    for place, step in enumerate(steps):
        amount = _known_amount(step, bound[place])
        if amount is None:
            continue
        if amount.amount < 0:
            findings.add(
                "AMOUNT_NEGATIVE", step.where, f"it would commit {amount}; an amount is not below zero", task=place
            )
            continue
        try:
            total = amount if total is None else total + amount
            if limit is not None and amount.exceeds(limit):
                message = f"it would commit {amount}; the request allows {limit} in all"
                findings.add("OVER_BUDGET", step.where, message, task=place)
        except CurrencyMismatchError as error:
            message = f"{error}; a plan commits in one currency, the one of the request's bound"
            findings.add("CURRENCY_MISMATCH", step.where, message, task=place)
    _check_total(total, limit, findings)


def _check_total(total: Money | None, limit: Money | None, findings: Findings) -> None:
    over = any(fault.code in {"OVER_BUDGET", "CURRENCY_MISMATCH"} for fault in findings.faults)
    if total is not None and limit is not None and not over and total.exceeds(limit):
        findings.add("OVER_BUDGET", "tasks", f"together they would commit {total}; the request allows {limit}")


def _known_amount(step: Step, bound: Bound) -> Money | None:
    """Return what a commit will certainly commit, or None."""
    action = step.action
    if action is None or not step.is_commit or action.amount is None:
        return None
    expression = action.amount.expression
    if expression:
        try:
            if evaluate(expression, {"input": bound.known}) is None:
                return None
        except ReferenceFault:
            return None  # it needs more than what is known
    amount = resolve_amount(action.amount, input=bound.known, output=None)
    return amount if isinstance(amount, Money) else None
