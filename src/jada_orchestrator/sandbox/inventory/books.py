"""The inventory's books: one SQLite file that all reference agents share, each from its own process.

WAL lets readers go on while one writes; a writer begins with BEGIN IMMEDIATE, so nothing that it read can change
before it commits, and waits its turn for at most `BUSY_S` seconds. That is what makes the race for the last seat have
one winner.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jada_orchestrator.agent import AgentError

PATH_VARIABLE: Final = "JADA_SANDBOX_INVENTORY"
BUSY_S: Final = 10.0
_VERSION: Final = 1

_TABLES: Final = Path(__file__).with_name("books.sql")


class InventoryMissing(Exception):
    """Raised when `JADA_SANDBOX_INVENTORY` is not set: start agents through `jada sandbox`, or set it to a path."""


class InventoryFromElsewhere(Exception):
    """Raised when another version wrote the file: remove it, or `reset` it by this package's command."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Whose effect it is: the identity that a task carries into the books."""

    workflow_id: str
    request_id: str
    task_id: str
    attempt: int
    key: str
    action: str


class Books:
    """One inventory file. Safe to use from several threads: each has its own connection until `close`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        seed: str = "jada",
        clock: Callable[[], float] = time.time,
        busy_s: float = BUSY_S,
    ) -> None:
        self.path = Path(path)
        self._busy_s = busy_s
        self._clock = clock
        self._lock = threading.Lock()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.seed = self._prepare(seed)

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock() * 1000)

    def instant(self, ms: int) -> str:
        """RFC 3339 in UTC, to the millisecond."""
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction; committed at the end, rolled back by an exception.

        Raises `AgentError` INVENTORY_BUSY, retryable, when other writers left no room for `busy_s`: nothing was done
        then.
        """
        connection = self.connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise AgentError(
                "INVENTORY_BUSY", "the inventory had no room for a write in time", retryable=True
            ) from error
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the books; blocks nobody."""
        connection = self.connection()
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")

    def close(self) -> None:
        """Closes the connections of all threads; harmless when called twice."""
        with self._lock:
            connections, self._connections = self._connections, []
            self._local = threading.local()
        for connection in connections:
            connection.close()

    def connection(self) -> sqlite3.Connection:
        """The thread's own connection, outside any transaction: for single reads."""
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is not None:
            return known
        connection = sqlite3.connect(self.path, timeout=self._busy_s, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        # NORMAL survives a killed process, which is what is rehearsed here; a power cut may cost the last bookings.
        connection.execute("PRAGMA synchronous=NORMAL")
        with self._lock:
            self._connections.append(connection)
        self._local.connection = connection
        return connection

    def _prepare(self, seed: str) -> str:
        """Makes the tables in a new file; returns the seed that the file lives by: that of its first opening."""
        connection = self.connection()
        connection.execute("PRAGMA journal_mode=WAL")
        with self.writing():
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                # One by one: executescript would commit the transaction that guards against a second maker.
                for statement in _TABLES.read_text(encoding="utf-8").split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute("INSERT INTO meta VALUES ('seed', ?)", (seed,))
                connection.execute(f"PRAGMA user_version={_VERSION}")
            elif version != _VERSION:
                raise InventoryFromElsewhere(f"{self.path} has version {version}, this program writes {_VERSION}")
            return str(connection.execute("SELECT value FROM meta WHERE name = 'seed'").fetchone()[0])


def record(
    connection: sqlite3.Connection, maker: Maker, subject: str, at_ms: int, *, undoes: str | None = None
) -> None:
    """Notes in the books that an effect was made to `subject`, in the same transaction as the effect itself."""
    connection.execute(
        "INSERT INTO effects (action, key, workflow_id, request_id, task_id, attempt, subject, undoes, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            maker.action,
            maker.key,
            maker.workflow_id,
            maker.request_id,
            maker.task_id,
            maker.attempt,
            subject,
            undoes,
            at_ms,
        ),
    )


def new_id(prefix: str) -> str:
    """A fresh id. Random, so that an effect made twice leaves two things in the books for the audit to see."""
    return f"{prefix}-{secrets.token_hex(5)}"


_opened: dict[str, Books] = {}
_opening = threading.Lock()


def open_books(clock: Callable[[], float] = time.time) -> Books:
    """The books at `JADA_SANDBOX_INVENTORY`, opened once a process and path; raises `InventoryMissing`.

    They live by the clock with which they were opened first.
    """
    path = os.environ.get(PATH_VARIABLE)
    if not path:
        raise InventoryMissing(f"set {PATH_VARIABLE} to the path of the inventory's file")
    with _opening:
        if path not in _opened:
            _opened[path] = Books(path, clock=clock)
        return _opened[path]


def close_books() -> None:
    """Closes what `open_books` opened in this process."""
    with _opening:
        for books in _opened.values():
            books.close()
        _opened.clear()
