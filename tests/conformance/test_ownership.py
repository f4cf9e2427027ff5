"""What every store promises that several instances share. A new one joins by a `Place` of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from decimal import Decimal
from typing import Final, Protocol

import pytest
from msgspec import structs

from jada_orchestrator.adapters.journal.codec import KINDS, SINCE, RecordCodec
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.journal import PostgresJournal
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import CatalogueVersion, TaskId, Tenant, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import CallDue, Entry, Record, TaskStands, WorkflowRetired
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.template import Template
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.journal import Append, Head, Journal, JournalSupersededError
from jada_orchestrator.ports.ownership import Ownership, Wanted
from jada_orchestrator.ports.queues import Delivery
from jada_orchestrator.testing.postgres_server import PostgresServer
from jada_orchestrator.testing.shared_journal import SharedJournal, SharedStore

HEAD: Final = Head("web", "t", "running", "m", UtcMs(1), None, None, CatalogueVersion("c"), False, False, False)

PRESENT: Final = RecordCodec()
OLD: Final = RecordCodec({kind: cls for kind, cls in KINDS.items() if cls is not TaskStands})
NEW: Final = RecordCodec(since={**SINCE, "task_stands": OLD.format + 1})
"""Two programs: the old one has no `TaskStands`, which the new one brought."""
BEFORE_TOMBSTONES: Final = RecordCodec(
    {kind: cls for kind, cls in KINDS.items() if cls is not WorkflowRetired}, since={}
)
"""A program that does not know tombstones."""


class Place(Protocol):
    """One store; instances of it are made as by different processes."""

    def instance(self, codec: RecordCodec = PRESENT) -> tuple[Journal, Ownership]:
        """An instance, which begins when its journal is opened; `codec` is what its program knows."""

    def expire(self, number: int) -> None:
        """Let an instance's lease have run out an hour ago."""

    def number_of(self, journal: Journal) -> int:
        """An open instance's number."""


class MemoryPlace:
    """One object."""

    def __init__(self) -> None:
        self._store = SharedStore()

    def instance(self, codec: RecordCodec = PRESENT) -> tuple[Journal, Ownership]:
        def format_of(record: Record) -> int:
            return codec.format_of(codec.encode(record).kind)

        made = SharedJournal(
            self._store,
            reads=codec.format,
            format_of=format_of,
            tombstones=codec.format_of("workflow_retired"),
        )
        return made, made

    def expire(self, number: int) -> None:
        self._store.members[number].lease_until_s -= 3_600

    def number_of(self, journal: Journal) -> int:
        assert isinstance(journal, SharedJournal)
        return journal.number


class PostgresPlace:
    """One schema of a database on a real server."""

    schema: Final = "ownership"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._address = Address.of(f"{server.url()}?schema={self.schema}")

    def instance(self, codec: RecordCodec = PRESENT) -> tuple[Journal, Ownership]:
        made = PostgresJournal(self._address, codec=codec)
        return made, made.ownership

    def expire(self, number: int) -> None:
        past = "lease_until = clock_timestamp() - interval '1 hour'"
        self._server.sql(f"UPDATE {self.schema}.instances SET {past} WHERE number = {int(number)}")  # noqa: S608 - a number

    def number_of(self, journal: Journal) -> int:
        assert isinstance(journal, PostgresJournal)
        return journal.ownership.number

    def drop(self) -> None:
        """Remove it."""
        self._server.sql(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")


@pytest.fixture(params=["memory", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place of each kind, empty."""
    if request.param == "memory":
        yield MemoryPlace()
        return
    made = PostgresPlace(request.getfixturevalue("postgres_server"))
    yield made
    made.drop()


@pytest.fixture
async def pair(place: Place) -> AsyncIterator[tuple[tuple[Journal, Ownership], tuple[Journal, Ownership]]]:
    """Two live instances."""
    one, two = place.instance(), place.instance()
    for journal, _ in (one, two):
        await journal.open()
    yield one, two
    for journal, _ in (one, two):
        await journal.close()


Pair = tuple[tuple[Journal, Ownership], tuple[Journal, Ownership]]


def request(name: str, key: str | None = None) -> Wanted:
    """What a request wants."""
    return Wanted(WorkflowId(name), may_begin=True, ordering_key=key)


def about(name: str) -> Wanted:
    """What a reply or a control message wants."""
    return Wanted(WorkflowId(name))


def appended(name: str, seq: int = 1, *, key: str | None = None, done: bool = False) -> Append:
    """The `seq`-th entry of a workflow."""
    entry = Entry(seq, UtcMs(seq), CallDue(TaskId(f"t{seq}"), "do"))
    return Append(WorkflowId(name), (entry,), structs.replace(HEAD, request_id=name, ordering_key=key, done=done))


def stands(name: str, seq: int, *, key: str | None = None, done: bool = False) -> Append:
    """The same, of the kind that only new programs know."""
    before = appended(name, seq, key=key, done=done)
    return structs.replace(before, entries=(Entry(seq, UtcMs(seq), TaskStands(TaskId("t"), Failure("X", "x"))),))


async def begin(instance: tuple[Journal, Ownership], *names: str, key: str | None = None) -> None:
    """Take and begin workflows."""
    journal, ownership = instance
    taken = await ownership.take([request(name, key) for name in names])
    assert taken.elsewhere == frozenset()
    await journal.append([appended(name, key=key) for name in names])


async def claimed(instance: tuple[Journal, Ownership], workflows_max: int = 100) -> list[str]:
    """Claim, and return the names."""
    return [stored.workflow_id for stored in await instance[1].claim(workflows_max)]


def letter(name: str) -> Delivery:
    """A message."""
    return Delivery(Message(f"about {name} \x00 \ud800", {"a": "b"}), "handle", name, 1, 0)


async def received(ownership: Ownership) -> Sequence[Delivery]:
    """What is in the mailbox for requests now; nothing, when nothing is."""
    await ownership.renew()
    try:
        async with asyncio.timeout(0.3):
            return await ownership.requests.receive(10)
    except TimeoutError:
        return []


async def test_what_one_owns_the_other_leaves_alone(pair: Pair) -> None:
    """A workflow of a live instance is elsewhere for the others, cannot be claimed, and takes no entry of theirs."""
    one, two = pair
    await begin(one, "wf-a")
    taken = await two[1].take([about("wf-a"), request("wf-a"), about("wf-nobody")])
    assert taken.elsewhere == {WorkflowId("wf-a")}
    assert not taken.stored
    assert await claimed(two) == []
    with pytest.raises(JournalSupersededError):
        await two[0].append([appended("wf-a", 2)])
    assert len((await one[1].take([about("wf-a")])).stored[WorkflowId("wf-a")].entries) == 1


async def test_of_two_that_take_a_new_request_one_gets_it(pair: Pair) -> None:
    """However the same new requests arrive at two instances at once, each is one's, and the other hands it over."""
    one, two = pair
    names = [f"wf-{number}" for number in range(40)]
    first, second = await asyncio.gather(
        one[1].take([request(name) for name in names]), two[1].take([request(name) for name in reversed(names)])
    )
    assert first.elsewhere | second.elsewhere == set(names)
    assert first.elsewhere & second.elsewhere == set()


async def test_what_is_not_there_is_not_begun_by_a_reply(pair: Pair) -> None:
    """A reply or a control message to an unknown workflow is nobody's, and reserves nothing."""
    one, two = pair
    for _, ownership in pair:
        taken = await ownership.take([about("wf-a")])
        assert not taken.elsewhere
        assert not taken.stored
    await begin(one, "wf-a")
    assert (await two[1].take([about("wf-a")])).elsewhere == {WorkflowId("wf-a")}


async def test_a_finished_workflow_is_anybodys_once(pair: Pair) -> None:
    """What is done may be taken up by whoever is asked first; then it is that instance's."""
    one, two = pair
    await begin(one, "wf-a")
    await one[0].append([appended("wf-a", 2, done=True)])
    assert len((await two[1].take([about("wf-a")])).stored) == 1
    assert (await one[1].take([about("wf-a")])).elsewhere == {WorkflowId("wf-a")}
    await two[0].append([appended("wf-a", 3)])
    assert (await one[1].take([about("wf-a")])).elsewhere == {WorkflowId("wf-a")}


async def test_workflows_of_an_expired_instance_are_claimed_once(place: Place, pair: Pair) -> None:
    """When a lease has run out, the others share what was owned: oldest first, each workflow once, none left."""
    one, two = pair
    third = place.instance()
    await third[0].open()
    await begin(one, *(f"wf-{number:02}" for number in range(30)))
    assert await claimed(two) == []
    place.expire(place.number_of(one[0]))
    assert (await two[1].renew()).unclaimed
    oldest = await claimed(two, 5)
    assert oldest == [f"wf-{number:02}" for number in range(5)]
    found = await asyncio.gather(*(claimed(each, 7) for each in (two, third, two, third, two)))
    names = [name for some in found for name in some]
    rest = await claimed(third)
    assert sorted([*oldest, *names, *rest]) == [f"wf-{number:02}" for number in range(30)]
    assert not (await two[1].renew()).unclaimed
    await third[0].close()


async def test_an_ended_instance_acts_no_more(place: Place, pair: Pair) -> None:
    """Once ended, an instance can neither renew, take, claim nor append, whatever it believes."""
    one, two = pair
    await begin(one, "wf-a")
    await one[1].take([request("wf-c")])
    place.expire(place.number_of(one[0]))
    assert await claimed(two) == ["wf-a"]
    for attempt in (
        one[1].renew(),
        one[1].take([request("wf-b")]),
        one[1].claim(10),
        one[0].append([appended("wf-a", 2)]),
        one[0].append([appended("wf-c")]),
        one[0].append([]),
    ):
        with pytest.raises(JournalSupersededError):
            await attempt
    await two[0].append([appended("wf-a", 2)])


async def test_a_renewed_lease_is_not_ended(place: Place, pair: Pair) -> None:
    """A lease that had run out, but was renewed before anybody ended the instance, is as good as ever."""
    one, two = pair
    await begin(one, "wf-a")
    place.expire(place.number_of(one[0]))
    await one[1].renew()
    assert await claimed(two) == []
    await one[0].append([appended("wf-a", 2)])


async def test_who_leaves_hands_over_at_once(pair: Pair) -> None:
    """Closing ends the instance without its lease being waited for, and the others are woken."""
    one, two = pair
    await begin(one, "wf-a", "wf-b")
    woken = asyncio.create_task(two[1].woken())
    await one[0].close()
    async with asyncio.timeout(5):
        await woken
    assert await claimed(two) == ["wf-a", "wf-b"]
    await two[0].append([appended("wf-a", 2)])


async def test_what_is_given_up_is_claimed_while_the_giver_goes_on(pair: Pair) -> None:
    """Workflows that a live instance gives up are claimed at once, lanes whole, and written to by both sides since.

    What the giver wrote before does not stand in the way when it takes up the finished workflow again.
    """
    one, two = pair
    await begin(one, "wf-a", "wf-b")
    await begin(one, "wf-c", "wf-d", key="customer:1")
    woken = asyncio.create_task(two[1].woken())
    await one[1].release([WorkflowId("wf-a"), WorkflowId("wf-c"), WorkflowId("wf-d")])
    await one[1].release([WorkflowId("wf-a")])
    async with asyncio.timeout(5):
        await woken
    assert (await one[1].take([about("wf-a")])).elsewhere == {WorkflowId("wf-a")}
    assert await claimed(two) == ["wf-a", "wf-c", "wf-d"]
    assert not (await two[1].renew()).unclaimed
    with pytest.raises(JournalSupersededError):
        await one[0].append([appended("wf-a", 2)])
    await one[0].append([appended("wf-b", 2)])
    assert (await one[1].take([request("wf-e", "customer:1")])).elsewhere == {WorkflowId("wf-e")}
    await two[0].append([appended("wf-a", 2, done=True)])
    assert len((await one[1].take([about("wf-a")])).stored[WorkflowId("wf-a")].entries) == 2
    await one[0].append([appended("wf-a", 3)])


async def test_an_ended_instance_gives_nothing_up(place: Place, pair: Pair) -> None:
    """Who has been ended is told so, and moves nothing."""
    one, two = pair
    await begin(one, "wf-a")
    place.expire(place.number_of(one[0]))
    assert await claimed(two) == ["wf-a"]
    with pytest.raises(JournalSupersededError):
        await one[1].release([WorkflowId("wf-a")])
    await two[0].append([appended("wf-a", 2)])


@pytest.fixture
async def mixed(place: Place) -> AsyncIterator[tuple[tuple[Journal, Ownership], tuple[Journal, Ownership]]]:
    """A live instance of an old program, and one of a new one."""
    old, new = place.instance(OLD), place.instance(NEW)
    for journal, _ in (old, new):
        await journal.open()
    yield old, new
    for journal, _ in (old, new):
        await journal.close()


async def test_an_old_program_claims_nothing_that_it_cannot_read(place: Place, mixed: Pair) -> None:
    """Of what a new program leaves, an old one claims what has only old records; the rest waits for a new one."""
    old, new = mixed
    await begin(new, "wf-plain", "wf-new")
    await begin(new, "wf-lane-1", "wf-lane-2", key="customer:1")
    await new[0].append([stands("wf-new", 2), stands("wf-lane-2", 2, key="customer:1")])
    await new[0].append([appended("wf-new", 3)])
    assert await old[1].left() == 0
    await new[0].close()
    assert await claimed(old) == ["wf-plain"]
    assert await claimed(old) == []
    assert await old[1].left() == 2
    taken = await old[1].take([about("wf-new"), request("wf-lane-3", "customer:1")])
    assert taken.elsewhere == {WorkflowId("wf-new"), WorkflowId("wf-lane-3")}
    newer = place.instance(NEW)
    await newer[0].open()
    assert await claimed(newer) == ["wf-new", "wf-lane-1", "wf-lane-2"]
    assert await old[1].left() == 0
    await newer[0].close()


async def test_a_new_program_takes_up_what_an_old_one_left(mixed: Pair) -> None:
    """The other way round nothing is in the way, and what goes on with new records is the old one's no more."""
    old, new = mixed
    await begin(old, "wf-a")
    await old[0].close()
    assert await claimed(new) == ["wf-a"]
    await new[0].append([stands("wf-a", 2)])


async def test_an_old_program_takes_nothing_finished_that_it_cannot_read(mixed: Pair) -> None:
    """A message about it is handed over, and stays in the store until a new program receives it."""
    old, new = mixed
    await begin(new, "wf-a")
    await new[0].append([stands("wf-a", 2, done=True)])
    assert (await old[1].take([about("wf-a")])).elsewhere == {WorkflowId("wf-a")}
    await old[1].requests.put(letter("a"), WorkflowId("wf-a"), None)
    assert await received(old[1]) == []
    assert [each.message_id for each in await received(new[1])] == ["a"]
    assert len((await new[1].take([about("wf-a")])).stored[WorkflowId("wf-a")].entries) == 2


def finished(name: str, seq: int) -> Append:
    """The last entry of a workflow that ended."""
    last = appended(name, seq, done=True)
    return structs.replace(last, head=structs.replace(last.head, status="completed", finished_at=UtcMs(seq)))


def tombstone(name: str, last: int) -> Append:
    """What is to stand in the place of its records."""
    usage, at = Usage(), UtcMs(1)
    record = WorkflowRetired(
        name, Tenant("t"), "d", False, None, "completed", None, "m", False, 1, usage, at, at, None, at, last, at
    )
    told = structs.replace(
        finished(name, last).head, ordering_key=None, catalogue_version=CatalogueVersion(""), retired=True
    )
    return Append(WorkflowId(name), (Entry(last, UtcMs(last), record),), told)


async def retirable(instance: tuple[Journal, Ownership]) -> list[str]:
    """The names of what an instance may retire."""
    return [stored.workflow_id for stored in await instance[0].retirable(UtcMs(1_000), 100, 1_000)]


async def test_what_nobody_acts_upon_is_retired_by_any_instance(pair: Pair) -> None:
    """What is finished is nobody's, and of two instances that retire the same one does; it can be taken afterwards."""
    one, two = pair
    await begin(one, "wf-a", "wf-b")
    await one[0].append([finished("wf-a", 2), finished("wf-b", 2)])
    assert await retirable(one) == await retirable(two) == ["wf-a", "wf-b"]
    done = await asyncio.gather(*(each[0].retire([tombstone("wf-a", 2), tombstone("wf-b", 2)]) for each in pair))
    assert sum(done) == 2
    taken = await two[1].take([about("wf-a")])
    assert taken.stored[WorkflowId("wf-a")].entries == tombstone("wf-a", 2).entries


async def test_what_a_live_instance_has_taken_keeps_its_records(place: Place, pair: Pair) -> None:
    """It may be deciding just now, and what it sends may arrive late; once it has ended, anybody may retire it."""
    one, two = pair
    await begin(one, "wf-a", "wf-b")
    await one[0].append([finished("wf-a", 2), finished("wf-b", 2)])
    await two[1].take([about("wf-a"), about("wf-b")])
    for each in pair:
        assert await retirable(each) == []
        assert await each[0].retire([tombstone("wf-a", 2)]) == 0
    place.expire(place.number_of(two[0]))
    assert await claimed(one) == []  # which ends the other one
    assert await retirable(one) == ["wf-a", "wf-b"]
    assert await one[0].retire([tombstone("wf-a", 2)]) == 1


async def test_a_commit_is_repeated_after_another_instance_has_retired_its_workflow(pair: Pair) -> None:
    """Its answer was lost, and the workflow was over with it: it counts as made, and what else is in it is there."""
    one, two = pair
    await begin(one, "wf-a", "wf-b")
    batch = [finished("wf-a", 2), appended("wf-b", 2)]
    await one[0].append(batch)
    assert await two[0].retire([tombstone("wf-a", 2)]) == 1
    await one[0].append(batch)
    found = await two[0].load([WorkflowId("wf-a"), WorkflowId("wf-b")])
    assert found[WorkflowId("wf-a")].entries == tombstone("wf-a", 2).entries
    assert found[WorkflowId("wf-a")].head.retired
    assert len(found[WorkflowId("wf-b")].entries) == 2
    await one[0].append([appended("wf-b", 3)])


async def test_nothing_is_retired_while_a_program_lives_that_knows_no_tombstones(place: Place) -> None:
    """It would stop at one; as soon as the last of its kind has ended, the others retire."""
    old, new = place.instance(BEFORE_TOMBSTONES), place.instance()
    for journal, _ in (old, new):
        await journal.open()
    await begin(new, "wf-a")
    await new[0].append([finished("wf-a", 2)])
    assert await retirable(new) == []
    assert await new[0].retire([tombstone("wf-a", 2)]) == 0
    await old[0].close()
    assert await retirable(new) == ["wf-a"]
    assert await new[0].retire([tombstone("wf-a", 2)]) == 1
    again = place.instance(BEFORE_TOMBSTONES)
    await again[0].open()
    assert (await again[1].take([about("wf-a")])).elsewhere == {WorkflowId("wf-a")}
    for journal, _ in (again, new):
        await journal.close()


async def test_instances_that_ended_long_ago_are_forgotten(place: Place, pair: Pair) -> None:
    """An ended one is kept for a while, and for as long as something of it is unclaimed; a live one always is."""
    one, two = pair
    await begin(two, "wf-a")
    gone = place.number_of(two[0])
    await two[0].close()
    assert await one[1].forget_ended(0, 0) == 0
    assert await claimed(one) == ["wf-a"]
    assert await one[1].forget_ended(3_600_000, 0) == 0
    assert await one[1].forget_ended(0, 0) == 1
    assert await one[1].forget_ended(0, 0) == 0
    later = place.instance()
    await later[0].open()
    assert place.number_of(later[0]) > gone
    await later[0].close()


async def test_what_a_forgotten_instance_had_finished_can_be_taken(place: Place, pair: Pair) -> None:
    """It had taken a finished workflow, and was forgotten: nobody acts upon that, and it stays ended itself."""
    one, two = pair
    await begin(one, "wf-a")
    await one[0].append([finished("wf-a", 2)])
    await two[1].take([about("wf-a")])
    place.expire(place.number_of(two[0]))
    assert await claimed(one) == []
    assert await one[1].forget_ended(0, 0) == 1
    assert len((await one[1].take([about("wf-a")])).stored[WorkflowId("wf-a")].entries) == 2
    with pytest.raises(JournalSupersededError):
        await two[0].append([appended("wf-a", 3)])


async def test_old_spending_is_forgotten(pair: Pair) -> None:
    """What was spent on days before one is forgotten with old instances, and what was on later ones is not."""
    one, two = pair
    for day in (1, 2):
        await one[1].share_spending(day, {"t": Decimal(day)})
    await one[1].forget_ended(3_600_000, 2)
    assert await two[1].share_spending(1, {}) == {}
    assert await two[1].share_spending(2, {}) == {"t": Decimal(2)}


async def test_templates_that_change_are_told_to_all(place: Place, pair: Pair) -> None:
    """Whoever keeps a template or lets one go, every instance is told that there may be others; nobody else says so."""
    one, two = pair
    told = asyncio.create_task(two[1].templates_told())
    await _heard_all_so_far(place, two[1])
    assert not told.done()
    await one[0].put_template(Template("key", CatalogueVersion("c"), {}, (), "{}", UtcMs(1)))
    async with asyncio.timeout(5):
        await told
    told = asyncio.create_task(two[1].templates_told())
    await _heard_all_so_far(place, two[1])
    assert not told.done()
    await one[0].drop_template("key")
    async with asyncio.timeout(5):
        await told


async def _heard_all_so_far(place: Place, ownership: Ownership) -> None:
    """Wait until an instance has heard all that was said: what is said is heard in order, and a leave is said last."""
    journal, _ = place.instance()
    await journal.open()
    await journal.close()
    async with asyncio.timeout(5):
        await ownership.woken()


async def test_a_lane_is_one_instances(pair: Pair) -> None:
    """While a lane is one's, newcomers to it are that instance's, wherever they arrive; other lanes are free."""
    one, two = pair
    await begin(one, "wf-a", key="customer:1")
    taken = await two[1].take([request("wf-b", "customer:1"), request("wf-c", "customer:2")])
    assert taken.elsewhere == {WorkflowId("wf-b")}
    assert (await one[1].take([request("wf-b", "customer:1")])).elsewhere == frozenset()


async def test_a_lane_is_claimed_whole(place: Place, pair: Pair) -> None:
    """A lane goes to one claimer with all of its workflows, also when fewer were asked for."""
    one, two = pair
    await begin(one, "wf-a", "wf-b", "wf-c", key="customer:1")
    await begin(one, "wf-d")
    place.expire(place.number_of(one[0]))
    assert await claimed(two, 1) == ["wf-a", "wf-b", "wf-c"]
    assert await claimed(two, 1) == ["wf-d"]
    assert (await two[1].take([request("wf-e", "customer:1")])).elsewhere == frozenset()


async def test_what_was_only_reserved_is_free_again(place: Place, pair: Pair) -> None:
    """An instance that died between taking a request and its first record leaves nothing behind, lane or id."""
    one, two = pair
    await one[1].take([request("wf-a", "customer:1")])
    assert (await two[1].take([request("wf-a", "customer:1")])).elsewhere == {WorkflowId("wf-a")}
    place.expire(place.number_of(one[0]))
    assert await claimed(two) == []
    await begin(two, "wf-a", key="customer:1")


async def test_mail_goes_to_the_owner(pair: Pair) -> None:
    """What is handed over is received by the owner alone, whole, once until it is given back, and deleted for good."""
    one, two = pair
    await begin(one, "wf-a")
    await two[1].requests.put(letter("a"), WorkflowId("wf-a"), None)
    assert await received(two[1]) == []
    [found] = await received(one[1])
    assert found.message == letter("a").message
    assert await received(one[1]) == [], "it is in hand"
    await one[1].requests.give_back([found])
    [found] = await received(one[1])
    await one[1].requests.delete([found])
    await begin(two, "wf-b")
    await one[1].requests.put(letter("b"), WorkflowId("wf-b"), None)
    assert await received(one[1]) == []


async def test_mail_follows_its_workflow_and_its_lane(place: Place, pair: Pair) -> None:
    """What was handed to an instance that died goes to the one that claims; a newcomer follows its lane."""
    one, two = pair
    await begin(one, "wf-a", key="customer:1")
    await two[1].requests.put(letter("a"), WorkflowId("wf-a"), None)
    await two[1].requests.put(letter("b"), WorkflowId("wf-b"), "customer:1")
    assert len(await received(one[1])) == 2
    place.expire(place.number_of(one[0]))
    assert await received(two[1]) == [], "nobody has ended it yet"
    assert await claimed(two) == ["wf-a"]
    assert {each.message_id for each in await received(two[1])} == {"a", "b"}


async def test_mail_for_what_is_done_finds_somebody(place: Place, pair: Pair) -> None:
    """A message to a workflow that finished meanwhile, also by one that has ended since, is received by any."""
    one, two = pair
    await begin(one, "wf-a")
    await one[0].append([appended("wf-a", 2, done=True)])
    await one[1].take([about("wf-a")])
    await two[1].requests.put(letter("a"), WorkflowId("wf-a"), None)
    place.expire(place.number_of(one[0]))
    assert await claimed(two) == []
    assert [each.message_id for each in await received(two[1])] == ["a"]
    assert len((await two[1].take([about("wf-a")])).stored) == 1


async def test_what_was_spent_is_known_to_all(pair: Pair) -> None:
    """Each instance learns by tenant what all others have told for the day, also those that have ended since."""
    one, two = pair
    assert await one[1].share_spending(20_000, {}) == {}
    await one[1].share_spending(20_000, {"acme": Decimal("1.5"), "zeta": Decimal(2)})
    await one[1].share_spending(20_000, {"acme": Decimal("1.75")})
    assert await two[1].share_spending(20_000, {"acme": Decimal("0.25")}) == {
        "acme": Decimal("1.75"),
        "zeta": Decimal(2),
    }
    assert await one[1].share_spending(20_000, {}) == {"acme": Decimal("0.25")}
    assert await two[1].share_spending(20_001, {}) == {}
    await two[0].close()
    assert await one[1].share_spending(20_000, {}) == {"acme": Decimal("0.25")}
