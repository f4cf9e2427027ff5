"""kill -9 in the middle of ten bookings: all ten end, and the agents' books show nothing doubled or half-made."""

from __future__ import annotations

import pytest

from benchmarks.kill9_kit.waiting import until
from tests.integration.surroundings import Surroundings, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEN = tuple(f"ten-{number}" for number in range(10))
TRIPS = (
    "Two of us, Boston to Lisbon 3-10 June, a hotel near Alfama, under $5,000 all in.",
    "One person, flight from Boston to Paris on 12 June, return on 19 June.",
    "A hotel in Lisbon from 4 to 8 June for two people.",
    "Boston to London 5-9 June for two, with a hotel and a car.",
)


async def test_ten_bookings_survive_two_kills(around: Surroundings) -> None:
    """Killed amid holds and payments and started again, the daemon ends every booking, and makes each effect once."""
    await around.order_fault("flights.ticket", "fail", "AIRLINE_REFUSED", request="ten-0")
    await around.order_fault("payments.capture", "cut", "after:1", request="ten-4")
    await around.order_fault("hotels.book", "crash", "after", request="ten-8")
    daemon = around.daemon()
    async with daemon:
        for number, request_id in enumerate(TEN):
            await around.send(a_request(request_id, TRIPS[number % len(TRIPS)], booking={"customer_id": f"c-{number}"}))
        # All ten are durable, so none waits for its message to become visible again, and many are half way.
        await daemon.told("workflow.accepted", count=10)
        await daemon.told("task.succeeded", count=60)
        await daemon.kill()
        assert not set(TEN) <= set(around.outcomes.statuses())
        await daemon.start()
        assert (await daemon.told("daemon.recovered"))["jada_workflows"] > 0
        await daemon.told("task.succeeded", count=15)
        await daemon.kill()
        await daemon.start()
        await until(
            lambda: set(TEN) <= set(around.outcomes.statuses()),
            "ten outcomes",
            otherwise=lambda: f"{around.outcomes.statuses()} {daemon.story()}",
        )
        assert await daemon.stop() == 0
    outcomes = around.outcomes.statuses()
    assert {outcomes[request_id] for request_id in TEN if request_id != "ten-0"} == {"completed"}
    assert outcomes["ten-0"] == "compensated"
    books = await around.books()
    assert books.doubled == ()
    assert books.miscounted == ()
    assert await around.half_made(outcomes) == []
    ids = {outcome["id"] for outcome in around.outcomes.bodies}
    assert len(ids) == len(TEN), "an outcome that was told twice has one id"
