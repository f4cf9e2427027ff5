"""Two who want the same thing at the same time: capacity, keys, and time that runs out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory import Books, Maker, once, paying, selling, stock
from jada_orchestrator.sandbox.inventory.audit import audit
from jada_orchestrator.sandbox.inventory.offers import flight_offers
from tests.unit.sandbox.conftest import Clock


def maker(key: str, action: str = "flights.hold", request: str = "web-1") -> Maker:
    """A task that makes an effect."""
    return Maker(f"wf-{request}", request, action, 1, key, action)


def at_once(*works: Callable[[], object]) -> list[object]:
    """Runs all works in threads that start together; what one raises is its result."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        gate.wait()
        try:
            return work()
        except AgentError as error:
            return error.code

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def hold(books: Books, who: Maker, offer_id: str) -> dict[str, Any]:
    """Holds an offer as the agent does."""
    given = {"offer_id": offer_id}
    call = once.begin(books, who, given, None)
    if isinstance(call, dict):
        return call
    return once.settle(books, call, lambda connection: selling.hold(books, connection, who, "flight", given))


@pytest.fixture
def last_seat(books: Books, departure: date) -> str:
    """The id of an offer whose last seat is for sale."""
    number = stock.last_seats(books, "BOS", "LIS", departure)
    offers = flight_offers(books.seed, "BOS", "LIS", (departure, None), 1, "economy", "USD")
    return next(offer.offer_id for offer in offers if offer.facts["outbound"]["flight"] == number)


def test_one_of_many_gets_the_last_seat(books: Books, clock: Clock, last_seat: str) -> None:
    """Eight agents with connections of their own want one seat: one holds it, seven are told that it is sold out."""
    counters = [Books(books.path, clock=clock) for _ in range(8)]
    works = [
        lambda counter=counter, number=number: hold(counter, maker(f"jk-{number}", request=f"web-{number}"), last_seat)
        for number, counter in enumerate(counters)
    ]
    results = at_once(*works)
    for counter in counters:
        counter.close()
    assert results.count("SOLD_OUT") == 7
    assert sum(isinstance(result, dict) for result in results) == 1
    found = audit(books.path)
    assert len(found.effects) == 1
    assert found.miscounted == ()


def test_one_key_makes_one_effect_however_many_race(books: Books, clock: Clock, last_seat: str) -> None:
    """Eight invocations with the same key get the same hold, and the books show one effect."""
    counters = [Books(books.path, clock=clock) for _ in range(8)]
    works = [lambda counter=counter: hold(counter, maker("jk-1"), last_seat) for counter in counters]
    results = at_once(*works)
    for counter in counters:
        counter.close()
    assert all(result == results[0] for result in results)
    found = audit(books.path)
    assert [effect.key for effect in found.effects] == ["jk-1"]
    assert found.doubled == ()


def test_a_failure_is_remembered_under_its_key(books: Books, last_seat: str) -> None:
    """Who was told SOLD_OUT is told so again under the same key, even when there are seats again."""
    held = hold(books, maker("jk-1"), last_seat)
    with pytest.raises(AgentError, match="SOLD_OUT"):
        hold(books, maker("jk-2", request="web-2"), last_seat)
    with books.writing() as connection:
        selling.release(books, connection, maker("jk-3", "flights.release"), "flight", held["hold_id"])
    with pytest.raises(AgentError, match="SOLD_OUT"):
        hold(books, maker("jk-2", request="web-2"), last_seat)
    assert hold(books, maker("jk-4", request="web-2"), last_seat)["hold_id"] != held["hold_id"]


def test_a_hold_lapses_and_its_seat_is_for_sale_again(books: Books, clock: Clock, last_seat: str) -> None:
    """After its fifteen minutes a hold holds nothing, cannot be ticketed, and releasing it is still a success."""
    held = hold(books, maker("jk-1"), last_seat)
    clock.forward(minutes=14)
    with pytest.raises(AgentError, match="SOLD_OUT"):
        hold(books, maker("jk-2", request="web-2"), last_seat)
    clock.forward(minutes=1)
    assert audit(books.path, clock=clock).standing("web-1").nothing
    assert hold(books, maker("jk-3", request="web-3"), last_seat)["hold_id"] != held["hold_id"]
    with books.writing() as connection:
        released = selling.release(books, connection, maker("jk-4"), "flight", held["hold_id"])
        assert released["state"] == "expired"
        ticket = {"hold_id": held["hold_id"], "authorization_id": "pa-1"}
        with pytest.raises(AgentError, match="HOLD_EXPIRED"):
            selling.book(books, connection, maker("jk-5", "flights.ticket"), "flight", ticket)
    assert audit(books.path, clock=clock).miscounted == ()


def test_an_authorization_lapses_and_frees_the_limit(books: Books, clock: Clock) -> None:
    """Money set aside counts against the customer's limit for an hour and no longer."""
    wanted = {"customer_id": "c-lowcredit", "amount": {"amount": "300.00", "currency": "USD"}}
    call = once.begin(books, maker("jk-1", "payments.authorize"), wanted, None)
    assert isinstance(call, once.Call)
    given = once.settle(books, call, lambda connection: paying.authorize(books, connection, call.maker, wanted))
    with books.writing() as connection, pytest.raises(AgentError, match="CARD_DECLINED"):
        paying.authorize(books, connection, maker("jk-2"), wanted)
    clock.forward(minutes=60)
    with books.writing() as connection:
        stock.sweep(connection, books)
        assert paying.authorize(books, connection, maker("jk-3"), wanted)["authorization_id"]
        assert paying.void(books, connection, maker("jk-4"), given["authorization_id"])["state"] == "expired"


def test_money_given_back_can_be_spent_again(books: Books) -> None:
    """What was captured counts against the limit until it is refunded."""
    wanted = {"customer_id": "c-lowcredit", "amount": {"amount": "300.00", "currency": "USD"}}
    with books.writing() as connection:
        paid = paying.authorize(books, connection, maker("jk-1"), wanted)["authorization_id"]
        captured = paying.capture(
            books, connection, maker("jk-2"), {"authorization_id": paid, "amount": wanted["amount"]}
        )
        assert paying.credit_used(connection, "c-lowcredit") == 300_00
        paying.refund(books, connection, maker("jk-3"), {"capture_ids": [captured["capture_id"]]})
        assert paying.credit_used(connection, "c-lowcredit") == 0


def test_a_writer_that_finds_no_room_says_so(books: Books) -> None:
    """When another writer stays too long the call fails as retryable, having done nothing."""
    impatient = Books(books.path, busy_s=0)
    with books.writing(), pytest.raises(AgentError, match="INVENTORY_BUSY") as caught, impatient.writing():
        pass
    assert caught.value.retryable
    impatient.close()


def _states(books: Books, keys: Sequence[str]) -> list[str]:
    return [once.lookup(books, key)["state"] for key in keys]


def test_lookup_tells_what_became_of_a_key(books: Books, clock: Clock, last_seat: str) -> None:
    """Succeeded with its output, failed with its error, pending while it may yet happen, absent when it never will."""
    held = hold(books, maker("jk-done"), last_seat)
    with pytest.raises(AgentError):
        hold(books, maker("jk-failed"), last_seat)
    once.begin(books, maker("jk-begun"), {"offer_id": last_seat}, None)
    keys = ["jk-done", "jk-failed", "jk-begun", "jk-never"]
    assert _states(books, keys) == ["succeeded", "failed", "pending", "absent"]
    assert once.lookup(books, "jk-done")["output"] == held
    assert once.lookup(books, "jk-failed")["error"]["code"] == "SOLD_OUT"
    clock.forward(milliseconds=once.LEASE_MS)
    assert _states(books, keys) == ["succeeded", "failed", "absent", "absent"]


def test_what_lookup_calls_absent_never_happens_later(books: Books, clock: Clock, last_seat: str) -> None:
    """A call that was too slow is refused when it comes to its effect, so that "absent" stays true."""
    call = once.begin(books, maker("jk-1"), {"offer_id": last_seat}, books.now_ms() + 1000)
    assert isinstance(call, once.Call)
    clock.forward(seconds=1)
    assert _states(books, ["jk-1"]) == ["absent"]
    with pytest.raises(AgentError, match="DEADLINE_PASSED"):
        once.settle(books, call, lambda _: {"hold_id": "never"})
    assert audit(books.path).effects == ()


def test_a_process_that_is_gone_has_nothing_under_way(books: Books, last_seat: str) -> None:
    """A crashed function's call is absent at once, not only when its time is over."""
    call = once.begin(books, maker("jk-1"), {"offer_id": last_seat}, None)
    assert isinstance(call, once.Call)
    with books.writing() as connection:
        connection.execute("UPDATE under_way SET process = 2147483647")
    assert _states(books, ["jk-1"]) == ["absent"]


def test_a_key_belongs_to_one_call(books: Books, departure: date, last_seat: str) -> None:
    """The same key with another input is refused, whatever became of the first."""
    hold(books, maker("jk-1"), last_seat)
    other = next(flight_offers(books.seed, "LIS", "BOS", (departure, None), 1, "economy", "USD"))
    with pytest.raises(AgentError, match="KEY_REUSED"):
        hold(books, maker("jk-1"), other.offer_id)
