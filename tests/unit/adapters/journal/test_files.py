"""The store's file: versions, strangers, folders, readers."""

# ruff: noqa: ASYNC240 - nothing else runs on these loops, so a file may be touched the short way
from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jada_orchestrator.adapters.journal import files
from jada_orchestrator.adapters.journal.reader import SqliteJournalReader
from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.ports.journal import (
    JournalCorruptError,
    JournalInUseError,
    JournalUnavailableError,
    JournalVersionError,
)
from tests.unit.adapters.journal.conftest import batch, stored_seqs


def digests(path: Path) -> dict[str, str]:
    """What the store's files hold, without the lock."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.parent.iterdir()
        if file.suffix != ".lock"
    }


async def made(path: Path) -> None:
    """A store with one record."""
    journal = SqliteJournal(path)
    await journal.open()
    await journal.append(batch(1))
    await journal.close()


async def test_a_newer_store_is_refused_and_untouched(path: Path) -> None:
    """A store of a newer schema is refused by journal and reader, and not a byte of it changes."""
    await made(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {files.SCHEMA_VERSION + 1}")
        connection.commit()
    before = digests(path)
    with pytest.raises(JournalVersionError, match="run the newer version"):
        await SqliteJournal(path).open()
    assert digests(path) == before
    with pytest.raises(JournalVersionError):
        await SqliteJournalReader(path).heads()


async def test_a_newer_version_is_seen_in_the_log_too(path: Path) -> None:
    """A newer program that died before its migration reached the main file is still believed."""
    await made(path)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {files.SCHEMA_VERSION + 1}")
    connection.commit()  # left open: the change is in the write-ahead log only
    with pytest.raises(JournalVersionError):
        await SqliteJournal(path).open()
    connection.close()


@pytest.mark.parametrize("content", ["another program's tables", "no database"])
async def test_a_stranger_is_refused_and_untouched(path: Path, content: str) -> None:
    """A file that is not a store of ours is neither migrated nor overwritten."""
    if content == "no database":
        path.write_text("Dear diary, " * 1_000)
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE customers (name TEXT)")
    before = digests(path)
    with pytest.raises(JournalCorruptError, match=r"JADA_STORE|not a store"):
        await SqliteJournal(path).open()
    assert digests(path) == before


async def test_the_file_says_what_it_is(path: Path) -> None:
    """The header carries our application id and the schema version, in the main file, right after the first open."""
    await made(path)
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[68:72]) == files.APPLICATION_ID
    assert int.from_bytes(header[60:64]) == files.SCHEMA_VERSION


async def test_a_missing_folder_is_explained(tmp_path: Path) -> None:
    """A store in a folder that is not there asks for the folder."""
    with pytest.raises(JournalUnavailableError, match="folder must exist and be writable"):
        await SqliteJournal(tmp_path / "no" / "journal.db").open()


async def test_a_second_daemon_is_told_who_has_the_store(path: Path, journal: SqliteJournal) -> None:
    """The message names the process that holds the store."""
    with pytest.raises(JournalInUseError, match=rf"process {os.getpid()} on "):
        await SqliteJournal(path).open()


async def test_a_failed_open_can_be_repeated(tmp_path: Path) -> None:
    """An open that failed holds nothing: the same journal opens once the trouble is over."""
    path = tmp_path / "later" / "journal.db"
    journal = SqliteJournal(path)
    with pytest.raises(JournalUnavailableError):
        await journal.open()
    path.parent.mkdir()
    await journal.open()
    await journal.append(batch(1))
    assert await stored_seqs(journal) == [1]
    await journal.close()


async def test_a_reader_without_a_store_says_what_to_do(path: Path) -> None:
    """No file, or an empty one: start the daemon once; nothing is created by looking."""
    reader = SqliteJournalReader(path)
    with pytest.raises(JournalUnavailableError, match="jada run"):
        await reader.heads()
    assert not path.exists()
    path.touch()
    with pytest.raises(JournalUnavailableError, match="is empty"):
        await reader.heads()
    await reader.close()


async def test_a_reader_cannot_write(path: Path, journal: SqliteJournal) -> None:
    """Even a defect in the reader could not change the store: its connection refuses."""
    connection = files.open_for_reading(path)
    with closing(connection), pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM records")
