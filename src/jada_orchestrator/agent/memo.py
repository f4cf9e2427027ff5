"""Answers remembered by idempotency key: the same key again returns the first answer.

A store keeps, for each key, either a claim (somebody works on it, until the lease ends) or the finished outcome. Two
are here: one in memory (for one process: a worker that may forget when it restarts, and tests) and one in a SQLite file
(safe between threads and processes of one machine). On Lambda an agent with effects brings its own on top of whatever
it has, for instance a DynamoDB table with a conditional put in `begin`: three methods are all that is asked.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a key until the lease ends; `token` tells this claim from any other on the same key."""

    key: str
    token: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The key has its answer: the outcome as JSON text, and the fingerprint of the call that it answered."""

    outcome: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class InProgress:
    """Somebody else works on the key; `seconds_left` is the most that their lease still has."""

    seconds_left: float


Begun: TypeAlias = Claim | Finished | InProgress


class IdempotencyStore(Protocol):
    """Where answers are kept. Called from several threads, and for a durable store from several processes."""

    def begin(self, key: str, fingerprint: str, lease_s: float) -> Begun:
        """Claims a key that nobody holds (or whose lease has ended), in one atomic step.

        Guarantees: of any number of simultaneous callers at most one gets a `Claim`.
        """
        ...

    def finish(self, claim: Claim, outcome: str) -> str:
        """Keeps the outcome durably and returns the one that stands.

        Guarantees: the first outcome of a key stands for ever, so a straggler whose lease had ended gets back the
        answer of the one who overtook it.
        """
        ...

    def release(self, claim: Claim) -> None:
        """Gives the key free again without an answer; does nothing when the claim is no longer this one."""
        ...


@dataclass(slots=True)
class _Kept:
    fingerprint: str
    token: str
    lease_until: float
    outcome: str | None = None


class MemoryIdempotency:
    """Remembers the last `capacity` keys in this process; forgets everything when it ends."""

    def __init__(self, capacity: int = 10_000, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, key: str, fingerprint: str, lease_s: float) -> Begun:
        """See `IdempotencyStore.begin`."""
        with self._lock:
            now = self._clock()
            kept = self._kept.get(key)
            if kept is not None and kept.outcome is not None:
                return Finished(kept.outcome, kept.fingerprint)
            if kept is not None and kept.lease_until > now:
                return InProgress(kept.lease_until - now)
            claim = Claim(key, os.urandom(16).hex())
            self._kept[key] = _Kept(fingerprint, claim.token, now + lease_s)
            self._kept.move_to_end(key)
            self._forget_oldest()
            return claim

    def finish(self, claim: Claim, outcome: str) -> str:
        """See `IdempotencyStore.finish`."""
        with self._lock:
            kept = self._kept.get(claim.key)
            if kept is None:  # Pushed out by newer keys; the answer is still the right one for its caller.
                return outcome
            if kept.outcome is None:
                kept.outcome = outcome
            return kept.outcome

    def release(self, claim: Claim) -> None:
        """See `IdempotencyStore.release`."""
        with self._lock:
            kept = self._kept.get(claim.key)
            if kept is not None and kept.token == claim.token and kept.outcome is None:
                del self._kept[claim.key]

    def _forget_oldest(self) -> None:
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)


_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jada_answers (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    token       TEXT NOT NULL,
    lease_until REAL NOT NULL,
    outcome     TEXT
) WITHOUT ROWID
"""
_INDEX: Final = "CREATE INDEX IF NOT EXISTS jada_answers_by_age ON jada_answers (lease_until)"
_FORGET_EVERY_S: Final = 3600.0  # Looked for so often, what is too old is never much.
_BUSY_S: Final = 10.0  # Longer than any transaction here by orders of magnitude; reaching it means a stuck process.


class SqliteIdempotency:
    """Remembers keys in a SQLite file for 30 days: safe between threads and processes of one machine.

    An agent whose effect is in the same database does better to keep the key in the effect's own transaction, and to
    switch this off with `Agent(..., idempotency=None)`: then neither can be there without the other.

    Raises `sqlite3.OperationalError` when the file cannot be opened, written or locked within ten seconds.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, keep_s: float = 30 * 24 * 3600.0, clock: Callable[[], float] = time.time
    ) -> None:
        import sqlite3

        self._keep_s = keep_s
        self._clock = clock
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(_SCHEMA)
        self._connection.execute(_INDEX)
        self._forgot_at = 0.0
        with self._transaction() as cursor:
            self._forget_oldest(cursor, self._clock())

    def begin(self, key: str, fingerprint: str, lease_s: float) -> Begun:
        """See `IdempotencyStore.begin`."""
        with self._transaction() as cursor:
            now = self._clock()
            if now - self._forgot_at >= _FORGET_EVERY_S:
                self._forget_oldest(cursor, now)
            row = cursor.execute(
                "SELECT fingerprint, lease_until, outcome FROM jada_answers WHERE key = ?", (key,)
            ).fetchone()
            if row is not None and row[2] is not None and row[1] > now - self._keep_s:
                return Finished(outcome=row[2], fingerprint=row[0])
            if row is not None and row[2] is None and row[1] > now:
                return InProgress(row[1] - now)
            claim = Claim(key, os.urandom(16).hex())
            cursor.execute(
                "INSERT OR REPLACE INTO jada_answers VALUES (?, ?, ?, ?, NULL)",
                (key, fingerprint, claim.token, now + lease_s),
            )
            return claim

    def finish(self, claim: Claim, outcome: str) -> str:
        """See `IdempotencyStore.finish`."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE jada_answers SET outcome = ? WHERE key = ? AND outcome IS NULL", (outcome, claim.key)
            )
            row = cursor.execute("SELECT outcome FROM jada_answers WHERE key = ?", (claim.key,)).fetchone()
            return outcome if row is None else str(row[0])

    def release(self, claim: Claim) -> None:
        """See `IdempotencyStore.release`."""
        with self._transaction() as cursor:
            cursor.execute(
                "DELETE FROM jada_answers WHERE key = ? AND token = ? AND outcome IS NULL", (claim.key, claim.token)
            )

    def close(self) -> None:
        """Closes the file; the store cannot be used afterwards."""
        with self._lock:
            self._connection.close()

    def _forget_oldest(self, cursor: sqlite3.Cursor, now: float) -> None:
        cursor.execute("DELETE FROM jada_answers WHERE lease_until < ?", (now - self._keep_s,))
        self._forgot_at = now

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        """One write transaction, begun as one so that nobody reads a key between our look and our write."""
        with self._lock:
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")
