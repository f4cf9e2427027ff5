"""How the turn loop is, and what it may find that it cannot go on with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from jada_orchestrator.ports.journal import JournalAmbiguousError, JournalUnavailableError, Stored
from jada_orchestrator.runtime.snapshot import FirstCalls, Spending
from jada_orchestrator.runtime.world import World

_T = TypeVar("_T")

_STORE_RETRY_FIRST_MS: Final = 100
_STORE_RETRY_MAX_MS: Final = 5_000


@dataclass(slots=True)
class Health:
    """What the turn loop knows of its own state; read by intake, status and doctor."""

    store_trouble: str | None = None
    """Why nothing can be made durable now; while it is set, nothing is accepted."""
    turns: int = 0
    turned_at: float = 0.0
    """By the event loop's clock: when a turn last came to its end, or the store was last waited for."""
    commits: int = 0
    records: int = 0
    retired: int = 0
    """Workflows that were retired."""
    spending: Spending = field(default_factory=Spending)
    first_calls: FirstCalls = field(default_factory=FirstCalls)


class CatalogueLostError(Exception):
    """A booking's own version of the catalogue is not to be had, and another one is never taken in its place.

    Raised within a turn; the booking is set aside with this as its story. Every version is kept before the first
    booking uses it, so the store was damaged or put together by hand: the operator restores it from a backup.
    """


async def through_trouble(health: Health, world: World, act: Callable[[], Awaitable[_T]]) -> _T:
    """Do something to the store, and do it again for as long as the store is in trouble that may pass."""
    tries = 0
    while True:
        try:
            done = await act()
        except (JournalUnavailableError, JournalAmbiguousError) as error:
            tries += 1
            _note_trouble(health, world, str(error))
            # Waiting for the store is no hang: a restart would not mend it, so the watchdog is kept fed.
            world.watcher.alive()
            health.turned_at = asyncio.get_running_loop().time()
            await asyncio.sleep(min(_STORE_RETRY_FIRST_MS * 2 ** min(tries, 10), _STORE_RETRY_MAX_MS) / 1_000)
        else:
            _note_trouble(health, world, None)
            return done


def tell_unreadable(world: World, stored: Stored, why: str) -> None:
    """Say that a stored workflow cannot be folded."""
    world.log.emit(
        "critical",
        "workflow.unreadable",
        f"The journal's records cannot be folded; the workflow is left alone: {why}",
        workflow_id=stored.workflow_id,
        request_id=stored.head.request_id,
    )


def _note_trouble(health: Health, world: World, trouble: str | None) -> None:
    """Say it once when trouble with the store begins, and once when it is over."""
    before, health.store_trouble = health.store_trouble, trouble
    if trouble is not None and before is None:
        message = f"The store cannot be used; nothing is accepted until it can: {trouble}"
        world.log.emit("critical", "store.unavailable", message)
        world.watcher.status(f"NOT ACCEPTING: {trouble}")
    elif trouble is None and before is not None:
        world.log.emit("warning", "store.available", "The store can be used again; requests are accepted")
