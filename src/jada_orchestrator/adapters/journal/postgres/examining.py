"""What a person should know of a PostgreSQL store before and while it is used: one look, nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Final

from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.connecting import Link
from jada_orchestrator.adapters.journal.postgres.schema import SERVER_VERSION_MIN, check_version

_ROUND_TRIPS: Final = 5

_FACTS: Final = """
    SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('synchronous_commit'),
        current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
        coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), inet_server_addr() IS NULL
            OR inet_server_addr() << '127.0.0.0/8' OR inet_server_addr() = '::1',
        pg_database_size(current_database()), to_regclass('migrations') IS NOT NULL,
        has_database_privilege(current_database(), 'CREATE')
"""


@dataclass(frozen=True, slots=True)
class Examined:
    """A store as it is found. `schema_version` is 0 where the tables are not there yet."""

    server_version: str
    server_new_enough: bool
    is_replica: bool
    loses_commits: bool
    """What was committed may be gone after a loss of power, by the server's own settings."""
    encrypted: bool
    same_host: bool
    database_bytes: int
    schema_version: int
    may_create: bool
    round_trip_ms: float
    """The shortest of a few: what a turn's commit costs at least, before the server's disk."""


async def examine(address: Address) -> Examined:
    """Look at the store. Raises: JournalUnavailableError, JournalVersionError, JournalCorruptError."""
    link = Link(address, "doctor")
    try:
        async with link.use() as connection:
            row = await connection.fetchrow(_FACTS)
            assert row is not None, "a SELECT without FROM has a row"
            version = await check_version(address, connection) if row[7] else 0
            times = []
            for _ in range(_ROUND_TRIPS):
                began = perf_counter()
                await connection.fetchval("SELECT 1")
                times.append(perf_counter() - began)
            return Examined(
                server_version=str(row[0]),
                server_new_enough=connection.get_server_version().major >= SERVER_VERSION_MIN,
                is_replica=bool(row[1]),
                loses_commits=row[2] == "off" or not row[3],
                encrypted=bool(row[4]),
                same_host=bool(row[5]),
                database_bytes=int(row[6]),
                schema_version=version,
                may_create=bool(row[8]),
                round_trip_ms=min(times) * 1_000,
            )
    finally:
        await link.close()
