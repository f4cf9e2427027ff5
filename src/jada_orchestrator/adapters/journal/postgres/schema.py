"""The store's tables, by numbered migrations that programs of several versions can live with at the same time.

Every migration says which is the oldest program that may go on using the store after it (``-- usable from: N``, where a
program's number is that of its last migration). So a new version that only adds is rolled out host by host beside the
old one, and what old programs could not bear is refused to them when they start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.connecting import Connection
from jada_orchestrator.ports.journal import JournalUnavailableError, JournalVersionError

SCHEMA_VERSION: Final = 5
"""The number of the last migration that this program knows."""

SERVER_VERSION_MIN: Final = 14
"""The oldest major version that the PostgreSQL project itself still mended when this was written."""

_LOCK: Final = 0x4A414441
"""``JADA``: the first half of the advisory lock under which migrations run; the second is the schema's name."""

_USABLE_FROM: Final = re.compile(r"-- usable from: (\d+)\n")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. `script` is several statements without a transaction of their own."""

    script: str
    usable_from: int

    @classmethod
    def of(cls, text: str) -> Migration:
        """Read a migration's file. Raises: ValueError, when it does not say from which version on it can be borne."""
        said = _USABLE_FROM.match(text)
        if said is None:
            raise ValueError("a migration begins with the line `-- usable from: N`")
        return cls(text, int(said.group(1)))


def migrations() -> dict[int, Migration]:
    """Return the migrations of this program by their numbers."""
    folder = resources.files("jada_orchestrator.adapters.journal.postgres") / "migrations"
    found = {
        int(match.group(1)): Migration.of(file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := re.match(r"(\d{4})_\w+\.sql\Z", file.name))
    }
    assert max(found) == SCHEMA_VERSION, "SCHEMA_VERSION is the number of the last migration"
    return found


async def migrate(address: Address, connection: Connection, steps: Mapping[int, Migration] | None = None) -> None:
    """Bring the store to the last of the steps, all in one transaction; a store that is further on is left as it is.

    Programs that start at the same time wait for one another (an advisory lock for the length of the transaction).

    Raises: JournalVersionError, JournalUnavailableError; what asyncpg raises.
    """
    known = migrations() if steps is None else dict(steps)
    server = connection.get_server_version()
    if server.major < SERVER_VERSION_MIN:
        raise JournalUnavailableError(
            f"{address} is PostgreSQL {server.major}; {SERVER_VERSION_MIN} is needed at least"
        )
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _LOCK, address.schema)
        if await connection.fetchval("SELECT to_regnamespace($1) IS NULL", address.schema):
            await connection.execute(f"CREATE SCHEMA {address.schema}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(number integer PRIMARY KEY, usable_from integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        present = await check_version(address, connection, max(known))
        for number, step in sorted(known.items()):
            if number > present:
                await connection.execute(step.script)
                await connection.execute(
                    "INSERT INTO migrations (number, usable_from) VALUES ($1, $2)", number, step.usable_from
                )


async def check_version(address: Address, connection: Connection, known: int = SCHEMA_VERSION) -> int:
    """Return the store's version, 0 for an empty one. Raises: JournalVersionError; what asyncpg raises."""
    row = await connection.fetchrow("SELECT coalesce(max(number), 0), coalesce(max(usable_from), 0) FROM migrations")
    assert row is not None, "an aggregate has a row"
    version, usable_from = int(row[0]), int(row[1])
    if usable_from > known:
        raise JournalVersionError(
            f"the store {address} has schema version {version}, which programs that know version {usable_from} or "
            f"later can use; this one knows {known}: run the newer version that wrote it. Nothing was touched"
        )
    return version
