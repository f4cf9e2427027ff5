"""The database misbehaves: restarted, cut off, silent, locked, strange, newer. Nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.complaints import journal_error_of
from jada_orchestrator.adapters.journal.postgres.connecting import Link, Patience
from jada_orchestrator.adapters.journal.postgres.examining import examine
from jada_orchestrator.adapters.journal.postgres.journal import CONNECTIONS, PostgresJournal
from jada_orchestrator.adapters.journal.postgres.reader import PostgresJournalReader
from jada_orchestrator.adapters.journal.postgres.schema import SCHEMA_VERSION, Migration, migrate, migrations
from jada_orchestrator.capacity.descriptors import RESERVED
from jada_orchestrator.domain.ids import CatalogueVersion, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import CallDue, Entry
from jada_orchestrator.ports.journal import (
    Append,
    Head,
    JournalAmbiguousError,
    JournalSupersededError,
    JournalUnavailableError,
    JournalVersionError,
)
from jada_orchestrator.ports.ownership import Wanted
from jada_orchestrator.testing.postgres_server import PostgresServer
from jada_orchestrator.testing.tcp_proxy import TcpProxy, Weather
from tests.integration.certificates import self_signed

HEAD: Final = Head("web", "t", "running", "m", UtcMs(1), None, None, CatalogueVersion("c"), False, False, False)
HASTY: Final = Patience(connect_s=2.0, statement_s=0.3, answer_s=0.6)


def batch(seq: int, width: int = 1) -> list[Append]:
    """The `seq`-th entry of each of `width` workflows."""
    entry = Entry(seq, UtcMs(seq), CallDue(TaskId(f"t{seq}"), "do"))
    return [Append(WorkflowId(f"wf-{number}"), (entry,), HEAD) for number in range(width)]


async def stored_seqs(journal: PostgresJournal, name: str = "wf-0") -> list[int]:
    """The seqs of a workflow's entries."""
    found = await journal.load([WorkflowId(name)])
    return [entry.seq for stored in found.values() for entry in stored.entries]


@pytest.fixture
def address(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> Address:
    """A schema of this test's own, empty."""
    schema = f"s{abs(hash(request.node.name)) % 10**12}"
    postgres_server.sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    return Address.of(f"{postgres_server.url()}?schema={schema}")


@pytest.fixture
async def proxy(postgres_server: PostgresServer) -> AsyncIterator[TcpProxy]:
    """The network before the server."""
    async with TcpProxy(postgres_server.port) as listening:
        yield listening


def through(proxy: TcpProxy, server: PostgresServer, address: Address) -> Address:
    """The same store behind the proxy."""
    return Address.of(f"{server.url(port=proxy.port)}?schema={address.schema}&sslmode=disable")


async def persist(journal: PostgresJournal, appends: list[Append]) -> int:
    """Append as the runtime does: the same batch again for as long as trouble lasts; return how often it failed."""
    failures = 0
    while True:
        try:
            await journal.append(appends)
        except (JournalUnavailableError, JournalAmbiguousError):
            failures += 1
            await asyncio.sleep(0.02)  # the runtime's own back-off, shorter
        else:
            return failures


async def test_a_server_that_crashes_loses_and_doubles_nothing(
    postgres_server: PostgresServer, address: Address
) -> None:
    """Restarted at once (SIGQUIT) amid appends, the database has every acknowledged batch once, in order."""
    journal = PostgresJournal(address)
    await journal.open()
    failures, seq = 0, 0
    for _ in range(3):
        restarting = asyncio.create_task(asyncio.to_thread(postgres_server.restart))
        while not restarting.done():  # so that some append is under way when it goes down
            seq += 1
            failures += await persist(journal, batch(seq, width=5))
        await restarting
    assert failures > 0, "the crashes were noticed"
    for number in range(5):
        assert await stored_seqs(journal, f"wf-{number}") == list(range(1, seq + 1))
    await journal.close()


async def test_a_lost_answer_is_ambiguous_and_repeated_once(
    postgres_server: PostgresServer, address: Address, proxy: TcpProxy
) -> None:
    """When the commit arrived and its answer did not, nobody knows; the same batch again is accepted once."""
    journal = PostgresJournal(through(proxy, postgres_server, address))
    await journal.open()
    await journal.append(batch(1))
    proxy.weather = Weather.NO_ANSWERS
    with pytest.raises(JournalAmbiguousError, match="may or may not"):
        await journal.append(batch(2))
    proxy.weather = Weather.FINE
    await persist(journal, batch(2))
    await journal.append(batch(3))
    assert await stored_seqs(journal) == [1, 2, 3]
    await journal.close()


async def test_a_silent_network_is_given_up(postgres_server: PostgresServer, address: Address, proxy: TcpProxy) -> None:
    """A server that does not answer in time is not waited for; with the network back, the same journal goes on."""
    journal = PostgresJournal(through(proxy, postgres_server, address), HASTY)
    await journal.open()
    await journal.append(batch(1))
    proxy.weather = Weather.SILENT
    with pytest.raises(JournalAmbiguousError):
        await journal.append(batch(2))
    with pytest.raises(JournalUnavailableError):
        await journal.append(batch(2))
    proxy.weather = Weather.FINE
    await persist(journal, batch(2))
    assert await stored_seqs(journal) == [1, 2]
    await journal.close()


async def test_a_cut_connection_is_made_again(
    postgres_server: PostgresServer, address: Address, proxy: TcpProxy
) -> None:
    """Idle connections that broke are replaced without a word; a cut that is noticed late is trouble that passes."""
    journal = PostgresJournal(through(proxy, postgres_server, address))
    await journal.open()
    await journal.append(batch(1))
    assert await stored_seqs(journal) == [1]
    proxy.cut()
    await persist(journal, batch(2))
    while True:
        try:
            assert await stored_seqs(journal) == [1, 2]
        except JournalUnavailableError:
            continue
        break
    await journal.close()


async def test_a_lock_on_the_tables_passes(postgres_server: PostgresServer, address: Address) -> None:
    """While somebody's shell holds a table, appends fail in time and write nothing; then they go through."""
    journal = PostgresJournal(address, HASTY)
    await journal.open()
    shell = Link(address, "shell")
    async with shell.use() as connection, connection.transaction():
        await connection.execute("LOCK TABLE records IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(JournalUnavailableError, match="did not answer in time"):
            await journal.append(batch(1))
    await shell.close()
    await journal.append(batch(1))
    assert await stored_seqs(journal) == [1]
    await journal.close()


async def test_a_cancelled_append_leaves_a_usable_journal(address: Address) -> None:
    """After a cancellation in the middle of a commit the same batch is accepted, once."""
    journal = PostgresJournal(address)
    await journal.open()
    for seq in range(1, 6):
        task = asyncio.create_task(journal.append(batch(seq)))
        for _ in range(seq):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await persist(journal, batch(seq))
    assert await stored_seqs(journal) == [1, 2, 3, 4, 5]
    await journal.close()


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("nobody:secret-word@127.0.0.1:{port}/jada", "does not let this user in"),
        ("jada:secret-word@127.0.0.1:{port}/elsewhere", "no such database"),
        ("jada:secret-word@127.0.0.1:1/jada", "cannot be reached"),
        ("jada:secret-word@127.0.0.1:{port}/jada?sslmode=perhaps", "URL cannot be used"),
    ],
    ids=["user", "database", "port", "sslmode"],
)
async def test_what_is_wrong_with_the_address_is_told(postgres_server: PostgresServer, rest: str, said: str) -> None:
    """A wrong user, database, port or option is an error that names the store and what to do, without a password."""
    address = Address.of("postgresql://" + rest.format(port=postgres_server.port))
    with pytest.raises(JournalUnavailableError, match=said) as raised:
        await PostgresJournal(address).open()
    assert "secret-word" not in str(raised.value)


async def test_many_that_start_at_once_migrate_once(address: Address) -> None:
    """Of many that open an empty database at the same moment, all find sound tables and become instances."""
    journals = [PostgresJournal(address) for _ in range(5)]
    await asyncio.gather(*(journal.open() for journal in journals))
    assert sorted(journal.ownership.number for journal in journals) == [1, 2, 3, 4, 5]
    await journals[3].append(batch(1))
    for journal in journals:
        await journal.close()


async def test_an_instance_is_not_ended_under_a_commit(address: Address) -> None:
    """While a commit of an instance is under way, nobody ends it, however late its lease; afterwards they do."""
    slow, other = PostgresJournal(address), PostgresJournal(address)
    await slow.open()
    await other.open()
    await slow.append(batch(1))
    shell = Link(address, "shell")
    async with shell.use() as connection:
        await connection.execute("UPDATE instances SET lease_until = now() - interval '1 hour' WHERE number = 1")
        async with connection.transaction():
            await connection.execute("SELECT FROM instances WHERE number = 1 FOR KEY SHARE")  # as a commit does
            assert await other.ownership.claim(10) == []
        assert [stored.workflow_id for stored in await other.ownership.claim(10)] == ["wf-0"]
    await shell.close()
    with pytest.raises(JournalSupersededError):
        await slow.append(batch(2))
    await slow.close()
    await other.close()


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
async def test_takes_wait_for_one_another_in_turn(address: Address, known: bool) -> None:
    """Whatever the order in which messages came, a take that waits holds nothing that a later one may wait for.

    So two takes of the same ones never wait for one another: one that waits for b holds a, and not c, which came first.
    """
    one, two = PostgresJournal(address), PostgresJournal(address)
    await one.open()
    await two.open()
    shell, watch = Link(address, "shell"), Link(address, "watch")
    a, b, c = (Wanted(WorkflowId(name), may_begin=True) for name in "abc")
    async with shell.use() as connection:
        await connection.execute("INSERT INTO workflows (workflow_id) SELECT unnest($1::text[])", list("cba" * known))
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO workflows (workflow_id, owner) VALUES ('b', 0) "
                "ON CONFLICT (workflow_id) DO UPDATE SET owner = excluded.owner"
            )
            waiting = asyncio.create_task(one.ownership.take([c, a, b]))
            async with watch.use() as looking:
                while not await looking.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                    pass
            assert not (await two.ownership.take([c])).elsewhere
            assert not waiting.done()
        assert (await waiting).elsewhere == {b.workflow_id, c.workflow_id}
    for each in (shell, watch, one, two):
        await each.close()


async def test_numbers_follow_the_order_of_arrival(address: Address) -> None:
    """Requests that are taken together are numbered as they came, by which lists and claims are ordered."""
    journal = PostgresJournal(address)
    await journal.open()
    names = ["c", "a", "d", "b"]
    await journal.ownership.take([Wanted(WorkflowId(name), may_begin=True) for name in names])
    shell = Link(address, "shell")
    async with shell.use() as connection:
        rows = await connection.fetch("SELECT workflow_id FROM workflows ORDER BY number")
    assert [row[0] for row in rows] == names
    await shell.close()
    await journal.close()


async def test_a_claim_whose_answer_was_lost_is_told_again(
    postgres_server: PostgresServer, address: Address, proxy: TcpProxy
) -> None:
    """What was claimed while the connection broke is named by the next claim: nothing lies between two instances."""
    first, second = PostgresJournal(address), PostgresJournal(through(proxy, postgres_server, address))
    await first.open()
    await first.append(batch(1, width=3))
    await second.open()
    await first.close()
    proxy.weather = Weather.NO_ANSWERS
    with pytest.raises(JournalUnavailableError):
        await second.ownership.claim(10)
    proxy.weather = Weather.FINE
    claimed: list[str] = []
    while not claimed:
        with suppress(JournalUnavailableError):
            claimed = [stored.workflow_id for stored in await second.ownership.claim(10)]
    assert claimed == ["wf-0", "wf-1", "wf-2"]
    await second.close()


ADDING: Final = Migration.of(
    "-- usable from: 1\n"
    "ALTER TABLE workflows ADD COLUMN colour text NOT NULL DEFAULT 'red';\n"
    "ALTER TABLE records ADD COLUMN weight integer;\n"
    "CREATE TABLE novelties (id bigint PRIMARY KEY);\n"
)


async def with_migration(address: Address, step: Migration) -> None:
    """Do what the start of a newer program would do."""
    link = Link(address, "newer program")
    try:
        async with link.use() as connection:
            await migrate(address, connection, {**migrations(), SCHEMA_VERSION + 1: step})
    finally:
        await link.close()


async def test_an_older_program_goes_on_beside_a_newer_one(address: Address) -> None:
    """A migration that only adds is applied while this program runs; it goes on, ends, starts anew and is read."""
    old = PostgresJournal(address)
    await old.open()
    await old.append(batch(1, width=3))
    await with_migration(address, ADDING)
    await old.append(batch(2, width=4)[:3])
    await old.close()
    again = PostgresJournal(address)
    await again.open()
    assert len(await again.ownership.claim(10)) == 3
    await again.append(batch(3, width=3))
    assert await stored_seqs(again) == [1, 2, 3]
    reader = PostgresJournalReader(address)
    assert len(await reader.heads()) == 3
    await reader.close()
    await again.close()


async def test_a_store_that_only_newer_programs_can_use_is_refused(address: Address) -> None:
    """A migration that older programs could not bear refuses them, by name, before anything is touched."""
    old = PostgresJournal(address)
    await old.open()
    await old.close()
    breaking = Migration.of(f"-- usable from: {SCHEMA_VERSION + 1}\nALTER TABLE workflows DROP COLUMN tenant;\n")
    await with_migration(address, breaking)
    with pytest.raises(JournalVersionError, match="run the newer version"):
        await PostgresJournal(address).open()
    reader = PostgresJournalReader(address)
    with pytest.raises(JournalVersionError):
        await reader.heads()
    await reader.close()


async def test_a_failed_migration_leaves_the_store_as_it_was(address: Address) -> None:
    """A migration that cannot be made is undone whole, and the store is used as before."""
    journal = PostgresJournal(address)
    await journal.open()
    broken = Migration.of("-- usable from: 1\nCREATE TABLE novelties (id bigint);\nSELECT 1 / 0;\n")
    with pytest.raises(Exception, match="division by zero"):
        await with_migration(address, broken)
    await journal.append(batch(1))
    await journal.close()


async def test_a_reader_without_tables_says_what_to_do(address: Address) -> None:
    """A database that no daemon has used yet is explained, and looks new to the doctor."""
    reader = PostgresJournalReader(address)
    with pytest.raises(JournalUnavailableError, match="start the daemon once"):
        await reader.heads()
    await reader.close()
    assert (await examine(address)).schema_version == 0


async def test_commits_wait_for_the_disk_whatever_the_default_is(
    postgres_server: PostgresServer, address: Address
) -> None:
    """A role whose default gives commits away early still waits for them in the journal, and for handed-over messages.

    Those are deleted where they came from. The doctor tells of the default.
    """
    postgres_server.sql("ALTER ROLE jada SET synchronous_commit = off")
    journal = PostgresJournal(address)
    try:
        await journal.open()
        for link in (journal._link, journal.ownership._link):  # noqa: SLF001 - nobody else can see a session's own setting
            async with link.use() as connection:
                assert await connection.fetchval("SHOW synchronous_commit") == "on"
        assert (await examine(address)).loses_commits
    finally:
        postgres_server.sql("ALTER ROLE jada RESET synchronous_commit")
        await journal.close()


async def test_connections_stay_within_what_is_kept_for_the_store(
    postgres_server: PostgresServer, address: Address
) -> None:
    """However much is asked at once, the journal has its three connections and no more."""
    journal = PostgresJournal(address)
    await journal.open()
    await asyncio.gather(*(journal.append(batch(seq)) for seq in range(1, 20)))
    await asyncio.gather(*(stored_seqs(journal) for _ in range(20)))
    mine = "FROM pg_stat_activity WHERE application_name IN ('jada journal', 'jada look-ups', 'jada ownership')"
    assert postgres_server.sql(f"SELECT count(*) {mine}") == str(CONNECTIONS)
    assert RESERVED["store"][0] >= CONNECTIONS
    await journal.close()


async def test_the_connection_is_encrypted_as_the_url_says(
    postgres_server: PostgresServer, address: Address, tmp_path: Path
) -> None:
    """`sslmode=verify-full` with the server's authority connects by TLS; with another authority it refuses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name in ("stranger", "server"):
        certificate, key = self_signed("127.0.0.1")
        (tmp_path / f"{name}.crt").write_bytes(certificate)
        (tmp_path / f"{name}.key").write_bytes(key)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    async with TcpProxy(postgres_server.port, tls=context) as proxy:

        def trusting(name: str) -> Address:
            verified = f"sslmode=verify-full&sslrootcert={tmp_path / name}.crt"
            return Address.of(f"{postgres_server.url(port=proxy.port)}?schema={address.schema}&{verified}")

        journal = PostgresJournal(trusting("server"))
        await journal.open()
        await journal.append(batch(1))
        await journal.close()
        assert proxy.encrypted > 0
        with pytest.raises(JournalUnavailableError, match="certificate"):
            await PostgresJournal(trusting("stranger")).open()


@pytest.mark.parametrize("error", [asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError])
def test_a_pooler_that_mixes_sessions_is_no_damage(error: type[asyncpg.PostgresError]) -> None:
    """Prepared statements that a pooler loses or doubles send nobody to the backups, but to the pooler."""
    said = journal_error_of(Address.of("postgresql://db/jada"), error("prepared statement"))
    assert isinstance(said, JournalUnavailableError)
    assert "pooler" in str(said)


def test_an_address_is_shown_without_its_password() -> None:
    """What is printed of an address has host, port and database, and neither user nor password."""
    address = Address.of("postgresql://jada:p%40ss@db.example:5433/jada?sslmode=require&schema=trial")
    assert str(address) == "postgresql://db.example:5433/jada?schema=trial"
    assert "p%40ss" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://host",
        "postgresql://host/a/b",
        "postgresql://host:port/a",
        "postgresql://host/a#b",
        "postgresql://host/a?schema=a-b",
        "postgresql://host/a?schema=",
    ],
)
def test_a_malformed_address_is_explained(url: str) -> None:
    """Whatever cannot be an address of a database is refused with how to write one."""
    with pytest.raises(ValueError, match=r"postgresql://user@host|no name for a schema"):
        Address.of(url)
