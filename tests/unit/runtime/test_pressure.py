"""Backpressure: nothing is received that cannot be admitted, and the oldest is served first."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from jada_orchestrator.capacity.descriptors import PRESSURE_LEFT
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.limits import NEW_WORK_EVENTS_MAX, UNPLANNED_WHILE_STOPPED_MAX
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.queues import Delivery
from jada_orchestrator.testing.aws import Hang
from jada_orchestrator.testing.catalogues import proposal, task
from jada_orchestrator.testing.virtual_time import run_virtually
from tests.unit.runtime.house import House

SEARCH: Final = proposal(task("rooms", "trips.search", city="Lisbon"))
WAITING: Final = 100_000
ADMITTED: Final = 50


class DeepQueue:
    """A source with so many requests in it, in order of arrival; each is made when it is received."""

    def __init__(self, count: int) -> None:
        self.received = 0
        self.count = count
        self.deleted: list[int] = []

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        await asyncio.sleep(0.001)
        first = self.received
        self.received = min(self.count, first + messages_max)
        return [
            Delivery(Message(f'{{"id": "web-{number}"}}', {}), "handle", str(number), 1, 0)
            for number in range(first, self.received)
        ]

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        self.deleted += [int(delivery.message_id) for delivery in deliveries]

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        raise AssertionError("nothing is given back here")

    async def close(self) -> None: ...


def in_house(scenario: Callable[[House], Coroutine[Any, Any, None]], answer: JsonObject = SEARCH) -> None:
    """Run a scenario on virtual time; the planner always answers the same."""

    async def main() -> None:
        await scenario(House(lambda _: answer))

    run_virtually(main())


def test_a_hundred_thousand_waiting_requests_keep_memory_flat() -> None:
    """Only as many are received as may be in flight; the others cost this process nothing, however many they are."""

    async def scenario(house: House) -> None:
        deep = DeepQueue(ADMITTED)
        house.functions.script("jada-trips", *[Hang() for _ in range(ADMITTED)])
        async with house.process(house.world(requests=deep), workflows_in_flight_max=ADMITTED):
            await house.until(lambda: len(deep.deleted) == ADMITTED)
            await asyncio.sleep(1)
            tracemalloc.start()
            try:
                deep.count = WAITING
                await asyncio.sleep(30)
                grown, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert deep.received == ADMITTED
        assert grown < 200_000

    in_house(scenario)


def test_the_oldest_is_served_first() -> None:
    """As room is made, requests are taken in order of arrival, and their calls are made in that order."""

    async def scenario(house: House) -> None:
        deep = DeepQueue(200)
        async with house.process(house.world(requests=deep), workflows_in_flight_max=5, calls_in_flight_max=1):
            await house.until(lambda: len(house.outcomes()) == 200)
        assert [request_id for request_id, _ in house.outcomes()] == [f"web-{number}" for number in range(200)]

    in_house(scenario)


def test_a_flood_of_requests_piles_up_in_its_queue_and_not_before_the_next_turn() -> None:
    """While a commit takes long, no more requests are taken in than a turn has soon done with, however many there are.

    Whatever is under way waits behind them: without that bound a reply would wait until thousands were decided.
    """

    async def scenario(house: House) -> None:
        house.append_delay_s = 60
        deep = DeepQueue(5_000)
        async with house.process(house.world(requests=deep), workflows_in_flight_max=5_000):
            await house.until(lambda: deep.received > 0)
            await asyncio.sleep(50)  # in the first commit, which has not what came after it
            assert NEW_WORK_EVENTS_MAX <= deep.received <= NEW_WORK_EVENTS_MAX + 50
            house.append_delay_s = 0

    in_house(scenario)


def test_intake_stops_before_descriptors_run_out_and_goes_on_after() -> None:
    """With only the headroom left nothing is received, which is told once; then requests are taken in again."""

    async def scenario(house: House) -> None:
        in_use = 256 - PRESSURE_LEFT
        async with house.process(files_open=lambda: in_use, files_max=256):
            house.send()
            await asyncio.sleep(10)
            assert not house.outcomes()
            in_use = 100
            await house.until(house.outcomes)
        assert house.log.events().count("descriptors.short") == 1
        assert house.log.events().count("descriptors.enough") == 1

    in_house(scenario)


def test_a_house_full_of_questions_still_hears_the_answers() -> None:
    """Bookings that wait for a person take no room: the person's word comes by the same queue as requests."""
    clarify = {**SEARCH, "outcome": "clarify", "questions": ["When?"], "tasks": [], "result": []}

    async def scenario(house: House) -> None:
        async with house.process(workflows_in_flight_max=2):
            for number in range(4):
                house.send(f"web-{number}")
            await house.until(lambda: len(house.outcomes()) == 4)
            house.send("web-0", say="cancel")
            await house.until(lambda: ("web-0", "cancelled") in house.outcomes())

    in_house(scenario, clarify)


class Stopped:
    """A gate through which no plan comes until somebody opens it."""

    waiting = 0
    why: str | None = "the spend limit is reached"

    def stopped(self) -> str | None:
        return self.why

    def waiting_for(self) -> frozenset[WorkflowId]:
        return frozenset()

    def wants_a_probe(self) -> bool:
        return False


def test_people_are_heard_while_planning_is_stopped_and_the_house_is_full() -> None:
    """More requests wait than may be held unplanned; a cancel behind all of them is heard, and none of them is lost."""
    count = UNPLANNED_WHILE_STOPPED_MAX + 50

    async def scenario(house: House) -> None:
        gate = Stopped()
        house.planner.hold()
        async with house.process(house.world(planning=gate), workflows_in_flight_max=1_000) as orchestrator:
            for number in range(count):
                house.send(f"web-{number}")
            await house.until(lambda: orchestrator.in_memory == UNPLANNED_WHILE_STOPPED_MAX)
            await asyncio.sleep(600)
            assert orchestrator.in_memory == UNPLANNED_WHILE_STOPPED_MAX
            house.send("web-0", say="cancel")
            await house.until(lambda: ("web-0", "cancelled") in house.outcomes(), within_s=10)
            gate.why = None
            house.planner.release()
            await house.until(lambda: len(house.outcomes()) == count)
        assert house.dead() == []

    in_house(scenario)
