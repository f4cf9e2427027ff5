"""The store's file: checked before it is touched, opened with the right settings, brought to the present schema."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jada_orchestrator.adapters.journal.complaints import complaints_of
from jada_orchestrator.ports.journal import (
    JournalCorruptError,
    JournalError,
    JournalUnavailableError,
    JournalVersionError,
)

APPLICATION_ID: Final = 0x4A414441
"""``JADA`` in ASCII, in the file's header: ``file journal.db`` and this program know it by that."""

SCHEMA_VERSION: Final = 3
"""The number of the last migration; in the file's header as ``user_version``."""

SQLITE_VERSION_MIN: Final = (3, 38, 0)
"""STRICT tables came with 3.37, JSON functions in every build with 3.38."""

BUSY_TIMEOUT_S: Final = 2.0
"""How long a lock held by a shell or a backup is waited for; then the runtime waits instead, and says so."""

WAL_CHECKPOINT_PAGES: Final = 2_000
"""8 MB: a checkpoint every few dozen large commits, short enough (tens of ms) to hide in one of them."""

WAL_BYTES_KEPT: Final = 64 * 1024 * 1024
"""A long reader makes the log grow; once it is gone the file shrinks to this again."""

CACHE_KIB: Final = 8 * 1024
"""Records are written once and read at the next start: with 32 MiB, nothing that was measured was any faster."""


def check_version(path: Path) -> None:
    """See whether this program may use the store, without changing a byte of it. A missing or empty file passes.

    The header is read first without even the write-ahead log being looked at, then with it: a newer program may have
    migrated the store and died before that reached the main file.

    Raises: JournalVersionError, JournalCorruptError, JournalUnavailableError.
    """
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        wanted = ".".join(map(str, SQLITE_VERSION_MIN))
        msg = f"this Python's SQLite is {sqlite3.sqlite_version}; the store needs {wanted} or newer"
        raise JournalUnavailableError(msg)
    if not path.exists():
        return
    try:
        with closing(_connect(path, "mode=ro&immutable=1")) as connection:
            _refuse_newer(path, version_of(connection))
    except sqlite3.Error:
        # Without its log the file may be half a checkpoint, so what cannot be read here is not yet damage.
        pass
    with complaints_of(path), closing(_connect(path, "mode=ro")) as connection:
        _check_header(path, connection)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema version of an open store; 0 when it is empty."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return the writer's connection; the calling thread owns it. Creates an empty file where there is none.

    Raises: JournalError, in the class that fits.
    """
    with complaints_of(path):
        connection = _connect(path, "mode=rwc")
    try:
        with complaints_of(path):
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            for setting in (
                "synchronous = FULL",
                "foreign_keys = OFF",  # checked by the positions of every batch; here it would cost a look-up a record
                f"wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}",
                f"journal_size_limit = {WAL_BYTES_KEPT}",
                f"cache_size = -{CACHE_KIB}",
                "temp_store = MEMORY",
            ):
                connection.execute(f"PRAGMA {setting}")
        if mode != "wal":
            msg = f"the store {path} cannot have a write-ahead log ({mode}): keep it on a local disk"
            raise JournalUnavailableError(msg)
    except JournalError:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that can only read, beside whoever writes; the calling thread owns it.

    Raises: JournalUnavailableError, JournalVersionError, JournalCorruptError.
    """
    if not path.exists():
        msg = f"there is no store at {path}: start the daemon once (`jada run`), or set JADA_STORE to where it is"
        raise JournalUnavailableError(msg)
    with complaints_of(path):
        connection = _connect(path, "mode=ro")
    try:
        with complaints_of(path):
            version = _check_header(path, connection)
            connection.execute("PRAGMA query_only = ON")
        if version < SCHEMA_VERSION:
            state = "is empty" if version == 0 else "was written by an older version"
            msg = f"the store {path} {state}: start the daemon once (`jada run`), which brings it up to date"
            raise JournalUnavailableError(msg)
    except JournalError:
        connection.close()
        raise
    return connection


def migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the store to `SCHEMA_VERSION`, each migration in a transaction of its own.

    Raises: JournalUnavailableError, JournalCorruptError.
    """
    with complaints_of(path):
        present = version_of(connection)
        for number, script in sorted(_migrations().items()):
            if number <= present:
                continue
            try:
                connection.executescript(
                    f"BEGIN IMMEDIATE;\nPRAGMA application_id = {APPLICATION_ID};\n{script}\n"
                    f"PRAGMA user_version = {number};\nCOMMIT;"
                )
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        if present < SCHEMA_VERSION:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that an older program sees the version at once


def _migrations() -> dict[int, str]:
    folder = resources.files("jada_orchestrator.adapters.journal") / "migrations"
    found = {}
    for file in folder.iterdir():
        if match := re.match(r"(\d{4})_\w+\.sql\Z", file.name):
            found[int(match.group(1))] = file.read_text(encoding="utf-8")
    assert max(found) == SCHEMA_VERSION, "SCHEMA_VERSION is the number of the last migration"
    return found


def _check_header(path: Path, connection: sqlite3.Connection) -> int:
    version = version_of(connection)
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    has_content = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] > 0
    if application != APPLICATION_ID and (has_content or application or version):
        msg = f"{path} is a database of another program: check JADA_STORE, and give the journal a file of its own"
        raise JournalCorruptError(msg)
    _refuse_newer(path, version)
    return version


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        msg = (
            f"the store {path} has schema version {version}, this program knows {SCHEMA_VERSION} at most: run the "
            "newer version that wrote it. Nothing was touched"
        )
        raise JournalVersionError(msg)


def _connect(path: Path, how: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?{how}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S, cached_statements=64)
