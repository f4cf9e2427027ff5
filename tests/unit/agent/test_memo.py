"""One suite that every idempotency store passes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from jada_orchestrator.agent import Claim, Finished, IdempotencyStore, InProgress, MemoryIdempotency, SqliteIdempotency

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is told."""
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[IdempotencyStore]:
    """Each implementation, on a clock that stands still until it is told."""
    if request.param == "memory":
        yield MemoryIdempotency(clock=clock)
        return
    sqlite = SqliteIdempotency(tmp_path / "answers.db", clock=clock)
    yield sqlite
    sqlite.close()


def claimed(store: IdempotencyStore, key: str = "k") -> Claim:
    """The claim on a key that must be free."""
    claim = store.begin(key, "print", 10)
    assert isinstance(claim, Claim)
    return claim


def test_one_claim_at_a_time(store: IdempotencyStore) -> None:
    """While a claim stands nobody else gets the key, and is told how long at most."""
    claimed(store)
    assert store.begin("k", "print", 10) == InProgress(10)
    assert isinstance(store.begin("other", "print", 10), Claim)


def test_the_outcome_stands(store: IdempotencyStore) -> None:
    """A finished key answers for ever with its outcome and the fingerprint of its call."""
    store.finish(claimed(store), "yes")
    assert store.begin("k", "another", 10) == Finished("yes", "print")


def test_a_released_key_is_free(store: IdempotencyStore) -> None:
    """After release the next caller gets the key."""
    store.release(claimed(store))
    claimed(store)


def test_a_lease_ends(store: IdempotencyStore, clock: Clock) -> None:
    """When its holder has died the key is free after the lease, not before."""
    first = claimed(store)
    clock.now += 10
    second = claimed(store)
    assert first.token != second.token


def test_what_is_too_old_is_dropped_while_the_worker_runs(tmp_path: Path, clock: Clock) -> None:
    """A worker that is never restarted forgets as one that is: its file does not grow for ever."""
    path = tmp_path / "old.db"
    store = SqliteIdempotency(path, keep_s=86_400.0, clock=clock)
    for day in range(5):
        for number in range(3):
            store.finish(claimed(store, f"{day}-{number}"), "yes")
        clock.now += 43_200
    with closing(sqlite3.connect(path)) as other:
        (kept,) = other.execute("SELECT count(*) FROM jada_answers").fetchone()
    store.close()
    assert kept <= 3 * 3


def test_a_straggler_gets_the_first_answer(store: IdempotencyStore, clock: Clock) -> None:
    """Of two holders whose leases overlapped in truth, the first to finish gives the answer of both."""
    slow = claimed(store)
    clock.now += 10
    quick = claimed(store)
    assert store.finish(quick, "quick") == "quick"
    assert store.finish(slow, "slow") == "quick"


def test_a_straggler_cannot_release_anothers_claim(store: IdempotencyStore, clock: Clock) -> None:
    """Release is for one's own claim only, and never forgets an outcome."""
    slow = claimed(store)
    clock.now += 10
    quick = claimed(store)
    store.release(slow)
    assert isinstance(store.begin("k", "print", 10), InProgress)
    store.finish(quick, "quick")
    store.release(quick)
    assert store.begin("k", "print", 10) == Finished("quick", "print")


def test_memory_forgets_the_oldest() -> None:
    """Memory is bounded: the oldest key goes first, and its late holder still gets its own answer."""
    store = MemoryIdempotency(capacity=2)
    first = claimed(store, "a")
    claimed(store, "b")
    claimed(store, "c")
    assert store.finish(first, "yes") == "yes"
    assert isinstance(store.begin("a", "print", 10), Claim)


def test_sqlite_outlives_its_process(tmp_path: Path) -> None:
    """An answer that one process gave is the answer in the next."""
    program = (
        "import sys; from jada_orchestrator.agent import SqliteIdempotency as S; s = S(sys.argv[1]);"
        "s.finish(s.begin('k', 'print', 10), 'yes')"
    )
    path = tmp_path / "answers.db"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    store = SqliteIdempotency(path)
    assert store.begin("k", "print", 10) == Finished("yes", "print")
    store.close()


def test_sqlite_forgets_after_its_time(tmp_path: Path, clock: Clock) -> None:
    """Old answers are removed when the store is opened."""
    path = tmp_path / "answers.db"
    store = SqliteIdempotency(path, keep_s=100, clock=clock)
    store.finish(claimed(store), "yes")
    store.close()
    clock.now += 200
    store = SqliteIdempotency(path, keep_s=100, clock=clock)
    claimed(store)
    store.close()
