"""What follows from a turn is worked out while its commit is under way, and is true when it is carried out."""

from __future__ import annotations

import asyncio

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from jada_orchestrator.testing.virtual_time import run_virtually
from tests.unit.runtime.house import House

ROOM = proposal(
    task("rooms", "trips.search", city="Lisbon"),
    task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
)


def test_a_call_is_told_what_is_left_when_it_is_made() -> None:
    """However long the commit takes before a call, what the agent is told of its time counts from the call."""

    async def main() -> None:
        house = House(lambda _: ROOM)
        house.append_delay_s = 3.0
        seen: list[tuple[int, int]] = []

        def note(call: AgentCall) -> JsonObject:
            seen.append((call.timeout_ms, call.deadline - house.clock.now()))
            return house.agents.do(call)

        for name in ("jada-trips", "jada-rooms"):
            house.functions.add(name, note)
        async with house.process():
            house.send()
            await house.until(house.outcomes)
        assert len(seen) == 2
        assert all(told == left for told, left in seen)

    run_virtually(main())


def test_what_a_drain_finds_under_the_commit_is_not_begun() -> None:
    """A call whose start is being committed when the drain begins was worked out before, and is left to the next."""

    async def main() -> None:
        house = House(lambda _: ROOM)
        house.append_delay_s = 3.0

        async def stop_within_a_commit(orchestrator: Orchestrator) -> None:
            await house.until(lambda: house.planner.questions)
            commits = orchestrator.health.commits
            await asyncio.sleep(1)  # the plan is there, and the commit with the first attempt on its way
            assert orchestrator.health.commits == commits
            orchestrator.stop()

        async with house.process() as orchestrator:
            house.send()
            await stop_within_a_commit(orchestrator)
            await house.until(lambda: "daemon.parked" in house.log.events())
        assert house.calls() == []
        house.append_delay_s = 0.0
        async with house.process():
            await house.until(house.outcomes)
        assert house.calls() == ["trips.search", "rooms.hold"]

    run_virtually(main())
