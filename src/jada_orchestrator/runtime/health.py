"""How the turn loop is, and what it may find that it cannot go on with."""

from __future__ import annotations

from dataclasses import dataclass, field

from jada_orchestrator.runtime.snapshot import Spending


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


class CatalogueLostError(Exception):
    """A booking's own version of the catalogue is not to be had, and another one is never taken in its place.

    Raised within a turn; the booking is set aside with this as its story. Every version is kept before the first
    booking uses it, so the store was damaged or put together by hand: the operator restores it from a backup.
    """
