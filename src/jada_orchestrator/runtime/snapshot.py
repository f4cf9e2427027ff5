"""What a running orchestrator says of itself: read by status lines, `jada status`, health pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from jada_orchestrator.capacity.health import AgentView
from jada_orchestrator.domain.instants import UtcMs

_DAY_MS = 86_400_000


class Phase(Enum):
    """Where in its life the process is."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"


class Spending:
    """What model calls cost on the present UTC day, as far as this process saw it; unknown prices count apart."""

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self._day = -1
        self._usd = Decimal(0)
        self.total_usd = Decimal(0)
        """Since the process began."""
        self.unpriced = 0
        """Calls whose model has no known price."""

    def add(self, usd: str | None, now: UtcMs) -> None:
        """Count one call's price."""
        if usd is None:
            self.unpriced += 1
            return
        price = Decimal(usd)
        self._usd = self.today_usd(now) + price
        self._day = now // _DAY_MS
        self.total_usd += price

    def today_usd(self, now: UtcMs) -> Decimal:
        """Return what was spent since midnight UTC."""
        return self._usd if now // _DAY_MS == self._day else Decimal(0)


@dataclass(slots=True)
class FirstCalls:
    """How soon bookings' first calls went out, summed since the process began."""

    bookings: int = 0
    after_ms: int = 0
    """From acceptance to the first call."""
    hidden_ms: int = 0
    """Of the making of plans, what was not waited for."""
    answer_ms: int = 0
    """The making of those plans in all."""

    def add(self, after_ms: int, hidden_ms: int, answer_ms: int) -> None:
        """Count one booking."""
        self.bookings += 1
        self.after_ms += after_ms
        self.hidden_ms += hidden_ms
        self.answer_ms += answer_ms


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Numbers of one moment. `bookings` counts the unfinished ones by status."""

    phase: Phase
    bookings: dict[str, int]
    in_memory: int
    calls_in_flight: int
    inbox: int
    turns: int
    commits: int
    records: int
    store_trouble: str | None
    turned_ms_ago: int
    """Since the turn loop last went round; it does so every two seconds when nothing happens."""
    spent_today_usd: Decimal
    spent_usd: Decimal
    unpriced_calls: int
    first_calls: FirstCalls = field(default_factory=FirstCalls)
    left_for_newer: int = 0
    """Bookings that nobody works on, because only a newer version can read their records."""
    retired: int = 0
    """Bookings that were retired since the process began."""
    planning_stopped: str | None = None
    """Why no plans can be made until a person or the calendar acts."""
    agents: tuple[AgentView, ...] = ()
    """How every agent fares that was called since the process began."""
