"""Conditions, lists and alternatives travel the whole way: planned by the model, decided and called for real."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
import pytest_asyncio

from benchmarks.kill9_kit.daemon import Daemon
from tests.integration.surroundings import Surroundings, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOTEL = "A hotel in Lisbon from {depart} to {back} for two"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def daemon(around: Surroundings) -> AsyncIterator[Daemon]:
    """One daemon for all tests of this file."""
    async with around.daemon() as running:
        await running.ready()
        yield running


async def made(around: Surroundings, request_id: str) -> Counter[str]:
    """How often each action had an effect, by the agents' books, which bear the outcome out."""
    books = await around.books()
    assert await around.half_made({request_id: "completed"}) == []
    return Counter(effect.action for effect in books.effects_of(request_id))


def statuses(outcome: Any) -> dict[str, str]:
    """What became of each task."""
    return {task["id"]: task["status"] for task in outcome["data"]["tasks"]}


async def test_a_branch_is_taken_where_its_condition_holds(around: Surroundings, daemon: Daemon) -> None:
    """The hotel is cheap enough for a car: both are booked and paid together."""
    text = f"{HOTEL}, and a car if the hotel is below $90000."
    await around.send(a_request("when-yes", text))
    outcome = await around.outcomes.outcome("when-yes")
    assert outcome["data"]["status"] == "completed", outcome
    assert outcome["data"]["result"]["car_confirmation"]
    assert (await made(around, "when-yes"))["cars.book"] == 1


async def test_a_branch_is_skipped_where_it_does_not(around: Surroundings, daemon: Daemon) -> None:
    """The hotel is too dear for a car: it is booked alone, and nothing of a car was ever called."""
    text = f"{HOTEL}, and a car if the hotel is below $1."
    await around.send(a_request("when-no", text))
    outcome = await around.outcomes.outcome("when-no")
    assert outcome["data"]["status"] == "completed", outcome
    assert outcome["data"]["result"]["car_confirmation"] is None
    assert {statuses(outcome)[name] for name in ("search_car", "hold_car", "book_car")} == {"skipped"}
    assert (await made(around, "when-no"))["cars.hold"] == 0


async def test_a_list_is_called_for_each_of_its_items(around: Surroundings, daemon: Daemon) -> None:
    """Three stays of the request are found, held and booked, one call each, in their order, and paid once."""
    first = date(2027, 9, 6)
    stays = [
        {
            "city": city,
            "check_in": (first + timedelta(days=3 * place)).isoformat(),
            "check_out": (first + timedelta(days=3 * place + 2)).isoformat(),
            "guests": 2,
        }
        for place, city in enumerate(("Lisbon", "Madrid", "Rome"))
    ]
    await around.send(a_request("each-1", "", booking={"customer_id": "c-each-1", "stays": stays}))
    outcome = await around.outcomes.outcome("each-1")
    assert outcome["data"]["status"] == "completed", outcome
    assert len(outcome["data"]["result"]["hotel_confirmations"]) == len(stays)
    assert {statuses(outcome)[f"book_hotel[{place}]"] for place in range(len(stays))} == {"succeeded"}
    done = await made(around, "each-1")
    assert (done["hotels.book"], done["payments.capture"]) == (len(stays), 1)


async def test_another_offer_is_taken_where_the_first_is_gone(around: Surroundings, daemon: Daemon) -> None:
    """The first room is sold out when it is held: the next one is held in its stead, and booked."""
    await around.order_fault("hotels.hold", "fail", "SOLD_OUT", request="instead-1")
    await around.send(a_request("instead-1", f"{HOTEL}; if it is sold out, take another one."))
    outcome = await around.outcomes.outcome("instead-1")
    assert outcome["data"]["status"] == "completed", outcome
    told = statuses(outcome)
    assert (told["hold_hotel"], told["hold_hotel_other"], told["book_hotel"]) == ("failed", "succeeded", "succeeded")
    assert (await made(around, "instead-1"))["hotels.book"] == 1
