"""What a plan would take, cost and leave, said before anything runs: from the plan and from what the journal saw.

Pure but for `recent_times`, which reads the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.ids import ActionName, TaskId
from jada_orchestrator.domain.money import CurrencyMismatchError, Money
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.planning import resolve_amount
from jada_orchestrator.ports.journal import JournalReader
from jada_orchestrator.service.views import Seen, see

HISTORY_BOOKINGS_MAX: Final = 100
"""Completed bookings whose times are looked at: enough for a median, and read in well under a second."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a plan beforehand."""

    critical: tuple[TaskId, ...]
    """The chain of tasks that decides how long the booking takes, first to last."""
    critical_ms: int | None
    """Its expected duration in ms: the sum of its actions' median times; None when no time of the chain is known."""
    untimed: tuple[ActionName, ...]
    """Actions on the chain that the journal has not seen succeed; they count as nothing."""
    known: Money | None
    """What the plan is certain to commit, as far as it says so itself; None: it does not, or in several currencies."""
    open_amounts: tuple[TaskId, ...]
    """Commits whose amount only an agent's answer tells."""
    most: Money | None
    """The most that it can commit: `known` when nothing is open, else the request's bound; None: without a bound."""
    undoable: tuple[TaskId, ...]
    """What has an effect and can be undone."""
    final: tuple[TaskId, ...]
    """What has an effect and cannot be undone."""


def outlook_of(plan: Plan, request: BookingRequest, times: Mapping[ActionName, int]) -> Outlook:
    """Return what a plan is expected to take and cost; `times` has median durations in ms by action."""
    critical = _critical_path(plan, times)
    actions = [plan.terms_of(task).action for task in plan.tasks if task.id in critical]
    timed = [times[action] for action in actions if action in times]
    commits = [task for task in plan.tasks if _commits_money(plan, task)]
    amounts = {task.id: _amount_of(plan, task) for task in commits}
    open_amounts = tuple(task_id for task_id, amount in amounts.items() if amount is None)
    known = _sum(amount for amount in amounts.values() if amount is not None)
    effects = [task for task in plan.tasks if plan.terms_of(task).effect is not Effect.READ]
    return Outlook(
        critical=critical,
        critical_ms=sum(timed) if timed else None,
        untimed=tuple(dict.fromkeys(action for action in actions if action not in times)),
        known=known,
        open_amounts=open_amounts,
        most=request.constraints.max_total if open_amounts else known,
        undoable=tuple(task.id for task in effects if plan.terms_of(task).compensate is not None),
        final=tuple(task.id for task in effects if plan.terms_of(task).compensate is None),
    )


async def recent_times(reader: JournalReader) -> dict[ActionName, int]:
    """Return each action's median duration in ms over the newest completed bookings, retries included.

    Raises: JournalError.
    """
    spans: dict[ActionName, list[int]] = {}
    for workflow_id, _ in await reader.heads(status="completed", limit=HISTORY_BOOKINGS_MAX):
        stored = await reader.history(workflow_id)
        if stored is not None:
            for action, span in _spans(see(stored)):
                spans.setdefault(action, []).append(span)
    return {action: round(median(each)) for action, each in spans.items()}


def _spans(seen: Seen) -> Iterable[tuple[ActionName, int]]:
    """Yield how long each task took, from its first dispatch to its answer."""
    for task_id, task in seen.workflow.tasks.items():
        started, ended = seen.started_at(task_id), seen.ended_at(task_id)
        if task.output_text is not None and started is not None and ended is not None:
            yield task.terms.action, max(0, ended - started)


def _critical_path(plan: Plan, times: Mapping[ActionName, int]) -> tuple[TaskId, ...]:
    """Return the longest chain by expected time; by number of tasks where times do not tell."""
    length: dict[TaskId, tuple[int, int]] = {}
    before: dict[TaskId, TaskId | None] = {}
    for task in plan.tasks:  # in topological order
        last = max(task.after, key=lambda task_id: length[task_id], default=None)
        took, tasks = length[last] if last is not None else (0, 0)
        before[task.id] = last
        own = (0, 0) if task.instead_of is not None else (times.get(task.action, 0), 1)  # usually it is not called
        length[task.id] = (took + own[0], tasks + own[1])
    path: list[TaskId] = []
    at = max(length, key=lambda task_id: length[task_id], default=None)
    while at is not None:
        path.append(at)
        at = before[at]
    return tuple(reversed(path))


def _commits_money(plan: Plan, task: PlannedTask) -> bool:
    terms = plan.terms_of(task)
    return terms.effect is Effect.COMMIT and terms.amount is not None


def _amount_of(plan: Plan, task: PlannedTask) -> Money | None:
    """Return what a commit commits by its constants alone; None when an answer is needed to tell."""
    if task.for_each:
        return None  # how often it is called, an answer tells
    terms = plan.terms_of(task)
    assert terms.amount is not None, "only commits of money are asked"
    known = {name: bound.constant for name, bound in task.bindings.items() if not bound.expression}
    amount = resolve_amount(terms.amount, input=known, output=None)
    return amount if isinstance(amount, Money) else None


def _sum(amounts: Iterable[Money]) -> Money | None:
    total: Money | None = None
    try:
        for amount in amounts:
            total = amount if total is None else total + amount
    except CurrencyMismatchError:
        return None
    return total
