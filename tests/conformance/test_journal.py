"""What every journal promises, whatever it is made of. A new store joins by a `Place` of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from msgspec import structs

from jada_orchestrator.adapters.journal.codec import KINDS, RecordCodec
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.journal import PostgresJournal
from jada_orchestrator.adapters.journal.postgres.reader import PostgresJournalReader
from jada_orchestrator.adapters.journal.reader import SqliteJournalReader
from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.domain.catalogue import (
    Action,
    Agent,
    AgentLimits,
    Binding,
    Catalogue,
    Compensation,
    Effect,
    LambdaTransport,
    ModelSource,
    RetryPolicy,
    SqsTransport,
)
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import (
    ActionName,
    AgentName,
    CatalogueVersion,
    OutcomeId,
    TaskId,
    Tenant,
    WorkflowId,
)
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import (
    AttentionSettled,
    CallDue,
    Entry,
    OutcomeReopened,
    PlannerAnswered,
    PlannerBackedOff,
    PlanningStarted,
    TaskSucceeded,
    WorkflowRetired,
)
from jada_orchestrator.domain.template import Template
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.journal import (
    Append,
    Head,
    Journal,
    JournalAmbiguousError,
    JournalCorruptError,
    JournalInUseError,
    JournalReader,
    JournalSupersededError,
    JournalUnavailableError,
    Retirable,
    Stored,
)
from jada_orchestrator.testing.journal import MemoryJournal, MemoryJournalReader, MemoryStore
from jada_orchestrator.testing.postgres_server import PostgresServer

GOLDEN_FILES: Final = sorted((Path(__file__).parents[1] / "golden").glob("v*/*.jsonl"))


class Place(Protocol):
    """Where one store is; journals and readers of it are made as by different processes."""

    def journal(self) -> Journal:
        """A journal on the store, not yet open."""

    def reader(self) -> JournalReader:
        """A reader of the store."""

    is_shared: bool
    """Several processes may have it open at once; it is not taken over as a whole, but instance by instance."""

    def break_lock(self) -> None:
        """From here on a second process can open the store although the first one lives, and supersedes it."""

    async def take_over(self, journal: Journal) -> None:
        """Make what the superseded process had this open journal's own."""


class SqlitePlace:
    """One file."""

    is_shared = False

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.db"

    def journal(self) -> Journal:
        return SqliteJournal(self._path)

    def reader(self) -> JournalReader:
        return SqliteJournalReader(self._path)

    def break_lock(self) -> None:
        self._path.with_name("journal.db.lock").unlink()

    async def take_over(self, journal: Journal) -> None:
        """Nothing is left to do: the file is taken over whole."""


class MemoryPlace:
    """One object."""

    is_shared = False

    def __init__(self, folder: Path) -> None:
        self._store = MemoryStore(exclusive=True)

    def journal(self) -> Journal:
        return MemoryJournal(self._store)

    def reader(self) -> JournalReader:
        return MemoryJournalReader(self._store)

    def break_lock(self) -> None:
        self._store.kill_holder()

    async def take_over(self, journal: Journal) -> None:
        """Nothing is left to do."""


class PostgresPlace:
    """One schema of a database on a real server, which is started for the session."""

    is_shared = True

    def __init__(self, server: PostgresServer, schema: str) -> None:
        self._server = server
        self._schema = schema
        self.address = Address.of(f"{server.url()}?schema={schema}")

    def journal(self) -> Journal:
        return PostgresJournal(self.address)

    def reader(self) -> JournalReader:
        return PostgresJournalReader(self.address)

    def break_lock(self) -> None:
        ended = "ended_at = clock_timestamp(), ended = 'expired', unclaimed = true"
        self._server.sql(f"UPDATE {self._schema}.instances SET {ended}")  # noqa: S608 - constants

    async def take_over(self, journal: Journal) -> None:
        assert isinstance(journal, PostgresJournal)
        await journal.ownership.claim(1_000)

    def drop(self) -> None:
        """Remove it."""
        self._server.sql(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")


KINDS_OF_PLACE: Final = ("sqlite", "memory", "postgres")


@pytest.fixture(params=KINDS_OF_PLACE)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place of each kind, empty."""
    match request.param:
        case "sqlite":
            yield SqlitePlace(tmp_path)
        case "memory":
            yield MemoryPlace(tmp_path)
        case _:
            made = PostgresPlace(request.getfixturevalue("postgres_server"), "conformance")
            yield made
            made.drop()


@pytest.fixture
async def journal(place: Place) -> AsyncIterator[Journal]:
    """An open journal on the place."""
    opened = place.journal()
    await opened.open()
    yield opened
    await opened.close()


HEAD: Final = Head(
    request_id="web-1",
    tenant="acme",
    status="running",
    model="claude-sonnet-4-6",
    created_at=UtcMs(1_000),
    finished_at=None,
    ordering_key=None,
    catalogue_version=CatalogueVersion("0123456789abcdef"),
    done=False,
    quarantined=False,
    rejected=False,
)


def head(name: str = "web-1", **changes: Any) -> Head:
    """A head; `name` is its request id."""
    return structs.replace(HEAD, request_id=name, **changes)


def wf(name: str) -> WorkflowId:
    """A workflow id."""
    return WorkflowId(f"wf-{name}")


def entries(first: int, last: int, task: str = "hold") -> tuple[Entry, ...]:
    """Entries with these seqs, each distinguishable."""
    return tuple(
        Entry(seq, UtcMs(1_000 + seq), CallDue(TaskId(f"{task}_{seq}"), "do")) for seq in range(first, last + 1)
    )


async def unfinished(journal: Journal) -> list[Stored]:
    """Everything that recovery would load."""
    return [stored async for stored in journal.unfinished()]


async def everything(journal: Journal, *names: str) -> dict[str, tuple[Entry, ...]]:
    """The entries of workflows, by name."""
    found = await journal.load([wf(name) for name in names])
    return {workflow_id.removeprefix("wf-"): stored.entries for workflow_id, stored in found.items()}


async def test_what_was_appended_is_there_for_the_next_process(place: Place) -> None:
    """After a close and an open by another process, entries and heads are as they were written, in order."""
    first = place.journal()
    await first.open()
    await first.append([Append(wf("a"), entries(1, 2), head()), Append(wf("b"), entries(1, 1), head("web-2"))])
    await first.append([Append(wf("a"), entries(3, 3), head(status="compensating"))])
    await first.close()
    second = place.journal()
    await second.open()
    found = await second.load([wf("b"), wf("a"), wf("nobody")])
    await second.close()
    assert found == {
        wf("a"): Stored(wf("a"), head(status="compensating"), entries(1, 3)),
        wf("b"): Stored(wf("b"), head("web-2"), entries(1, 1)),
    }


async def test_a_batch_is_all_or_nothing(journal: Journal) -> None:
    """A batch in which one append cannot be is refused, and nothing of the others is written."""
    with pytest.raises(JournalCorruptError):
        await journal.append([Append(wf("a"), entries(1, 2), head()), Append(wf("b"), entries(2, 2), head())])
    assert await everything(journal, "a", "b") == {}
    await journal.append([Append(wf("a"), entries(1, 2), head()), Append(wf("b"), entries(1, 2), head())])
    assert await everything(journal, "a", "b") == {"a": entries(1, 2), "b": entries(1, 2)}


async def test_the_same_batch_again_is_accepted_once(journal: Journal) -> None:
    """A batch that is there entry for entry counts as appended, with no second copy and no older head."""
    batch = [Append(wf("a"), entries(1, 2), head()), Append(wf("b"), entries(1, 1), head("web-2"))]
    later = [Append(wf("a"), entries(3, 3), head(status="completed"))]
    for repeated in (batch, batch, later, batch, later):
        await journal.append(repeated)
    found = await journal.load([wf("a"), wf("b")])
    assert found[wf("a")] == Stored(wf("a"), head(status="completed"), entries(1, 3))
    assert found[wf("b")] == Stored(wf("b"), head("web-2"), entries(1, 1))


async def test_a_batch_that_was_there_in_part_is_completed(journal: Journal) -> None:
    """Entries that are there already may be followed by new ones in the same append."""
    await journal.append([Append(wf("a"), entries(1, 2), head())])
    await journal.append([Append(wf("a"), entries(1, 4), head())])
    assert await everything(journal, "a") == {"a": entries(1, 4)}


@pytest.mark.parametrize(
    "wrong",
    [
        entries(2, 2, "other"),
        entries(4, 4),
        entries(1, 1) + entries(3, 3),
        entries(3, 3) + entries(3, 3),
        entries(0, 0),
    ],
    ids=["another content", "a gap", "a gap inside", "a seq twice", "seq 0"],
)
async def test_what_does_not_follow_is_refused(journal: Journal, wrong: tuple[Entry, ...]) -> None:
    """Entries that contradict what is durable, or leave a gap, are refused; the journal stays usable."""
    await journal.append([Append(wf("a"), entries(1, 2), head())])
    with pytest.raises(JournalCorruptError, match="wf-a"):
        await journal.append([Append(wf("a"), wrong, head())])
    await journal.append([Append(wf("a"), entries(3, 3), head())])
    assert await everything(journal, "a") == {"a": entries(1, 3)}


async def test_one_batch_may_append_twice_to_a_workflow(journal: Journal) -> None:
    """Two appends to the same workflow in one batch follow one another; the last head stands."""
    await journal.append(
        [Append(wf("a"), entries(1, 1), head()), Append(wf("a"), entries(2, 3), head(status="planning"))]
    )
    assert await journal.load([wf("a")]) == {wf("a"): Stored(wf("a"), head(status="planning"), entries(1, 3))}


@pytest.mark.parametrize("size", [0, 1, 7, 511, 513, 1_500])
async def test_batches_of_every_size_arrive_whole(journal: Journal, size: int) -> None:
    """No size of batch loses, doubles or reorders an entry."""
    batch = [Append(wf(f"{number}"), entries(1, 2), head(f"web-{number}")) for number in range(size)]
    await journal.append(batch)
    assert [stored.workflow_id for stored in await unfinished(journal)] == [append.workflow_id for append in batch]
    assert set((await everything(journal, *map(str, range(size)))).values()) <= {entries(1, 2)}


async def test_unfinished_come_in_order_of_acceptance(journal: Journal) -> None:
    """Recovery gets what is not done, oldest first, whatever was written in between; the done ones stay loadable."""
    for name in ("c", "a", "b", "d"):
        await journal.append([Append(wf(name), entries(1, 1), head(name))])
    await journal.append([Append(wf("a"), entries(2, 2), head("a", done=True, status="completed", finished_at=5_000))])
    await journal.append([Append(wf("c"), entries(2, 2), head("c", quarantined=True))])
    assert [stored.head.request_id for stored in await unfinished(journal)] == ["c", "b", "d"]
    assert await everything(journal, "a") == {"a": entries(1, 2)}


async def test_everything_comes_in_order(journal: Journal) -> None:
    """For a move everything is told, finished or not, in order of acceptance, however many there are."""
    batch = [
        Append(wf(f"{number}"), entries(1, 2), head(f"web-{number}", done=number % 2 == 0)) for number in range(450)
    ]
    await journal.append(batch)
    assert [stored.workflow_id async for stored in journal.everything()] == [append.workflow_id for append in batch]


async def test_a_finished_workflow_can_be_taken_up_again(journal: Journal) -> None:
    """A workflow whose head was done takes further entries, for an outcome that is asked for again."""
    await journal.append([Append(wf("a"), entries(1, 2), head(done=True))])
    assert await unfinished(journal) == []
    await journal.append([Append(wf("a"), entries(3, 3), head(done=False))])
    assert [stored.entries for stored in await unfinished(journal)] == [entries(1, 3)]


async def test_many_workflows_are_recovered(journal: Journal) -> None:
    """More workflows than any chunk holds come back, each once, each whole."""
    batch = [Append(wf(f"{number}"), entries(1, 3), head(f"web-{number}")) for number in range(1_001)]
    await journal.append(batch)
    assert await unfinished(journal) == [Stored(append.workflow_id, append.head, append.entries) for append in batch]


async def test_appends_happen_in_the_order_in_which_they_were_made(journal: Journal) -> None:
    """Appends that are made without waiting for one another become durable in that order."""
    await asyncio.gather(*(journal.append([Append(wf("a"), entries(seq, seq), head())]) for seq in range(1, 30)))
    assert await everything(journal, "a") == {"a": entries(1, 29)}


async def test_a_second_opener_is_refused_or_disturbs_nobody(place: Place, journal: Journal) -> None:
    """While one process has the store, another is told who has it, or shares it; the first is not disturbed."""
    second = place.journal()
    if place.is_shared:
        await second.open()
        await journal.append([Append(wf("a"), entries(1, 1), head())])
        assert await everything(second, "a") == {"a": entries(1, 1)}
        await second.close()
        await journal.append([Append(wf("a"), entries(2, 2), head())])
        return
    with pytest.raises(JournalInUseError, match="in use by process"):
        await second.open()
    await journal.append([Append(wf("a"), entries(1, 1), head())])
    await journal.close()
    await second.open()
    assert await everything(second, "a") == {"a": entries(1, 1)}
    await second.close()


async def test_a_superseded_process_writes_no_more(place: Place, journal: Journal) -> None:
    """Once another process has taken the store over, every append, catalogue and template of the first is refused."""
    await journal.append([Append(wf("a"), entries(1, 1), head())])
    place.break_lock()
    second = place.journal()
    await second.open()
    for _ in range(2):
        with pytest.raises(JournalSupersededError):
            await journal.append([Append(wf("a"), entries(2, 2), head())])
    with pytest.raises(JournalSupersededError):
        await journal.put_catalogue(CATALOGUE)
    with pytest.raises(JournalSupersededError):
        await journal.put_template(Template("a", CATALOGUE.version, {}, (), "{}", UtcMs(5)))
    with pytest.raises(JournalSupersededError):
        await journal.drop_template("a")
    await place.take_over(second)
    await second.append([Append(wf("a"), entries(2, 2, "mine"), head())])
    assert await everything(second, "a") == {"a": entries(1, 1) + entries(2, 2, "mine")}
    await second.close()


async def test_closing_twice_is_closing_once(place: Place, journal: Journal) -> None:
    """A second close does nothing, and a closed journal says so instead of writing."""
    await journal.close()
    await journal.close()
    with pytest.raises(JournalUnavailableError):
        await journal.append([Append(wf("a"), entries(1, 1), head())])


READ: Final = ActionName("flights.search")
HOLD: Final = ActionName("flights.hold")
CATALOGUE: Final = Catalogue(
    CatalogueVersion("00ff00ff00ff00ff"),
    {
        AgentName("flights"): Agent(
            AgentName("flights"),
            "Procura e guarda opções.",
            LambdaTransport("jada-flights", "live"),
            ModelSource("ssm", "/jada/agents/flights/model"),
            AgentLimits(50, 20.0),
        ),
        AgentName("validator"): Agent(
            AgentName("validator"), "", SqsTransport("jada-validator"), ModelSource("inherit"), AgentLimits(5)
        ),
    },
    {
        HOLD: Action(
            HOLD,
            AgentName("flights"),
            "Holds.",
            Effect.RESERVE,
            {"type": "object", "required": ["offer_id"]},
            {"type": "object", "properties": {"n": {"maximum": 2**70, "default": 1.5}}},
            20_000,
            RetryPolicy(4, 200, 10_000),
            Compensation(READ, {"hold_id": Binding("output.hold_id"), "why": Binding(constant={"a": [1, None]})}),
            lookup=READ,
            amount=Binding("input.total"),
        ),
    },
)


async def test_templates_are_kept_replaced_and_let_go(place: Place, journal: Journal) -> None:
    """A template comes back equal, also to readers and to the next process; putting it again replaces it."""
    first = Template("b", CATALOGUE.version, {"booking.city": "text"}, ("booking.city",), '{"tasks": []}', UtcMs(5))
    other = replace(first, key="a", reads=(), pinned=True)
    await journal.put_template(first)
    await journal.put_template(other)
    assert await journal.templates() == [other, first]
    await journal.put_template(replace(first, pinned=True))
    await journal.drop_template("a")
    await journal.drop_template("nobody")
    assert await journal.templates() == [replace(first, pinned=True)]
    reader = place.reader()
    assert await reader.templates() == [replace(first, pinned=True)]
    await reader.close()


async def test_a_catalogue_is_kept_under_its_version(place: Place, journal: Journal) -> None:
    """A catalogue comes back equal, also to the next process; one that is there already is left as it is."""
    await journal.put_catalogue(CATALOGUE)
    await journal.put_catalogue(replace(CATALOGUE, actions={}))
    assert await journal.catalogue(CATALOGUE.version) == CATALOGUE
    assert await journal.catalogue(CatalogueVersion("ffffffffffffffff")) is None
    await journal.close()
    second = place.journal()
    await second.open()
    assert await second.catalogue(CATALOGUE.version) == CATALOGUE
    await second.close()


async def test_texts_of_any_kind_survive(journal: Journal) -> None:
    """Accents, emoji, NUL, quotes, long texts and lone surrogates come back as they were."""
    texts = ["Lisboa, à beira do Tejo", "🛫", "a\x00b", "'); DROP TABLE records;--", "x" * 300_000, "\ud800", ""]
    stored = tuple(
        Entry(seq, UtcMs(seq), TaskSucceeded(TaskId("t"), "call", 1, packed({"text": text})))
        for seq, text in enumerate(texts, start=1)
    )
    await journal.append([Append(wf("a"), stored, head())])
    assert await everything(journal, "a") == {"a": stored}


async def test_records_of_every_kind_and_version_survive(journal: Journal) -> None:
    """Whatever was ever written, as the golden files keep it, comes back from every store as the same value."""
    golden = [json.loads(line) for path in GOLDEN_FILES for line in path.read_text(encoding="utf-8").splitlines()]
    codec = RecordCodec()
    stored = tuple(
        Entry(seq, UtcMs(seq), codec.decode(each["kind"], each["version"], json.dumps(each["payload"])))
        for seq, each in enumerate(golden, start=1)
    )
    assert len(stored) >= len(KINDS)
    await journal.append([Append(wf("golden"), stored, head())])
    assert await everything(journal, "golden") == {"golden": stored}


# ------------------------------------------------------------------------------------------------------------- readers


async def ids(found: Sequence[tuple[WorkflowId, Head]]) -> list[str]:
    """The request ids of what a reader found."""
    return [each.request_id for _, each in found]


@pytest.fixture
async def reader(place: Place, journal: Journal) -> AsyncIterator[JournalReader]:
    """A reader beside the open journal, in which five workflows are."""
    await journal.append(
        [
            Append(wf("aa1"), entries(1, 1), head("web-7", done=True, status="completed", finished_at=UtcMs(9_000))),
            Append(wf("aa2"), entries(1, 2), head("web-77", tenant="zeta", ordering_key="customer:1")),
            Append(wf("rr3"), entries(1, 1), head("web-7", rejected=True, status="rejected")),
            Append(wf("bb4"), entries(1, 1), head("tel-8", quarantined=True)),
            Append(wf("bb5"), entries(1, 1), head("wf-aa")),
        ]
    )
    made = place.reader()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("web-7", ["wf-aa1", "wf-rr3"]),
        ("web-77", ["wf-aa2"]),
        ("web", ["wf-aa2", "wf-aa1", "wf-rr3"]),
        ("wf-aa", ["wf-bb5"]),
        ("wf-a", ["wf-bb5", "wf-aa2", "wf-aa1"]),
        ("wf-aa2", ["wf-aa2"]),
        ("%", []),
        ("web_7", []),
        ("nobody", []),
    ],
)
async def test_finding(reader: JournalReader, prefix: str, found: list[str]) -> None:
    """An exact id beats prefixes; accepted requests come before refused messages, then newest first."""
    assert [workflow_id for workflow_id, _ in await reader.find(prefix)] == found


async def test_finding_gives_at_most_twenty(place: Place, journal: Journal) -> None:
    """A prefix that fits many workflows gives the twenty newest."""
    await journal.append([Append(wf(f"{n:03}"), entries(1, 1), head(f"web-{n}")) for n in range(50)])
    reader = place.reader()
    assert [workflow_id for workflow_id, _ in await reader.find("wf-")] == [f"wf-{n:03}" for n in range(49, 29, -1)]
    await reader.close()


async def test_listing(reader: JournalReader) -> None:
    """Lists are newest first, filtered by status, tenant and quarantine, and no longer than asked for."""
    assert await ids(await reader.heads()) == ["wf-aa", "tel-8", "web-7", "web-77", "web-7"]
    assert await ids(await reader.heads(limit=2)) == ["wf-aa", "tel-8"]
    assert await ids(await reader.heads(status="completed")) == ["web-7"]
    assert await ids(await reader.heads(tenant="zeta")) == ["web-77"]
    assert await ids(await reader.heads(quarantined=True)) == ["tel-8"]
    assert await ids(await reader.heads(status="completed", tenant="zeta")) == []


async def test_listing_what_needs_a_person(reader: JournalReader, journal: Journal) -> None:
    """A booking that needs attention is on that list until a person has settled it; it stays on the others."""
    needy = {"status": "needs_attention", "done": True}
    await journal.append([Append(wf(name), entries(1, 1), head(name, **needy)) for name in ("web-5", "web-6")])
    assert await ids(await reader.heads(unsettled=True)) == ["web-6", "web-5"]
    settled = Entry(2, UtcMs(3_000), AttentionSettled("ann", "the hotel cancelled it by phone"))
    await journal.append([Append(wf("web-5"), (settled,), head("web-5", **needy))])
    assert await ids(await reader.heads(unsettled=True)) == ["web-6"]
    assert await ids(await reader.heads(unsettled=True, tenant="zeta")) == []
    assert await ids(await reader.heads(status="needs_attention")) == ["web-6", "web-5"]


async def test_a_history_is_whole_and_up_to_date(reader: JournalReader, journal: Journal) -> None:
    """A reader sees one workflow with all its entries, and what was appended after its last look."""
    before = await reader.history(wf("aa2"))
    await journal.append([Append(wf("aa2"), (Entry(3, UtcMs(2_000), PlanningStarted(1)),), head("web-77", done=True))])
    after = await reader.history(wf("aa2"))
    assert before == Stored(wf("aa2"), head("web-77", tenant="zeta", ordering_key="customer:1"), entries(1, 2))
    assert after is not None
    assert len(after.entries) == 3
    assert after.head.done
    assert await reader.history(wf("nobody")) is None


async def test_the_ledger_of_model_calls(place: Place, journal: Journal) -> None:
    """Every model call is read from its workflow's records: of a period, or of one workflow, in order."""

    def answered(model: str) -> PlannerAnswered:
        return PlannerAnswered(1, "{}", model, Usage(input_tokens=5, usd="0.1"), 900, 80, purpose="correction")

    failed = PlannerBackedOff(2, "wait", Failure("MODEL_OVERLOADED", "529"), UtcMs(9), Usage(), model="haiku")
    await journal.append(
        [
            Append(
                wf("a"),
                (*entries(1, 1), Entry(2, UtcMs(100), failed), Entry(3, UtcMs(200), answered("haiku"))),
                head("a", created_at=UtcMs(50)),
            ),
            Append(
                wf("b"), (*entries(1, 1), Entry(2, UtcMs(300), answered("sonnet"))), head("b", created_at=UtcMs(60))
            ),
        ]
    )
    reader = place.reader()
    calls = await reader.model_calls()
    assert [(call.workflow_id, call.at, call.model, call.answered) for call in calls] == [
        (wf("a"), 100, "haiku", False),
        (wf("a"), 200, "haiku", True),
        (wf("b"), 300, "sonnet", True),
    ]
    assert (calls[0].failure_code, calls[0].sent, calls[1].purpose) == ("MODEL_OVERLOADED", False, "correction")
    assert [call.at for call in await reader.model_calls(since=UtcMs(200), until=UtcMs(300))] == [200]
    assert [call.at for call in await reader.model_calls(workflow_id=wf("b"))] == [300]
    await reader.close()


async def test_a_reader_needs_no_daemon(place: Place) -> None:
    """A store that nobody has open can be read."""
    journal = place.journal()
    await journal.open()
    await journal.append([Append(wf("a"), entries(1, 1), head())])
    await journal.close()
    reader = place.reader()
    assert await ids(await reader.heads()) == ["web-1"]
    await reader.close()
    await reader.close()


# ---------------------------------------------------------------------------------------- faults on order


async def test_the_fake_fails_before_and_after_durability() -> None:
    """Planted faults hit one append each: before, nothing is there; after, everything is, and repeating is right."""
    store = MemoryStore(faults=["before", "after"])
    journal = MemoryJournal(store)
    await journal.open()
    batch = [Append(wf("a"), entries(1, 1), head())]
    with pytest.raises(JournalUnavailableError):
        await journal.append(batch)
    assert store.workflows == {}
    with pytest.raises(JournalAmbiguousError):
        await journal.append(batch)
    assert list(store.workflows) == [wf("a")]
    await journal.append(batch)
    assert await everything(journal, "a") == {"a": entries(1, 1)}


async def test_the_fake_is_away_until_released() -> None:
    """While a store is unavailable nothing works; afterwards everything does, and nothing is lost."""
    store = MemoryStore()
    journal, reader = MemoryJournal(store), MemoryJournalReader(store)
    await journal.open()
    await journal.append([Append(wf("a"), entries(1, 1), head())])
    store.unavailable = "the disk is full"
    for asked in (journal.append([]), journal.load([wf("a")]), unfinished(journal), reader.heads(), reader.find("w")):
        with pytest.raises(JournalUnavailableError, match="the disk is full"):
            await asked
    store.unavailable = None
    await journal.append([Append(wf("a"), entries(2, 2), head())])
    assert await everything(journal, "a") == {"a": entries(1, 2)}


async def test_the_fake_outlives_its_process() -> None:
    """A killed process leaves what was durable, and a store that another process may open."""
    store = MemoryStore(exclusive=True)
    killed = MemoryJournal(store, name="first")
    await killed.open()
    await killed.append([Append(wf("a"), entries(1, 1), head())])
    store.kill_holder()
    second = MemoryJournal(store, name="second")
    await second.open()
    assert await everything(second, "a") == {"a": entries(1, 1)}
    with pytest.raises(JournalSupersededError, match="second"):
        await killed.append([Append(wf("a"), entries(2, 2), head())])


# --- Retention --------------------------------------------------------------------------------------------------------

FOREVER: Final = UtcMs(9_000_000_000_000)


def finished(name: str, at: int = 5_000, **changes: Any) -> Head:
    """The head of a workflow that ended and has nothing left to do."""
    given: dict[str, Any] = {"status": "completed", "done": True, "finished_at": UtcMs(at), "ordering_key": "key"}
    return head(name, **{**given, **changes})


def tombstone(name: str, last: int, **changes: Any) -> Append:
    """What is to stand in the place of a workflow's records 1 to `last`."""
    record = WorkflowRetired(
        request_id=name,
        tenant=Tenant("acme"),
        digest="0123",
        rejected=False,
        reply_to=None,
        status="completed",
        error_code=None,
        model="claude-sonnet-4-6",
        by_template=False,
        revision=1,
        usage=Usage(),
        created_at=UtcMs(1_000),
        finished_at=UtcMs(5_000),
        outcome_id=OutcomeId("o-1"),
        outcome_at=UtcMs(5_000),
        records=last,
        retired_at=UtcMs(9_000),
    )
    retired = finished(name, ordering_key=None, catalogue_version=CatalogueVersion(""), retired=True, **changes)
    return Append(wf(name), (Entry(last, UtcMs(1_000 + last), record),), retired)


async def retirable(
    journal: Journal, before: int = FOREVER, workflows_max: int = 100, records_max: int = 1_000
) -> list[str]:
    """The names of what may be retired, in the order in which it is told."""
    found = await journal.retirable(UtcMs(before), workflows_max, records_max)
    return [stored.workflow_id.removeprefix("wf-") for stored in found]


async def test_a_tombstone_stands_in_the_place_of_all_records(place: Place, journal: Journal) -> None:
    """A retired workflow has one record, with the number of its last; others keep theirs; lists show that it was."""
    await journal.append([Append(wf("a"), entries(1, 3), finished("a")), Append(wf("b"), entries(1, 2), finished("b"))])
    assert await journal.retire([tombstone("a", 3)]) == 1
    expected = tombstone("a", 3)
    assert await journal.load([wf("a"), wf("b")]) == {
        wf("a"): Stored(wf("a"), expected.head, expected.entries),
        wf("b"): Stored(wf("b"), finished("b"), entries(1, 2)),
    }
    reader = place.reader()
    assert [(id_, told.retired) for id_, told in await reader.heads()] == [(wf("b"), False), (wf("a"), True)]
    assert (await reader.find("a"))[0][1] == expected.head
    assert await reader.history(wf("a")) == Stored(wf("a"), expected.head, expected.entries)
    await reader.close()


async def test_what_ended_first_is_retired_first_and_in_pieces(place: Place, journal: Journal) -> None:
    """Only what ended before the instant is told, oldest first, no more workflows or records than were asked for."""
    for name, at, last in (("late", 9_000, 2), ("first", 1_000, 3), ("second", 2_000, 4), ("third", 3_000, 3)):
        await journal.append([Append(wf(name), entries(1, last), finished(name, at))])
    assert await retirable(journal, 9_000) == ["first", "second", "third"]
    assert await retirable(journal, 9_001, workflows_max=2) == ["first", "second"]
    assert await retirable(journal, 9_000, records_max=9) == ["first", "second"]
    assert await retirable(journal, 9_000, records_max=1) == ["first"]
    reader = place.reader()
    assert await reader.retirable(UtcMs(9_000)) == Retirable(3, 10)
    assert await reader.retirable(UtcMs(1_000)) == Retirable(0, 0)
    await reader.close()


@pytest.mark.parametrize(
    "changes",
    [{"done": False}, {"quarantined": True}, {"status": "needs_attention"}, {"done": False, "finished_at": None}],
    ids=["something is left to do", "set aside", "a person has to do with it", "it runs"],
)
async def test_what_is_not_over_keeps_its_records(journal: Journal, changes: dict[str, Any]) -> None:
    """It is neither told nor retired, also when somebody asks for just that."""
    kept = finished("a", **changes)
    await journal.append([Append(wf("a"), entries(1, 3), kept)])
    assert await retirable(journal) == []
    assert await journal.retire([tombstone("a", 3)]) == 0
    assert await journal.load([wf("a")]) == {wf("a"): Stored(wf("a"), kept, entries(1, 3))}


async def test_what_went_on_meanwhile_keeps_its_records(journal: Journal) -> None:
    """A tombstone for fewer records than there are is not put, and the others of its batch are."""
    batch = [Append(wf("a"), entries(1, 3), finished("a")), Append(wf("b"), entries(1, 2), finished("b"))]
    await journal.append(batch)
    assert await journal.retire([tombstone("a", 2), tombstone("b", 2)]) == 1
    assert await everything(journal, "a", "b") == {"a": entries(1, 3), "b": tombstone("b", 2).entries}


async def test_a_workflow_is_retired_once(journal: Journal) -> None:
    """The same tombstones again, as after a lost answer, change nothing; it is told no more."""
    await journal.append([Append(wf("a"), entries(1, 3), finished("a"))])
    assert await journal.retire([tombstone("a", 3)]) == 1
    assert await journal.retire([tombstone("a", 3)]) == 0
    assert await journal.retire([]) == 0
    assert await retirable(journal) == []
    assert await everything(journal, "a") == {"a": tombstone("a", 3).entries}


async def test_a_batch_that_a_tombstone_stands_for_counts_as_appended(journal: Journal) -> None:
    """Whoever repeats a commit whose answer was lost finds it made, and the tombstone stays as it is."""
    await journal.append([Append(wf("a"), entries(1, 2), head("a"))])
    last = [Append(wf("a"), entries(3, 4), finished("a")), Append(wf("b"), entries(1, 1), head("b"))]
    await journal.append(last)
    await journal.retire([tombstone("a", 4)])
    await journal.append(last)
    await journal.append([Append(wf("a"), entries(2, 3), head("a"))])
    found = await journal.load([wf("a"), wf("b")])
    assert found[wf("a")] == Stored(wf("a"), tombstone("a", 4).head, tombstone("a", 4).entries)
    assert found[wf("b")] == Stored(wf("b"), head("b"), entries(1, 1))


async def test_a_retired_workflow_is_appended_to_after_its_last_number(journal: Journal) -> None:
    """Its outcome is asked for again: the next record has the next number, and a gap or another record is refused."""
    await journal.append([Append(wf("a"), entries(1, 3), finished("a"))])
    await journal.retire([tombstone("a", 3)])
    asked = Entry(4, UtcMs(9_500), OutcomeReopened(OutcomeId("o-1")))
    with pytest.raises(JournalCorruptError, match="wf-a"):
        await journal.append([Append(wf("a"), entries(5, 5), tombstone("a", 3).head)])
    again = structs.replace(tombstone("a", 3).head, done=False)
    for _ in range(2):
        await journal.append([Append(wf("a"), (asked,), again)])
    with pytest.raises(JournalCorruptError, match="wf-a"):
        await journal.append([Append(wf("a"), entries(4, 4), again)])
    assert await unfinished(journal) == [Stored(wf("a"), again, (*tombstone("a", 3).entries, asked))]
    done = entries(5, 5)
    await journal.append([Append(wf("a"), done, structs.replace(again, done=True))])
    assert await everything(journal, "a") == {"a": (*tombstone("a", 3).entries, asked, *done)}
    assert await retirable(journal) == []


async def test_a_workflow_may_be_moved_here_with_its_tombstone(journal: Journal) -> None:
    """The first record of a new workflow may be a tombstone, with the number that it has; anything else may not."""
    moved = tombstone("a", 7)
    whole = structs.replace(moved, entries=(*moved.entries, Entry(8, UtcMs(9_500), OutcomeReopened(OutcomeId("o-1")))))
    for _ in range(2):
        await journal.append([whole])
    assert await journal.load([wf("a")]) == {wf("a"): Stored(wf("a"), whole.head, whole.entries)}
    with pytest.raises(JournalCorruptError, match="wf-b"):
        await journal.append([Append(wf("b"), entries(7, 7), head("b"))])


async def test_a_superseded_process_retires_nothing(place: Place, journal: Journal) -> None:
    """Law 6 holds for tombstones as well."""
    await journal.append([Append(wf("a"), entries(1, 3), finished("a"))])
    place.break_lock()
    second = place.journal()
    await second.open()
    with pytest.raises(JournalSupersededError):
        await journal.retire([tombstone("a", 3)])
    assert await everything(second, "a") == {"a": entries(1, 3)}
    await second.close()
