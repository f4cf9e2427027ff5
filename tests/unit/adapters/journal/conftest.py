"""What the tests of the SQLite store share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.domain.ids import CatalogueVersion, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import CallDue, Entry
from jada_orchestrator.ports.journal import Append, Head

HEAD: Final = Head("web", "t", "running", "m", UtcMs(1), None, None, CatalogueVersion("c"), False, False, False)


def batch(seq: int, *, task: str = "t", width: int = 1) -> list[Append]:
    """The `seq`-th entry of each of `width` workflows."""
    entry = Entry(seq, UtcMs(seq), CallDue(TaskId(f"{task}{seq}"), "do"))
    return [Append(WorkflowId(f"wf-{number}"), (entry,), HEAD) for number in range(width)]


async def stored_seqs(journal: SqliteJournal, name: str = "wf-0") -> list[int]:
    """The seqs of a workflow's entries."""
    found = await journal.load([WorkflowId(name)])
    return [entry.seq for stored in found.values() for entry in stored.entries]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    """An open journal."""
    opened = SqliteJournal(path)
    await opened.open()
    yield opened
    await opened.close()
