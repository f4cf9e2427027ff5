"""A plan that failed is revised: the real daemon, a model that answers for the stand-in, really executed agents."""

from __future__ import annotations

from typing import Any

import pytest

from jada_orchestrator.sandbox.model import Fault, FaultKind
from tests.integration.surroundings import Surroundings, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRIP = "Two of us, Boston to Lisbon {depart} to {back}, a hotel near Alfama, under $9,000 all in."


def tasks_of(outcome: Any) -> dict[str, str]:
    """The tasks of an outcome with their statuses."""
    return {task["id"]: task["status"] for task in outcome["data"]["tasks"]}


async def test_a_booking_completes_although_its_flight_was_sold_out(alone: Surroundings) -> None:
    """The next offer is held in its place, what stood is kept, and the ledger knows the call as a revision."""
    await alone.order_fault("flights.hold", "fail", "SOLD_OUT", request="sold-out-1")
    async with alone.daemon() as daemon:
        await alone.send(a_request("sold-out-1", TRIP))
        outcome = await alone.outcomes.outcome("sold-out-1")
        assert outcome["type"] == "jada.booking.completed", outcome["data"]["error"]
        assert outcome["data"]["plan_revision"] == 2
        tasks = tasks_of(outcome)
        assert tasks["hold_flight"] == "failed"
        assert tasks["hold_flight_2"] == "succeeded"
        assert [line["jada_event"] for line in daemon.lines].count("revision.asked") == 1
    [first, second] = [call for call in alone.model.calls if call.booking_request_id == "sold-out-1"]
    assert (first.corrections, second.corrections) == (0, 0)
    books = await alone.books()
    assert books.doubled == ()
    assert await alone.half_made({"sold-out-1": "completed"}) == []
    assert outcome["data"]["result"]["order_id"] in books.standing("sold-out-1").orders


async def test_what_was_paid_for_nothing_is_given_back(alone: Surroundings) -> None:
    """Sold out at ticketing: hold and authorization are given up and made anew, and the payment is taken once."""
    await alone.order_fault("flights.ticket", "fail", "SOLD_OUT", request="sold-out-2")
    async with alone.daemon():
        await alone.send(
            a_request("sold-out-2", "One person, flight from Boston to Paris on {depart}, back on {back}.")
        )
        outcome = await alone.outcomes.outcome("sold-out-2")
    assert outcome["type"] == "jada.booking.completed", outcome["data"]["error"]
    tasks = tasks_of(outcome)
    assert tasks["hold_flight"] == tasks["authorize_payment"] == "compensated"
    assert tasks["ticket_flight_2"] == "succeeded"
    books = await alone.books()
    assert (books.doubled, books.miscounted) == ((), ())
    assert await alone.half_made({"sold-out-2": "completed"}) == []


async def test_killed_while_the_model_thinks_it_over(alone: Surroundings) -> None:
    """Kill -9 with the question open: it is put again after the restart, and the booking completes."""
    await alone.order_fault("flights.hold", "fail", "SOLD_OUT", request="sold-out-3")
    alone.model.faults.order(Fault(FaultKind.HOLD, match="revision of sold-out-3"))
    async with alone.daemon() as daemon:
        await alone.send(a_request("sold-out-3", TRIP))
        await alone.held("sold-out-3")
        await daemon.kill()
        alone.model.release()
        await daemon.start()
        outcome = await alone.outcomes.outcome("sold-out-3")
    assert outcome["type"] == "jada.booking.completed", outcome["data"]["error"]
    assert outcome["data"]["plan_revision"] == 2
    assert (await alone.books()).doubled == ()
    assert await alone.half_made({"sold-out-3": "completed"}) == []


async def test_a_model_that_has_no_answer_leaves_nothing_half_made(alone: Surroundings) -> None:
    """A refused revision: everything is undone, and the frontend is told what failed."""
    await alone.order_fault("flights.hold", "fail", "SOLD_OUT", request="sold-out-4")
    alone.model.faults.order(Fault(FaultKind.REFUSAL, match="revision of sold-out-4"))
    async with alone.daemon():
        await alone.send(a_request("sold-out-4", TRIP))
        outcome = await alone.outcomes.outcome("sold-out-4")
    assert outcome["data"]["error"]["code"] == "SOLD_OUT"
    assert outcome["type"] in {"jada.booking.compensated", "jada.booking.failed"}
    assert (await alone.books()).standing("sold-out-4").nothing
