"""The audit sees what went wrong: effects made twice, bookings half made, and stock that does not add up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from jada_orchestrator.sandbox.inventory import Books
from jada_orchestrator.sandbox.inventory.audit import audit
from jada_orchestrator.sandbox.inventory.offers import flight_offers
from tests.unit.sandbox.conftest import Call, Done
from tests.unit.sandbox.test_agents import Trip


@pytest.fixture
def offer_id(departure: date) -> str:
    """Something to hold."""
    return next(flight_offers("jada", "BOS", "LIS", (departure, None), 1, "economy", "USD")).offer_id


def test_a_task_that_was_done_under_two_keys_is_doubled(call: Call, shared: Books, offer_id: str) -> None:
    """A retry with a fresh key makes a second hold, and the audit names the task and both holds."""
    for key in ("jk-1", "jk-2"):
        call("flights.hold", {"offer_id": offer_id}, idempotency_key=key, workflow_id="wf-1", task_id="hold_flight")
    doubled = audit(shared.path).doubled
    assert [(one.action, one.task_id, one.keys) for one in doubled] == [
        ("flights.hold", "hold_flight", ("jk-1", "jk-2"))
    ]
    call("flights.release", {"hold_id": doubled[0].subjects[0]})
    assert audit(shared.path).doubled == ()


def test_two_effects_under_one_key_are_doubled(call: Call, shared: Books, offer_id: str) -> None:
    """Should the memory of keys ever fail, the effects themselves tell."""
    call("flights.hold", {"offer_id": offer_id}, idempotency_key="jk-1")
    with shared.writing() as connection:
        connection.execute("DELETE FROM answers")
    call("flights.hold", {"offer_id": offer_id}, idempotency_key="jk-1")
    assert [one.keys for one in audit(shared.path).doubled] == [("jk-1",)]


def test_what_stands_after_a_failure_is_half_made(call: Call, shared: Books, offer_id: str) -> None:
    """A workflow that is said to be undone may leave nothing; one without an outcome is lost."""
    call("flights.hold", {"offer_id": offer_id}, request_id="web-1")
    for outcomes in ({"web-1": "compensated"}, {"web-1": "failed"}, {}):
        assert [half.request_id for half in audit(shared.path).half_made(outcomes)] == ["web-1"]
    assert audit(shared.path).half_made({"web-1": "needs_attention", "web-2": "failed"}) == ()


def test_a_completed_booking_is_paid_for(done: Done, in_days: Callable[[int], str], shared: Books) -> None:
    """Booked and captured must agree: a capture that is missing, or is more, is half made."""
    Trip(done, in_days)
    assert audit(shared.path).half_made({"local": "completed"}) == ()
    with shared.writing() as connection:
        connection.execute("UPDATE captures SET amount = amount + 100")
    assert "was paid" in audit(shared.path).half_made({"local": "completed"})[0].why
    with shared.writing() as connection:
        connection.execute("DELETE FROM captures")
    assert "was paid nothing" in audit(shared.path).half_made({"local": "completed"})[0].why


def test_stock_that_does_not_add_up_is_named(call: Call, shared: Books, offer_id: str) -> None:
    """Taken units are those of holds and bookings, and no more than there are."""
    call("flights.hold", {"offer_id": offer_id})
    assert audit(shared.path).miscounted == ()
    with shared.writing() as connection:
        connection.execute("UPDATE stock SET taken = 5, capacity = 3")
    assert len(audit(shared.path).miscounted) == 2


def test_money_is_summed_up(done: Done, in_days: Callable[[int], str], shared: Books) -> None:
    """Captured less refunded is kept, per currency."""
    trip = Trip(done, in_days)
    done("payments.refund", capture_ids=[trip.capture])
    money = audit(shared.path).money()["USD"]
    assert money["captured"] == money["refunded"] == trip.total
    assert money["kept"]["amount"] == "0.00"
