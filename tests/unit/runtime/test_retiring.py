"""Retention beside the turns: what ended long ago is retired by itself, and nobody waits for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from jada_orchestrator.domain.ids import RequestId, TaskId, workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import CallDue, Entry
from jada_orchestrator.ports.journal import (
    Journal,
    JournalAmbiguousError,
    JournalCorruptError,
    JournalUnavailableError,
    Stored,
)
from jada_orchestrator.runtime.retiring import Retiring
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from jada_orchestrator.testing.journal import MemoryJournal
from jada_orchestrator.testing.shared_journal import SharedJournal, SharedStore
from jada_orchestrator.testing.virtual_time import run_virtually
from tests.unit.runtime.house import OUTCOMES, REQUESTS, House

ROOM = proposal(
    task("rooms", "trips.search", city="Lisbon"),
    task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
)
HOUR_MS = 3_600_000
DISTANT = UtcMs(9_000_000_000_000)


def in_house(scenario: Callable[[House], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on virtual time, and see that it leaves no task behind."""

    async def main() -> None:
        await scenario(House(lambda _: ROOM))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(main())


def is_retired(house: House, request_id: str = "web-1") -> bool:
    """Whether a tombstone stands in its place."""
    stored = house.store.workflows.get(workflow_id_of(RequestId(request_id)))
    return stored is not None and stored.head.retired


def is_done(house: House, request_id: str = "web-1") -> bool:
    """Whether it has come to its end, and nothing is left to do."""
    stored = house.store.workflows.get(workflow_id_of(RequestId(request_id)))
    return stored is not None and stored.head.done


def events(house: House) -> list[str]:
    """What was logged, by its names."""
    return [event for _, event, _, _ in house.log.lines]


async def booked(house: House, *names: str) -> None:
    """Have bookings come to their end."""
    for name in names:
        house.send(name)
    await house.until(lambda: all(is_done(house, name) for name in names))


def test_what_ended_is_retired_when_its_time_is_over() -> None:
    """Not before, and by itself; then one record is left of it, and the log tells once."""

    async def scenario(house: House) -> None:
        async with house.process(retention_ms=HOUR_MS):
            await booked(house, "web-1")
            await asyncio.sleep(3_500)
            assert not is_retired(house)
            await house.until(lambda: is_retired(house), within_s=500)
            await house.until(lambda: "workflows.retired" in events(house), within_s=500)
            await asyncio.sleep(1_000)
        assert len(house.store.workflows[workflow_id_of(RequestId("web-1"))].entries) == 1
        assert events(house).count("workflows.retired") == 1

    in_house(scenario)


def test_without_retention_everything_is_kept() -> None:
    """Zero means for ever."""

    async def scenario(house: House) -> None:
        async with house.process(retention_ms=0):
            await booked(house, "web-1")
            await asyncio.sleep(3_600)
        assert not is_retired(house)

    in_house(scenario)


def test_a_retired_request_is_known_again() -> None:
    """The same content has its outcome told again under its id; other content is a conflict; nothing is done twice."""

    async def scenario(house: House) -> None:
        async with house.process(retention_ms=1_000):
            await booked(house, "web-1")
            await house.until(lambda: is_retired(house))
            house.send("web-1")
            await house.until(lambda: len(house.outcomes()) == 2)
            house.send("web-1", text="check")
            await house.until(lambda: len(house.outcomes()) == 3)
            house.send("web-1", say="retry")
            await house.until(lambda: not house.queues.messages(REQUESTS))
            await house.until(lambda: is_done(house))
        assert house.outcomes() == [("web-1", "completed"), ("web-1", "completed"), ("web-1", "rejected")]
        first, again, _ = [json.loads(message.body)["id"] for message in house.queues.messages(OUTCOMES)]
        assert first == again
        assert house.calls() == ["trips.search", "rooms.hold"]

    in_house(scenario)


def test_only_what_is_just_being_retired_is_waited_for() -> None:
    """While a tombstone is written, another booking runs from its message to its outcome; the same one waits for it."""

    async def scenario(house: House) -> None:
        journal = SlowlyRetiring(house.store, 600.0)
        async with house.process(replace(house.world(), journal=journal), retention_ms=1_000):
            await booked(house, "web-1")
            await journal.begun.wait()
            await booked(house, "web-2")
            house.send("web-1")
            await asyncio.sleep(300)
            assert len(house.outcomes()) == 2
            assert not is_retired(house)
            await house.until(lambda: len(house.outcomes()) == 3)
        [tombstone, *after] = house.store.workflows[workflow_id_of(RequestId("web-1"))].entries
        assert [type(entry.record).__name__ for entry in (tombstone, *after[:1])] == [
            "WorkflowRetired",
            "OutcomeReopened",
        ]

    in_house(scenario)


def test_what_is_in_memory_keeps_its_records() -> None:
    """Something is being decided about it: it is retired another time, and the others are not kept waiting."""

    async def scenario(house: House) -> None:
        async with house.process():
            await booked(house, "web-1", "web-2")
        known = {workflow_id_of(RequestId("web-1"))}
        journal = await opened(house)
        retiring = Retiring(journal, nobody, lambda each: each in known)
        assert await retiring.piece(DISTANT, DISTANT) == 1
        assert not is_retired(house, "web-1")
        assert is_retired(house, "web-2")
        known.clear()
        assert await retiring.piece(DISTANT, DISTANT) == 1
        assert await retiring.piece(DISTANT, DISTANT) == 0

    in_house(scenario)


def test_what_cannot_be_folded_holds_nothing_up() -> None:
    """It keeps its records, loudly and once, and what ended after it is retired."""

    async def scenario(house: House) -> None:
        async with house.process():
            await booked(house, "web-1", "web-2")
        broken = house.store.workflows[workflow_id_of(RequestId("web-1"))]
        entry = Entry(1, UtcMs(1), CallDue(TaskId("nobody"), "do"))
        house.store.workflows[broken.workflow_id] = Stored(broken.workflow_id, broken.head, (entry,))
        told: list[str] = []
        retiring = Retiring(await opened(house), lambda stored, why: told.append(stored.workflow_id))
        assert await retiring.piece(DISTANT, DISTANT, workflows_max=1) == 1
        assert is_retired(house, "web-2")
        assert told == [broken.workflow_id]

    in_house(scenario)


def test_much_that_cannot_be_folded_takes_no_room_from_the_rest() -> None:
    """Its records do not count among those of a piece, of which there are as many as otherwise."""

    async def scenario(house: House) -> None:
        async with house.process():
            await booked(house, "web-1", "web-2", "web-3")
        for name in ("web-1", "web-2"):
            broken = house.store.workflows[workflow_id_of(RequestId(name))]
            entries = tuple(Entry(seq, UtcMs(1), CallDue(TaskId("nobody"), "do")) for seq in range(1, 51))
            house.store.workflows[broken.workflow_id] = Stored(broken.workflow_id, broken.head, entries)
        retiring = Retiring(await opened(house), lambda *_: None)
        assert await retiring.piece(DISTANT, DISTANT, records_max=60) == 1
        assert is_retired(house, "web-3")
        assert await retiring.piece(DISTANT, DISTANT, records_max=60) == 0

    in_house(scenario)


def test_somebody_may_ask_for_more_than_the_setting_says() -> None:
    """It begins at once, is done once, and the setting holds again."""

    async def scenario(house: House) -> None:
        async with house.process(retention_ms=0) as orchestrator:
            await booked(house, *(f"web-{number}" for number in range(25)))
            asked_at_s = asyncio.get_running_loop().time()
            orchestrator.prune(UtcMs(house.clock.now() + 1))
            await house.until(lambda: all(is_retired(house, f"web-{number}") for number in range(25)))
            assert asyncio.get_running_loop().time() - asked_at_s < 2
            assert orchestrator.snapshot().retired == 25
            await booked(house, "web-late")
            await asyncio.sleep(1_000)
            assert not is_retired(house, "web-late")

    in_house(scenario)


def test_trouble_with_the_store_stops_neither_the_daemon_nor_retention() -> None:
    """It is tried again, whatever became of the commit; damage is told, and the turns go on."""

    async def scenario(house: House) -> None:
        errors: list[Exception] = [
            JournalUnavailableError("away"),
            JournalAmbiguousError("the answer was lost"),
            JournalCorruptError("an old record is damaged"),
        ]
        journal = Failing(house.store, errors)
        async with house.process(replace(house.world(), journal=journal), retention_ms=1_000):
            await booked(house, "web-1")
            await house.until(lambda: not errors)
            await booked(house, "web-2")
            await house.until(lambda: is_retired(house, "web-1") and is_retired(house, "web-2"), within_s=4_000)
        assert events(house).count("retention.stopped") == 1

    in_house(scenario)


def test_instances_that_ended_are_forgotten() -> None:
    """There is one more with each start; a day after its end one is not remembered any more."""

    async def scenario(house: House) -> None:
        store = SharedStore()
        house.store = store
        for number in range(3):
            journal = SharedJournal(store, name=f"life {number}")
            async with house.process(replace(house.world(), journal=journal, ownership=journal)) as orchestrator:
                await orchestrator.ready()
            await journal.close()
        journal = SharedJournal(store, name="the present one")
        async with house.process(replace(house.world(), journal=journal, ownership=journal)):
            await asyncio.sleep(3_700)
            assert len(store.members) == 4
            for member in store.members.values():
                member.ended_s -= 86_400
            await asyncio.sleep(3_700)
            assert [member.name for member in store.members.values()] == ["the present one"]
        await journal.close()

    in_house(scenario)


def nobody(stored: Stored, why: str) -> None:
    """Be told of nothing."""
    raise AssertionError(f"{stored.workflow_id} cannot be read: {why}")


async def opened(house: House) -> Journal:
    """A journal on the house's store."""
    journal = MemoryJournal(house.store)
    await journal.open()
    return journal


class SlowlyRetiring(MemoryJournal):
    """A journal whose tombstones take their time."""

    def __init__(self, store: Any, seconds: float) -> None:
        super().__init__(store)
        self.begun = asyncio.Event()
        self._seconds = seconds

    async def retire(self, tombstones: Any) -> int:
        """Retire after a while."""
        self.begun.set()
        await asyncio.sleep(self._seconds)
        return await super().retire(tombstones)


class Failing(MemoryJournal):
    """A journal that has trouble with what is old."""

    def __init__(self, store: Any, errors: list[Exception]) -> None:
        super().__init__(store)
        self._errors = errors

    async def retirable(self, before: UtcMs, workflows_max: int, records_max: int) -> Any:
        """Fail as often as was ordered; an ambiguous commit has happened."""
        found = await super().retirable(before, workflows_max, records_max)
        if found and self._errors:
            raise self._errors.pop(0)
        return found
