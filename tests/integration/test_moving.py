"""A journal moves between stores whole, is compared, can be moved back, and a broken-off move is begun again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec import structs

from benchmarks import moving
from jada_orchestrator.adapters.journal.opening import open_store
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.ids import CatalogueVersion, OutcomeId, TaskId, Tenant, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import (
    CallDue,
    Entry,
    OutcomeDelivered,
    OutcomeReopened,
    TaskSucceeded,
    WorkflowRetired,
)
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.template import Template
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.journal import Append, Head, JournalInUseError, Stored
from jada_orchestrator.ports.queues import Delivery
from jada_orchestrator.service.moving import Moved, MoveFailedError, move
from jada_orchestrator.testing.catalogues import travel_catalogue
from jada_orchestrator.testing.postgres_server import PostgresServer

HEAD = Head("web", "t", "running", "m", UtcMs(1), None, "customer:1", CatalogueVersion("c"), False, False, False)
WORKFLOWS = 450
TEMPLATE = Template(
    "key", travel_catalogue().version, {"booking.city": "text"}, ("booking.city",), '{"tasks": []}', UtcMs(5)
)


def workflow(number: int) -> Append:
    """A workflow; every third is still under way, and some hold texts that no database likes."""
    text = ["plain", "a\x00b", "\ud800", "é 🛫"][number % 4]
    entries = (
        Entry(1, UtcMs(number), CallDue(TaskId("t"), "do")),
        Entry(2, UtcMs(number + 1), TaskSucceeded(TaskId("t"), "call", 1, packed({"text": text}))),
    )
    head = structs.replace(HEAD, request_id=f"web-{number}-{text}", done=number % 3 != 0)
    return Append(
        WorkflowId(f"wf-{number:06}"), entries, structs.replace(head, catalogue_version=travel_catalogue().version)
    )


async def fill(url: str, numbers: Sequence[int]) -> None:
    """Put workflows and their catalogue into a store."""
    journal = open_store(url).journal
    await journal.open()
    await journal.put_catalogue(travel_catalogue())
    await journal.append([workflow(number) for number in numbers])
    await journal.put_template(TEMPLATE)
    await journal.close()


async def contents(url: str) -> list[Stored]:
    """Everything in a store, in order."""
    journal = open_store(url).journal
    await journal.open()
    found = [stored async for stored in journal.everything()]
    assert await journal.catalogue(travel_catalogue().version) == travel_catalogue()
    assert await journal.templates() == [TEMPLATE]
    await journal.close()
    return found


@pytest.fixture
def database(postgres_server: PostgresServer) -> str:
    """An empty schema."""
    postgres_server.sql("DROP SCHEMA IF EXISTS moving CASCADE")
    return f"{postgres_server.url()}?schema=moving"


async def test_there_and_back(tmp_path: Path, database: str) -> None:
    """From a file into the database and back into another file: the same workflows in the same order, to the letter."""
    before, after = f"sqlite://{tmp_path / 'before.db'}", f"sqlite://{tmp_path / 'after.db'}"
    await fill(before, range(WORKFLOWS))
    assert await move(before, database) == Moved(WORKFLOWS, WORKFLOWS // 3, 2 * WORKFLOWS, 1, 1)
    assert await move(database, after) == Moved(WORKFLOWS, WORKFLOWS // 3, 2 * WORKFLOWS, 1, 1)
    first, last = await contents(before), await contents(after)
    assert [(each.workflow_id, each.entries) for each in first] == [(each.workflow_id, each.entries) for each in last]


async def test_what_the_runtime_left_moves_there_and_back(tmp_path: Path, database: str) -> None:
    """Bookings that have ended, are retired, or wait for workers come back as they were; the long run's short form."""
    before, after = f"sqlite://{tmp_path / 'before.db'}", f"sqlite://{tmp_path / 'after.db'}"
    await moving.make(before, tmp_path, 6, 4, 2)
    there = await move(before, database)
    assert (there.workflows, there.unfinished) == (10, 4)
    assert await move(database, after) == there
    first = await moving.contents(before)
    assert sum(each.head.retired for each in first) == 2
    assert await moving.contents(after) == first


async def test_what_was_retired_moves_as_it_is(tmp_path: Path, database: str) -> None:
    """A tombstone keeps its number, what was told since follows it, and the next store goes on from there."""
    before, after = f"sqlite://{tmp_path / 'before.db'}", f"sqlite://{tmp_path / 'after.db'}"
    at = UtcMs(5)
    record = WorkflowRetired(
        "web",
        Tenant("t"),
        "d",
        False,
        None,
        "completed",
        None,
        "m",
        False,
        1,
        Usage(),
        at,
        at,
        OutcomeId("o"),
        at,
        2,
        at,
    )
    ended = structs.replace(HEAD, done=True, status="completed", finished_at=at)
    retired = structs.replace(ended, retired=True, ordering_key=None, catalogue_version=CatalogueVersion(""))
    journal = open_store(before).journal
    await journal.open()
    told, whole = (structs.replace(workflow(number), head=ended) for number in range(2))
    await journal.append([told, whole])
    tombstones = [Append(each.workflow_id, (Entry(2, at, record),), retired) for each in (told, whole)]
    assert await journal.retire(tombstones[:1]) == 1
    asked = Append(
        told.workflow_id, (Entry(3, at, OutcomeReopened(OutcomeId("o"))),), structs.replace(retired, done=False)
    )
    await journal.append([asked])
    await journal.close()
    assert await move(before, database) == Moved(2, 1, 4, 1, 0)
    assert await move(database, after) == Moved(2, 1, 4, 1, 0)
    journal = open_store(after).journal
    await journal.open()
    found = [stored async for stored in journal.everything()]
    assert found == [
        Stored(told.workflow_id, asked.head, (*tombstones[0].entries, *asked.entries)),
        Stored(whole.workflow_id, ended, whole.entries),
    ]
    await journal.append(
        [structs.replace(asked, entries=(Entry(4, at, OutcomeDelivered(OutcomeId("o"))),), head=retired)]
    )
    assert await journal.retire(tombstones[1:]) == 1
    await journal.close()


async def test_what_was_moved_is_claimed_by_the_next_instance(tmp_path: Path, database: str) -> None:
    """After the move nothing is owned: the first daemon on the database takes up what is under way."""
    before = f"sqlite://{tmp_path / 'before.db'}"
    await fill(before, range(30))
    await move(before, database)
    store = open_store(database)
    await store.journal.open()
    assert store.ownership is not None
    assert len(await store.ownership.claim(100)) == 10
    await store.journal.close()


async def test_a_broken_off_move_is_begun_again(tmp_path: Path, database: str) -> None:
    """What an earlier move has written is not doubled, and the rest follows; a whole move again changes nothing."""
    before = f"sqlite://{tmp_path / 'before.db'}"
    await fill(before, range(WORKFLOWS))

    class BrokenOffError(Exception):
        """The move was broken off."""

    def after_one_batch(what: str, count: int) -> None:
        raise BrokenOffError(what, count)

    with pytest.raises(BrokenOffError):
        await move(before, database, after_one_batch)
    whole = await move(before, database)
    assert whole.workflows == WORKFLOWS
    assert await move(before, database) == whole


async def test_another_content_is_not_overwritten(tmp_path: Path, database: str) -> None:
    """A target that went on since, or holds more of a workflow than the source, is found by comparing."""
    before = f"sqlite://{tmp_path / 'before.db'}"
    await fill(before, range(3))
    await move(before, database)
    store = open_store(database)
    await store.journal.open()
    assert store.ownership is not None
    await store.ownership.claim(10)
    more = Entry(3, UtcMs(9), CallDue(TaskId("t"), "do"))
    await store.journal.append([Append(WorkflowId("wf-000000"), (more,), workflow(0).head)])
    await store.journal.close()
    with pytest.raises(MoveFailedError, match="wf-000000"):
        await move(before, database)


async def test_nobody_may_work_on_either(tmp_path: Path, database: str) -> None:
    """While an instance lives on the database, or a daemon has the file, nothing is moved."""
    before = f"sqlite://{tmp_path / 'before.db'}"
    await fill(before, range(3))
    live = open_store(database).journal
    await live.open()
    with pytest.raises(JournalInUseError, match="instances work on"):
        await move(before, database)
    await live.close()
    holder = open_store(before).journal
    await holder.open()
    with pytest.raises(JournalInUseError):
        await move(before, database)
    await holder.close()


async def test_messages_that_wait_in_the_store_are_not_left_behind(tmp_path: Path, database: str) -> None:
    """What one instance handed over and no other has taken is in no queue any more: it is settled before a move."""
    leaving = open_store(database)
    await leaving.journal.open()
    assert leaving.ownership is not None
    letter = Delivery(Message("{}", {}), "handle", "m-1", 1, 0)
    await leaving.ownership.requests.put(letter, WorkflowId("wf-a"), None)
    await leaving.journal.close()
    with pytest.raises(JournalInUseError, match="handed over"):
        await move(database, f"sqlite://{tmp_path / 'after.db'}")


async def test_a_store_is_not_moved_onto_itself(tmp_path: Path) -> None:
    """Source and target have to be two."""
    with pytest.raises(ValueError, match="the same store"):
        await move(f"sqlite://{tmp_path / 'a.db'}", f"sqlite://{tmp_path / 'a.db'}")
