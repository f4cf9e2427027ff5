"""How the turn loop is, and what it may find that it cannot go on with."""

from __future__ import annotations

from dataclasses import dataclass, field

from jada_orchestrator.runtime.snapshot import FirstCalls, Spending
from jada_orchestrator.runtime.world import World


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
    spending: Spending = field(default_factory=Spending)
    first_calls: FirstCalls = field(default_factory=FirstCalls)


class CatalogueLostError(Exception):
    """A booking's own version of the catalogue is not to be had, and another one is never taken in its place.

    Raised within a turn; the booking is set aside with this as its story. Every version is kept before the first
    booking uses it, so the store was damaged or put together by hand: the operator restores it from a backup.
    """


def note_trouble(health: Health, world: World, trouble: str | None) -> None:
    """Say it once when trouble with the store begins, and once when it is over."""
    before, health.store_trouble = health.store_trouble, trouble
    if trouble is not None and before is None:
        message = f"The store cannot be used; nothing is accepted until it can: {trouble}"
        world.log.emit("critical", "store.unavailable", message)
        world.watcher.status(f"NOT ACCEPTING: {trouble}")
    elif trouble is None and before is not None:
        world.log.emit("warning", "store.available", "The store can be used again; requests are accepted")
