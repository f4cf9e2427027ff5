"""What a workflow has committed, and what it may commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from jada_orchestrator.domain.documents import JsonObject, Packed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.members import COMMIT
from jada_orchestrator.domain.money import CurrencyMismatchError, Money
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.workflow import FINAL_PHASES, Task, Workflow
from jada_orchestrator.engine.branches import Outputs, outputs_for
from jada_orchestrator.planning import resolve_amount, resolve_condition, resolve_input


def committed_amount(task: Task, call_input: Packed) -> Money | None:
    """Return what a call with this input commits; None when the action commits no money, or its input names none."""
    if task.terms.effect is not COMMIT or task.terms.amount is None:
        return None
    amount = resolve_amount(task.terms.amount, input=call_input.opened(), output=None)
    return amount if isinstance(amount, Money) else None


def committed_total(workflow: Workflow) -> Money | None:
    """Return the sum of what was, or may have been, committed and not undone; None when that is nothing.

    Raises: CurrencyMismatchError.
    """
    committed = _committed(workflow)
    return sum_of(committed) if committed else None


def _committed(workflow: Workflow) -> list[Money]:
    return [task.amount for task in workflow.tasks.values() if task.amount is not None]


def sum_of(amounts: Sequence[Money]) -> Money:
    """Return the sum of at least one amount. Raises: CurrencyMismatchError."""
    return reduce(add, amounts)


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """A commit must wait: with it, or with what is certain to follow it, the total comes to `total`."""

    total: Money
    task_id: TaskId
    """The task that commits the money: the commit itself, or the first one that is foreseen to."""


def check_commit(workflow: Workflow, task: Task, call_input: JsonObject) -> Failure | NeedsApproval | None:
    """Check a commit against the request's bounds before it is dispatched.

    What other required tasks are going to commit counts as soon as it can be told: no ticket is issued for a booking
    whose payment, already known, nobody would approve. Returns a `Failure` when it must not go, `NeedsApproval` when a
    person must decide first, and None when it may go.
    """
    request = workflow.request
    if task.terms.effect is not COMMIT or request is None:
        return None
    own = _own_amount(task, call_input)
    if isinstance(own, Failure):
        return own
    foreseen = {} if task.planned.optional else _foreseen(workflow, task, request)
    amounts = foreseen if own is None else {task.planned.id: own, **foreseen}
    if not amounts:
        return None
    bounds, name = request.constraints, next(iter(amounts))
    try:
        total = sum_of([*_committed(workflow), *amounts.values()])
        if bounds.max_total is not None and total.exceeds(bounds.max_total):
            who = "it" if name == task.planned.id else name
            message = f"{who} would bring the total to {total}; the request allows {bounds.max_total}"
            return Failure("OVER_BUDGET", message)
        limit = workflow.approved_up_to or bounds.approve_above
        if bounds.approve_above is not None and limit is not None and total.exceeds(limit):
            return NeedsApproval(total, name)
    except CurrencyMismatchError as error:
        return Failure("CURRENCY_MISMATCH", str(error))
    return None


def _own_amount(task: Task, call_input: JsonObject) -> Money | Failure | None:
    """Return what this very call commits; None when its action commits no money."""
    if task.terms.amount is None:
        return None
    amount = resolve_amount(task.terms.amount, input=call_input, output=None)
    if not isinstance(amount, Money):
        return Failure("AMOUNT_UNKNOWN", f"what it would commit cannot be read from its input: {amount[0]}")
    if amount.amount < 0:
        return Failure("AMOUNT_NEGATIVE", f"it would commit {amount}; an amount below zero is never sent")
    return amount


def _foreseen(workflow: Workflow, task: Task, request: BookingRequest) -> dict[TaskId, Money]:
    """Return what other required tasks will commit, of those whose input can be told by now.

    What cannot be told, or would be refused by itself, is left to its own check.
    """
    found: dict[TaskId, Money] = {}
    for other in workflow.tasks.values():
        if other is task or other.planned.optional or other.do.attempts or other.do.phase in FINAL_PHASES:
            continue
        if other.terms.effect is not COMMIT or other.terms.amount is None:
            continue
        outputs = outputs_for(workflow, other.planned)
        if not all(name in outputs for name in other.planned.needs) or not _is_certain(other, outputs, request):
            continue
        call_input = resolve_input(other.planned, outputs, request)
        amount = None if isinstance(call_input, tuple) else _own_amount(other, call_input)
        if isinstance(amount, Money):
            found[other.planned.id] = amount
    return found


def _is_certain(task: Task, outputs: Outputs, request: BookingRequest) -> bool:
    """Tell whether a task is going to be called as it is, if all goes well: no list, stand-in or condition is open."""
    planned = task.planned
    if planned.for_each or (planned.instead_of is not None and not task.decided):
        return False
    return not planned.when or task.decided or resolve_condition(planned, outputs, request) is True
