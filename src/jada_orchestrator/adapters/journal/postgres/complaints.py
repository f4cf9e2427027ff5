"""PostgreSQL's complaints, each as the journal's error that fits and with what a person does about it."""

from __future__ import annotations

from typing import Final

import asyncpg

from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.ports.journal import (
    JournalAmbiguousError,
    JournalCorruptError,
    JournalError,
    JournalUnavailableError,
)

_POOLER: Final = "a pooler hands its statements to several sessions: connect to the database itself, or in session mode"

_PASSING: Final = {
    "08": "its connection broke: it is made again",
    "0A": "a failover or a pooler is in between: connect to the database itself",
    "23505": "an earlier commit of this process became durable meanwhile: it is compared and goes on",
    "26": _POOLER,
    "42P05": _POOLER,
    "25": "it is read-only now, as a replica is: wait for the failover, or point JADA_STORE to the primary",
    "28": "it does not let this user in: check user, password (PGPASSWORD, PGPASSFILE) and pg_hba.conf",
    "3D": "there is no such database: create it (createdb)",
    "40": "it gave this transaction up for another one: it is tried again",
    "42501": "this user may not use it: grant it the schema and its tables, or let it own the database",
    "42P01": "its tables are not there (yet): start the daemon once (`jada run`), which makes them",
    "42703": "an older version wrote it: start the daemon once (`jada run`), which brings it up to date",
    "3F000": "its tables are not there (yet): start the daemon once (`jada run`), which makes them",
    "53": "it has no room left (disk, memory or connections): free some there and it goes on by itself",
    "55": "something holds a lock on its tables: look into pg_stat_activity",
    "57014": "it did not answer in time: look at its load and its locks (pg_stat_activity)",
    "57": "it is stopping or starting: it goes on by itself",
    "58": "its disk reports an error: look at the server's log",
}
"""By SQLSTATE or its class (the first two characters): what passes once somebody, or time, has acted.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

_SESSION_ENDED: Final = ("08", "57P")
"""The server broke the connection while it spoke: what it was doing then may or may not have been committed."""

_RESTORE: Final = "stop the daemon and restore the database from a backup (docs/scaling.md)"


def journal_error_of(address: Address, error: BaseException, *, committing: bool = False) -> JournalError:
    """Return the journal's error for what asyncpg raised; `committing` tells that a write was under way.

    Only an error that the server itself told, in a session that goes on, says for certain that nothing was written.
    """
    told_by_server = isinstance(error, asyncpg.PostgresError)
    said = f"PostgreSQL says: {error}" if told_by_server else str(error) or type(error).__name__
    state = getattr(error, "sqlstate", None) or ""
    if not told_by_server or state.startswith(_SESSION_ENDED):
        if committing:
            return JournalAmbiguousError(f"the store {address} may or may not have kept the last commit ({said})")
        return JournalUnavailableError(f"the store {address} cannot be reached now ({said})")
    passing = _PASSING.get(state) or _PASSING.get(state[:2])
    if passing is not None:
        return JournalUnavailableError(f"the store {address} is not usable now, {passing} ({said})")
    return JournalCorruptError(f"the store {address} is damaged, or not a store of this program ({said}): {_RESTORE}")
