"""What follows from a turn is worked out while its commit is under way, and is true when it is carried out."""

from __future__ import annotations

from collections.abc import Sequence

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.records import AttemptStarted
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.journal import Append
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from jada_orchestrator.testing.journal import MemoryJournal
from jada_orchestrator.testing.virtual_time import run_virtually
from tests.unit.runtime.house import House

ROOM = proposal(
    task("rooms", "trips.search", city="Lisbon"),
    task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
)


class Watched(MemoryJournal):
    """A journal that tells what is being committed."""

    committing: Sequence[Append] = ()

    async def append(self, batch: Sequence[Append]) -> None:
        """Note the batch while it is on its way."""
        self.committing = batch
        await super().append(batch)
        self.committing = ()

    @property
    def starts_a_call(self) -> bool:
        """Whether the commit under way holds the start of a call."""
        entries = (entry for append in self.committing for entry in append.entries)
        return any(isinstance(entry.record, AttemptStarted) for entry in entries)


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
        journal = Watched(house.store, append_delay_s=3.0)
        async with house.process(house.world(journal=journal)) as orchestrator:
            house.send()
            await house.until(lambda: journal.starts_a_call)
            orchestrator.stop()
            await house.until(lambda: "daemon.parked" in house.log.events())
        assert house.calls() == []
        async with house.process():
            await house.until(house.outcomes)
        assert house.calls() == ["trips.search", "rooms.hold"]

    run_virtually(main())
