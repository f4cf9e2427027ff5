"""Money that a plan is certain to commit, as far as it is known before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from jada_orchestrator.domain.limits import FOR_EACH_MAX
from jada_orchestrator.domain.money import CurrencyMismatchError, Money
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.planning.arguments import Bound
from jada_orchestrator.planning.effects import Step
from jada_orchestrator.planning.findings import Findings
from jada_orchestrator.planning.inputs import resolve_amount
from jada_orchestrator.planning.references import ReferenceFault, evaluate


def check_spending(
    steps: Sequence[Step],
    bound: Sequence[Bound],
    request: BookingRequest,
    standing: Money | None,
    findings: Findings,
    exclude: Callable[[int, int], bool] = lambda _, __: False,
) -> None:
    """Law 8: amounts that are known are not negative, of one currency, and together within the request's bound.

    `standing` is what was committed already and is kept. Of commits that exclude each other (`exclude`), the larger
    counts. Amounts that only an agent's answer tells, and those of a list whose length nobody knows yet, are checked by
    the engine, before each commit.
    """
    total = standing
    known: dict[int, Money] = {}
    limit = request.constraints.max_total
    for place, step in enumerate(steps):
        amount = _known_amount(step, bound[place])
        if amount is None or step.done:
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
            continue
        known[place] = amount
    _check_total(_most(known, bound, exclude), standing, limit, findings)


def _most(known: Mapping[int, Money], bound: Sequence[Bound], exclude: Callable[[int, int], bool]) -> Money | None:
    """Return the most that can be committed together, as far as it is known.

    Two groups of which every task of one excludes every task of the other count as the dearer of both.
    """
    sums = {place: each for place, amount in known.items() if (each := _times(amount, bound[place])) is not None}
    total: Money | None = None
    left = list(sums)
    while left:
        first = left[0]
        other = next((place for place in left[1:] if exclude(first, place)), None)
        one, two = [first], [other] if other is not None else []
        for place in left[1:]:
            if two and place != other and all(exclude(place, each) for each in two):
                one.append(place)
            elif two and place != other and all(exclude(place, each) for each in one):
                two.append(place)
        sides = [side for side in (_sum(one, sums), _sum(two, sums)) if side is not None]
        most = max(sides, key=lambda money: money.amount)
        total = most if total is None else total + most
        left = [place for place in left if place not in {*one, *two}]
    return total


def _sum(places: Sequence[int], sums: Mapping[int, Money]) -> Money | None:
    total: Money | None = None
    for place in places:
        total = sums[place] if total is None else total + sums[place]
    return total


def _times(amount: Money, bound: Bound) -> Money | None:
    """Return what a task commits in all; None for a list of which nobody knows yet how long it is."""
    if not bound.for_each:
        return amount
    total: Money | None = None
    for _ in range(min(bound.count or 0, FOR_EACH_MAX)):
        total = amount if total is None else total + amount
    return total


def _check_total(new: Money | None, standing: Money | None, limit: Money | None, findings: Findings) -> None:
    over = any(fault.code in {"OVER_BUDGET", "CURRENCY_MISMATCH"} for fault in findings.faults)
    total = new if standing is None or new is None or over else standing + new
    if total is not None and limit is not None and not over and total.exceeds(limit):
        findings.add("OVER_BUDGET", "tasks", f"together they would commit {total}; the request allows {limit}")


def _known_amount(step: Step, bound: Bound) -> Money | None:
    """Return what a commit will certainly commit, or None."""
    action = step.action
    if action is None or action.amount is None or not step.is_commit:
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
