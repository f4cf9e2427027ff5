"""Retiring by hand what ended long ago, beside daemons or without one.

A file has one owner: where a daemon has it, the daemon is asked to do it, and its progress is read from the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from jada_orchestrator.adapters.journal.opening import Store, open_store
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.journal import JournalInUseError, JournalReader, Retirable
from jada_orchestrator.runtime.retiring import Retiring, Unreadable
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.store_access import store_reader

WORKFLOWS_AT_ONCE: Final = 100
"""Retired in one commit: some 4,000 records of ordinary bookings, a tenth of a second."""
RECORDS_AT_ONCE: Final = 10_000
LOOK_S: Final = 0.5
PATIENCE_S: Final = 60.0
"""How long a daemon that was asked may retire nothing before it is waited for no more."""

Progress = Callable[[int], None]
"""Told how many bookings were retired so far."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of it: how many bookings were retired, how many records they had, and how many are left whole."""

    bookings: int
    records: int
    left: int


async def retirable(settings: Settings, before: UtcMs) -> Retirable:
    """Count what ended before an instant and may be retired. Raises: JournalError."""
    async with store_reader(settings) as reader:
        return await reader.retirable(before)


async def prune(
    settings: Settings,
    before: UtcMs,
    now: UtcMs,
    *,
    ask: Callable[[UtcMs], Awaitable[None]],
    told: Progress,
    unreadable: Unreadable,
    patience_s: float = PATIENCE_S,
) -> Pruned:
    """Retire all that ended before an instant. `ask` has the daemon do it, where one owns the store.

    Raises: JournalError, what `ask` raises.
    """
    async with store_reader(settings) as reader:
        first = await reader.retirable(before)
        if first.workflows:
            store = open_store(settings.store, lease_ms=settings.lease)
            try:
                await store.journal.open()
            except JournalInUseError:
                await ask(before)
                await _follow(reader, before, first.workflows, told, patience_s)
            else:
                await _retire(store, before, now, told, unreadable)
        left = await reader.retirable(before)
    return Pruned(max(0, first.workflows - left.workflows), max(0, first.records - left.records), left.workflows)


async def _retire(store: Store, before: UtcMs, now: UtcMs, told: Progress, unreadable: Unreadable) -> None:
    """Retire it in this process, which owns the store or is one more instance on it."""
    try:
        retiring = Retiring(store.journal, unreadable)
        retired = 0
        while done := await retiring.piece(before, now, WORKFLOWS_AT_ONCE, RECORDS_AT_ONCE):
            retired += done
            told(retired)
            if store.ownership is not None:
                await store.ownership.renew()
    finally:
        await store.journal.close()


async def _follow(reader: JournalReader, before: UtcMs, first: int, told: Progress, patience_s: float) -> None:
    """Return when the daemon has retired all of it, or gets no further."""
    left, stood_s = first, 0.0
    while left and stood_s < patience_s:
        await asyncio.sleep(LOOK_S)
        now_left = (await reader.retirable(before)).workflows
        stood_s = 0.0 if now_left != left else stood_s + LOOK_S
        left = now_left
        told(first - left)
