"""Retiring by hand where a daemon has the store: it is asked, and what it does is followed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.journal import Stored
from jada_orchestrator.runtime.retiring import Retiring
from jada_orchestrator.service import pruning
from jada_orchestrator.service.pruning import Pruned
from jada_orchestrator.service.settings import Settings
from tests.unit.cli import bookings

LATER = UtcMs(bookings.START + 86_400_000)


def unreadable(stored: Stored, why: str) -> None:
    """Be told of nothing."""
    raise AssertionError(f"{stored.workflow_id} cannot be read: {why}")


@pytest.mark.parametrize("is_deaf", [False, True], ids=["it retires", "it gets no further"])
async def test_the_daemon_that_has_the_store_is_asked(tmp_path: Path, *, is_deaf: bool) -> None:
    """The command waits for it, tells how far it is, and gives up on one that gets no further."""
    stored = (bookings.completed(), bookings.failed("web-failed", "no"), bookings.standing())
    url = await asyncio.to_thread(bookings.write, tmp_path, *stored)
    settings = Settings(store=url)
    daemon = SqliteJournal(tmp_path / "journal.db")
    await daemon.open()
    asked: list[UtcMs] = []
    told: list[int] = []

    async def ask(before: UtcMs) -> None:
        asked.append(before)
        if not is_deaf:
            await Retiring(daemon, unreadable).piece(before, LATER)

    done = await pruning.prune(settings, LATER, LATER, ask=ask, told=told.append, unreadable=unreadable, patience_s=1.0)
    await daemon.close()
    assert asked == [LATER]
    assert (done.bookings, done.left) == ((0, 2) if is_deaf else (2, 0))
    assert told[-1] == done.bookings


async def test_a_store_that_nobody_has_is_pruned_here(tmp_path: Path) -> None:
    """Nobody is asked, and the store is free again afterwards."""
    url = await asyncio.to_thread(bookings.write, tmp_path, bookings.completed(), bookings.standing())

    async def ask(before: UtcMs) -> None:
        raise AssertionError("nobody has the store")

    told: list[int] = []
    done = await pruning.prune(Settings(store=url), LATER, LATER, ask=ask, told=told.append, unreadable=unreadable)
    assert (done.bookings, done.left, told) == (1, 0, [1])
    assert await pruning.prune(
        Settings(store=url), LATER, LATER, ask=ask, told=told.append, unreadable=unreadable
    ) == Pruned(0, 0, 0)
