"""SQLite's complaints, each as the journal's error that fits and with what a person does about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jada_orchestrator.ports.journal import (
    JournalAmbiguousError,
    JournalCorruptError,
    JournalError,
    JournalUnavailableError,
)

_PASSING: Final = {
    sqlite3.SQLITE_FULL: "its disk is full: free space there and it goes on by itself",
    sqlite3.SQLITE_IOERR: "its disk reports an input/output error: look at the kernel's log and check the disk",
    sqlite3.SQLITE_BUSY: "another program holds a lock on it: close shells and backup programs that have it open",
    sqlite3.SQLITE_LOCKED: "another program holds a lock on it: close shells and backup programs that have it open",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work: keep it on a local disk, not on a network file system",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: the folder must exist, and both must be writable for this user",
    sqlite3.SQLITE_READONLY: "it cannot be written: check the owner and mode of the file and its folder, and the mount",
    sqlite3.SQLITE_PERM: "this user may not use it: check the owner and mode of the file and its folder",
    sqlite3.SQLITE_AUTH: "this user may not use it: check the owner and mode of the file and its folder",
    sqlite3.SQLITE_NOMEM: "there is no memory left for it: give the process more, or run fewer bookings at once",
    sqlite3.SQLITE_INTERRUPT: "the operation was interrupted: it is tried again",
}
"""Primary result codes (https://www.sqlite.org/rescode.html) that pass once somebody, or time, has acted."""

_RESTORE: Final = "stop the daemon and restore the store from a backup (docs/operations.md)"

_AFTER_THE_LAST_FRAME: Final = frozenset(
    {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC, sqlite3.SQLITE_IOERR_CLOSE}
)
"""When a commit ends with one of these, all of it was written; whether it reached the disk is not known."""


def journal_error_of(path: Path, error: sqlite3.Error, *, committing: bool = False) -> JournalError:
    """Return the journal's error for one of SQLite's; `committing` tells that COMMIT was under way."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    said = f"SQLite says: {error}"
    if code is None:
        return JournalCorruptError(f"the store {path} was used in a way that cannot be: {said}")
    if committing and code in _AFTER_THE_LAST_FRAME:
        return JournalAmbiguousError(f"the store {path} may or may not have kept the last commit ({said})")
    if code == sqlite3.SQLITE_IOERR_CORRUPTFS:
        return JournalCorruptError(f"the file system under the store {path} is damaged ({said}): {_RESTORE}")
    passing = _PASSING.get(code & 0xFF)
    if passing is not None:
        return JournalUnavailableError(f"the store {path} is not usable now, {passing} ({said})")
    if code & 0xFF == sqlite3.SQLITE_NOTADB:
        return JournalCorruptError(f"{path} is not a store of this program ({said}): check the path, or {_RESTORE}")
    return JournalCorruptError(f"the store {path} is damaged ({said}): {_RESTORE}")


@contextmanager
def complaints_of(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the journal's."""
    try:
        yield
    except sqlite3.Error as error:
        raise journal_error_of(path, error) from error
