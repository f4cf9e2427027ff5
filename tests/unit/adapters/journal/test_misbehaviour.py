"""The store misbehaves: full, locked, read-only, gone, damaged, killed. Nothing is lost, and it goes on by itself."""

# ruff: noqa: ASYNC220, ASYNC221, ASYNC240 - nothing else runs on these loops, so files and processes go the short way
from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jada_orchestrator.adapters.journal.complaints import journal_error_of
from jada_orchestrator.adapters.journal.reader import SqliteJournalReader
from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry, TaskSucceeded
from jada_orchestrator.ports.journal import (
    Append,
    JournalAmbiguousError,
    JournalCorruptError,
    JournalError,
    JournalSupersededError,
    JournalUnavailableError,
)
from tests.unit.adapters.journal import acknowledging_writer
from tests.unit.adapters.journal.conftest import HEAD, batch, stored_seqs


def large(seq: int) -> list[Append]:
    """One entry of 200 kB."""
    record = TaskSucceeded(TaskId("t"), "call", 1, packed({"text": "x" * 200_000}))
    return [Append(WorkflowId("wf-0"), (Entry(seq, UtcMs(seq), record),), HEAD)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes; skipped where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this user may not mount file systems")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk_passes(small_disk: Path) -> None:
    """On a really full disk appends fail as unavailable and lose nothing; with space the same batch goes through."""
    journal = SqliteJournal(small_disk / "journal.db")
    await journal.open()
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_000_000)
    seq = 0
    with pytest.raises(JournalUnavailableError, match="free space"):  # noqa: PT012 - the disk decides when
        while True:
            await journal.append(large(seq + 1))
            seq += 1
    with pytest.raises(JournalUnavailableError, match="free space"):
        await journal.append(large(seq + 1))
    assert await stored_seqs(journal) == list(range(1, seq + 1))
    ballast.unlink()
    await journal.append(large(seq + 1))
    assert await stored_seqs(journal) == list(range(1, seq + 2))
    await journal.close()


async def test_a_write_error_passes(journal: SqliteJournal) -> None:
    """After a write error of the operating system (a limit on file sizes) the store is opened anew and goes on."""
    await journal.append(batch(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        for _ in range(2):
            with pytest.raises(JournalUnavailableError, match="input/output error"):
                await journal.append(large(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    await journal.append(large(2))
    await journal.append(batch(3))
    assert await stored_seqs(journal) == [1, 2, 3]


async def test_a_full_disk_at_start_is_explained(small_disk: Path) -> None:
    """A store cannot be made on a full disk; it says so, and can be opened later."""
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(b"x" * 3_000_000)
    journal = SqliteJournal(small_disk / "journal.db")
    with pytest.raises(JournalUnavailableError, match=r"disk is full|free space"):
        await journal.open()
    ballast.unlink()
    await journal.open()
    await journal.append(batch(1))
    await journal.close()


async def test_a_disk_that_became_read_only_passes(small_disk: Path) -> None:
    """A store on a read-only mount (what the kernel makes of a sick disk) cannot be opened; writable again, it can."""
    journal = SqliteJournal(small_disk / "journal.db")
    await journal.open()
    await journal.append(batch(1))
    await journal.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(JournalUnavailableError, match="writable"):
        await SqliteJournal(small_disk / "journal.db").open()
    subprocess.run(["mount", "-o", "remount,rw,size=2m", small_disk], check=True)
    again = SqliteJournal(small_disk / "journal.db")
    await again.open()
    await again.append(batch(2))
    assert await stored_seqs(again) == [1, 2]
    await again.close()


async def test_a_lock_held_by_a_shell_passes(path: Path, journal: SqliteJournal) -> None:
    """While another program holds the write lock appends fail as unavailable; then the same batch goes through."""
    await journal.append(batch(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailableError, match="another program holds a lock"):
            await journal.append(batch(2))
        shell.execute("ROLLBACK")
    await journal.append(batch(2))
    assert await stored_seqs(journal) == [1, 2]


async def test_a_store_that_was_moved_is_not_written_to(path: Path, journal: SqliteJournal) -> None:
    """A deleted or moved file would swallow records in silence: appends fail until it is back."""
    await journal.append(batch(1))
    elsewhere = path.with_name("moved.db")
    path.rename(elsewhere)
    with pytest.raises(JournalUnavailableError, match="put the file back"):
        await journal.append(batch(2))
    elsewhere.rename(path)
    await journal.append(batch(2))
    assert await stored_seqs(journal) == [1, 2]


async def test_a_store_that_was_replaced_supersedes(path: Path, journal: SqliteJournal) -> None:
    """Another file in the store's place (a restored backup) means that this process must stop."""
    await journal.append(batch(1))
    path.rename(path.with_name("old.db"))
    path.write_bytes(b"")
    with pytest.raises(JournalSupersededError, match="must stop"):
        await journal.append(batch(2))


async def test_a_damaged_page_is_found(path: Path) -> None:
    """Zeroed pages in the middle of the file are reported as damage, with what to do."""
    journal = SqliteJournal(path)
    await journal.open()
    for seq in range(1, 20):
        await journal.append(batch(seq, width=50))
    await journal.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    path.write_bytes(content)
    again = SqliteJournal(path)
    with pytest.raises(JournalCorruptError, match="backup"):  # noqa: PT012 - wherever it is noticed
        await again.open()
        [stored async for stored in again.unfinished()]
    await again.close()


async def test_a_missing_record_is_found(path: Path) -> None:
    """A workflow whose records have a hole is not folded as if it had none."""
    journal = SqliteJournal(path)
    await journal.open()
    for seq in (1, 2, 3):
        await journal.append(batch(seq))
    await journal.close()
    with closing(sqlite3.connect(path)) as shell:
        shell.execute("DELETE FROM records WHERE seq = 2")
        shell.commit()
    await journal_is_corrupt(path, "record 2 of workflow number 1 is missing")


async def test_a_damaged_record_is_found(path: Path) -> None:
    """A payload that is no longer what its kind says is damage, not a crash."""
    journal = SqliteJournal(path)
    await journal.open()
    await journal.append(batch(1))
    await journal.close()
    with closing(sqlite3.connect(path)) as shell:
        shell.execute("UPDATE records SET payload = '{\"task_id\": 5}'")
        shell.commit()
    await journal_is_corrupt(path, "call_due.*damaged")


async def journal_is_corrupt(path: Path, why: str) -> None:
    """Journal and reader both say so."""
    journal, reader = SqliteJournal(path), SqliteJournalReader(path)
    await journal.open()
    with pytest.raises(JournalCorruptError, match=why):
        [stored async for stored in journal.unfinished()]
    with pytest.raises(JournalCorruptError, match=why):
        await reader.history(WorkflowId("wf-0"))
    await journal.close()
    await reader.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, JournalUnavailableError),
        (sqlite3.SQLITE_IOERR_WRITE, JournalUnavailableError),
        (sqlite3.SQLITE_IOERR_FSYNC, JournalAmbiguousError),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, JournalUnavailableError),
        (sqlite3.SQLITE_LOCKED, JournalUnavailableError),
        (sqlite3.SQLITE_CANTOPEN, JournalUnavailableError),
        (sqlite3.SQLITE_READONLY_DBMOVED, JournalUnavailableError),
        (sqlite3.SQLITE_CORRUPT, JournalCorruptError),
        (sqlite3.SQLITE_IOERR_CORRUPTFS, JournalCorruptError),
        (sqlite3.SQLITE_NOTADB, JournalCorruptError),
        (sqlite3.SQLITE_CONSTRAINT, JournalCorruptError),
        (sqlite3.SQLITE_ERROR, JournalCorruptError),
    ],
)
def test_complaints_are_classified(code: int, expected: type[JournalError]) -> None:
    """Each of SQLite's result codes, also the extended ones, becomes the error that says what to do."""
    error = sqlite3.OperationalError("it says so")
    error.sqlite_errorcode = code
    said = journal_error_of(Path("journal.db"), error, committing=True)
    assert type(said) is expected
    assert "it says so" in str(said)


async def test_readers_see_whole_commits_only(path: Path, journal: SqliteJournal) -> None:
    """A reader beside a writer never sees a part of a batch, never blocks it, and never fails."""
    reader = SqliteJournalReader(path)
    await journal.append(batch(1, width=10))
    lengths: list[int] = []

    async def read() -> None:
        while not lengths or lengths[-1] < 60:
            histories = [await reader.history(WorkflowId(f"wf-{number}")) for number in (9, 0)]
            last, first = (len(history.entries) for history in histories if history is not None)
            assert last <= first  # 0 was read after 9, and both grow together
            lengths.append(first)

    reading = asyncio.ensure_future(read())
    for seq in range(2, 61):
        await journal.append(batch(seq, width=10))
    await reading
    assert lengths == sorted(lengths)
    await reader.close()


@pytest.mark.parametrize("kills_after", [1, 40, 150])
async def test_kill_9_loses_nothing_that_was_acknowledged(path: Path, kills_after: int) -> None:
    """After SIGKILL of a writing process every acknowledged batch is there, whole; at most the one under way on top."""
    writer = subprocess.Popen(
        [sys.executable, acknowledging_writer.__file__, path], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    with writer:
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < kills_after:
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        acknowledged = int((writer.stdout.read().split() or [str(acknowledged)])[-1])
    journal = SqliteJournal(path)
    await journal.open()
    lengths = {len(stored.entries) async for stored in journal.unfinished()}
    assert lengths in ({acknowledged}, {acknowledged + 1})
    await journal.append(batch(lengths.pop() + 1, width=acknowledging_writer.WIDTH))
    await journal.close()


async def test_cancelling_an_append_leaves_the_journal_whole(journal: SqliteJournal) -> None:
    """A cancelled append happened or not; repeating it is right in both cases."""
    appending = asyncio.ensure_future(journal.append(batch(1)))
    await asyncio.sleep(0)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    await journal.append(batch(1))
    await journal.append(batch(2))
    assert await stored_seqs(journal) == [1, 2]
