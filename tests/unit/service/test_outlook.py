"""What is said of a plan before it runs: its critical path, its cost, what can be undone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from jada_orchestrator.adapters.journal.opening import open_reader
from jada_orchestrator.domain.catalogue import Binding, Effect
from jada_orchestrator.domain.ids import ActionName, TaskId
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.service.outlook import Outlook, outlook_of, recent_times
from jada_orchestrator.testing.catalogues import request
from tests.unit.cli import bookings

SEARCH, HOLD, TICKET = ActionName("flights.search"), ActionName("flights.hold"), ActionName("flights.ticket")
SUM = Binding("input.total")


def paying(*amounts: Binding) -> Plan:
    """The small plan, with a commit of money after it for each binding of the amount."""
    plan = bookings.plan()
    pays = replace(bookings.terms("payments.capture", Effect.COMMIT), amount=SUM)
    tasks = tuple(
        PlannedTask(TaskId(f"pay_{n}"), pays.action, {"total": amount}, after=(bookings.TICKET,))
        for n, amount in enumerate(amounts)
    )
    return replace(plan, tasks=(*plan.tasks, *tasks), terms={**plan.terms, pays.action: pays})


def usd(amount: str) -> Binding:
    """A constant sum."""
    return Binding(constant={"amount": amount, "currency": "USD"})


def expected(plan: Plan, max_total: str | None = None) -> Outlook:
    """The outlook where searching is known to take a second and nothing else is known."""
    return outlook_of(plan, request(max_total=max_total), {SEARCH: 1_000})


def test_the_critical_path_is_the_chain_that_takes_longest() -> None:
    """By the times that are known; an action without one is named and counts as nothing."""
    seen = expected(bookings.plan())
    assert seen.critical == (bookings.SEARCH, bookings.HOLD, bookings.TICKET)
    assert (seen.critical_ms, seen.untimed) == (1_000, (HOLD, TICKET))
    assert outlook_of(bookings.plan(), request(), {}).critical_ms is None
    beside = PlannedTask(TaskId("beside"), SEARCH, {})
    slow = replace(bookings.plan(), tasks=(*bookings.plan().tasks, beside))
    assert outlook_of(slow, request(), {SEARCH: 5}).critical == seen.critical, "equal times: the longer chain"


def test_known_amounts_are_added_up() -> None:
    """What the plan's own constants commit is the most that it costs, whatever the bound."""
    seen = expected(paying(usd("10.00"), usd("5.50")), "100.00 USD")
    assert str(seen.known) == str(seen.most) == "15.50 USD"
    assert seen.open_amounts == ()


def test_an_amount_that_an_answer_tells_is_bounded_by_the_request_alone() -> None:
    """One commit whose amount is not known yet makes the request's bound the most; without one there is none."""
    plan = paying(usd("10.00"), Binding("ticket.total"))
    assert expected(plan, "100.00 USD").open_amounts == (TaskId("pay_1"),)
    assert str(expected(plan, "100.00 USD").most) == "100.00 USD"
    assert expected(plan).most is None
    assert str(expected(plan).known) == "10.00 USD"


def test_what_cannot_be_undone_is_told_apart() -> None:
    """Effects without a compensation are final; reads are neither."""
    seen = expected(bookings.plan())
    assert (seen.undoable, seen.final) == ((), (bookings.HOLD, bookings.TICKET))


def test_times_are_learnt_from_completed_bookings(tmp_path: Path) -> None:
    """The median over completed bookings, from the first dispatch to the answer, retries and lookups included."""
    url = bookings.write(tmp_path, bookings.completed(), bookings.completed("web-2"), bookings.compensated())

    async def learn() -> dict[ActionName, int]:
        reader = open_reader(url)
        try:
            return await recent_times(reader)
        finally:
            await reader.close()

    # A record every 100 ms: the search began with record 5 and was answered by record 8.
    assert asyncio.run(learn()) == {SEARCH: 300, HOLD: 100, TICKET: 300}


def test_amounts_survive_as_json() -> None:
    """What is told is the contract's money, so that a program can read it back."""
    known = expected(paying(usd("10.00"))).known
    assert known is not None
    assert Money.parse(json.loads(json.dumps(known.to_json()))) == known
