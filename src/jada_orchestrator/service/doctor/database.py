"""Checks of a PostgreSQL store: is it reached, by whom, how safe is it, and how far away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.examining import Examined, examine
from jada_orchestrator.adapters.journal.postgres.schema import SERVER_VERSION_MIN
from jada_orchestrator.ports.journal import JournalCorruptError, JournalError, JournalVersionError
from jada_orchestrator.service.doctor.findings import Finding, failure, ok, warning

AREA: Final = "store"
_FAR_MS: Final = 5.0
"""A database in the same region answers in one or two; every level of a booking's graph waits for it once."""


async def check_database(url: str) -> list[Finding]:
    """Look at the database once. Raises: ValueError, when the URL is none."""
    address = Address.of(url)
    try:
        found = await examine(address)
    except JournalVersionError as error:
        return [failure(AREA, "STORE_NEWER", str(error), "Use that version again, or restore the back-up.")]
    except JournalCorruptError as error:
        return [failure(AREA, "STORE_DAMAGED", str(error), "Restore the last back-up of the database.")]
    except JournalError as error:
        return [failure(AREA, "STORE_UNUSABLE", str(error), "Do what the message says.")]
    return list(_findings(address, found))


def _findings(address: Address, found: Examined) -> Iterator[Finding]:
    if not found.server_new_enough:
        said = f"{address} is PostgreSQL {found.server_version}; {SERVER_VERSION_MIN} is needed at least"
        yield failure(AREA, "STORE_OLD_SERVER", said, "Upgrade the server (pg_upgrade, or the provider's own way).")
    if found.is_replica:
        said = f"{address} is a replica, which takes no commits"
        yield failure(AREA, "STORE_REPLICA", said, "Point JADA_STORE to the primary (target_session_attrs=primary).")
    if found.loses_commits:
        said = f"{address} may lose what was committed when its machine loses power"
        yield failure(AREA, "STORE_UNSAFE", said, "Set fsync, full_page_writes and synchronous_commit to on there.")
    if not found.encrypted and not found.same_host:
        said = f"{address} is reached without TLS"
        yield warning(AREA, "STORE_NO_TLS", said, "Add ?sslmode=verify-full&sslrootcert=FILE to JADA_STORE.")
    if found.round_trip_ms > _FAR_MS:
        said = f"{address} answers after {found.round_trip_ms:.1f} ms, and each level of a booking waits for it once"
        yield warning(AREA, "STORE_FAR", said, "Run the orchestrator in the database's region and zone.")
    if found.schema_version:
        size = f"{found.database_bytes / 2**20:.1f} MiB, {found.round_trip_ms:.1f} ms away"
        yield ok(AREA, "STORE", f"{address} can be read: PostgreSQL {found.server_version}, {size}")
    elif found.may_create:
        yield ok(AREA, "STORE_NEW", f"{address} has no tables yet; the first start makes them")
    else:
        said = f"{address} has no tables yet, and this user may not make a schema in it"
        yield failure(AREA, "STORE_READ_ONLY", said, f"GRANT CREATE ON DATABASE ... TO the user of {address}.")
