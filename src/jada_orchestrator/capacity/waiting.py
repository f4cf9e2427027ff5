"""Calls that wait for one agent, and which of them goes next. Pure.

The order, from the outside in:

1. Levels: undoing before doing, then priority. Every `AGED_EVERY`-th grant goes to the call that has waited longest, if
   it has waited for `AGED_AFTER_MS`: so low priority runs however much comes above it, and high priority loses no more
   than that share.
2. Tenants of a level share by weight (start-time fair queuing: a tenant's pass grows by 1 / weight with each grant, the
   lowest goes next; one that comes anew starts where the others are, so that it can neither save up nor be starved).
3. A tenant's bookings take turns, from round to round.
4. Within a round: who is due first (least slack), then who came first.

Adding, taking and forgetting cost O(log n) each; entries that were forgotten stay in their heaps until they come up, or
are more than those that wait.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from msgspec import Struct

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import CallRef

AGED_AFTER_MS: Final = 30_000
"""A call that has waited for so long has a right to a share; half a minute is more than any calm queue keeps a call."""
AGED_EVERY: Final = 8
"""One grant of so many goes to the call that waits longest: an eighth of an agent for what would starve."""
_NEVER_DUE: Final = 2**62
_ROUNDS_KEPT: Final = 100
"""Bookings without waiting calls whose rounds are remembered, before those that are over are dropped."""
_FORGOTTEN_KEPT: Final = 100
"""Forgotten entries that are left where they are, beside as many as there are others."""
_PASSES_KEPT: Final = 1_000
"""Tenants without waiting calls whose passes are remembered, before those that mean nothing any more are dropped."""


class Entry(Struct, eq=False):
    """One waiting call."""

    tenant: str
    workflow_id: WorkflowId
    ref: CallRef
    level: int
    since: UtcMs
    due: UtcMs | None
    is_waiting: bool = True


@dataclass(slots=True)
class _Tenant:
    """One tenant's waiting calls on one level: a heap of (round, due, number, entry)."""

    heap: list[tuple[int, int, int, Entry]] = field(default_factory=list)
    rounds: dict[WorkflowId, int] = field(default_factory=dict)
    """The round of each booking's latest call."""
    round: int = 0
    count: int = 0

    def add(self, entry: Entry, number: int) -> None:
        turn = max(self.round, self.rounds.get(entry.workflow_id, -1) + 1)
        self.rounds[entry.workflow_id] = turn
        due = _NEVER_DUE if entry.due is None else entry.due
        heappush(self.heap, (turn, due, number, entry))
        self.count += 1
        if len(self.rounds) > 2 * self.count + _ROUNDS_KEPT:
            self.rounds = {w: r for w, r in self.rounds.items() if r >= self.round}

    def remove(self) -> None:
        """Note that one of its entries waits no more."""
        self.count -= 1
        if len(self.heap) > 2 * self.count + _FORGOTTEN_KEPT:
            self.heap = [each for each in self.heap if each[3].is_waiting]
            heapify(self.heap)

    def take(self) -> Entry:
        """Return the next that waits; there is one."""
        while True:
            self.round, _, _, entry = heappop(self.heap)
            if entry.is_waiting:
                return entry


@dataclass(slots=True)
class _Level:
    """One level: the tenants that wait, by pass."""

    tenants: dict[str, _Tenant] = field(default_factory=dict)
    passes: dict[str, float] = field(default_factory=dict)
    heap: list[tuple[float, int, str]] = field(default_factory=list)
    now: float = 0.0
    """The pass of the latest grant: where a tenant that comes anew starts."""

    def add(self, entry: Entry, number: int) -> None:
        tenant = self.tenants.get(entry.tenant)
        if tenant is None:
            tenant = self.tenants[entry.tenant] = _Tenant()
            self._line_up(entry.tenant, max(self.now, self.passes.get(entry.tenant, 0.0)), number)
        tenant.add(entry, number)

    def remove(self, entry: Entry) -> None:
        tenant = self.tenants[entry.tenant]
        tenant.remove()
        if tenant.count == 0:
            del self.tenants[entry.tenant]

    def take(self, weights: dict[str, float], number: int) -> Entry:
        """Return the next that waits, and charge its tenant; there is one."""
        while True:
            at, _, name = heappop(self.heap)
            tenant = self.tenants.get(name)
            if tenant is None or self.passes[name] != at:
                continue  # it has nothing waiting any more, or stands elsewhere in the heap
            self.now = at
            entry = tenant.take()
            self._line_up(name, at + 1.0 / weights.get(name, 1.0), number)
            return entry

    def _line_up(self, name: str, at: float, number: int) -> None:
        self.passes[name] = at
        heappush(self.heap, (at, number, name))
        if len(self.passes) > len(self.tenants) + _PASSES_KEPT:
            self.passes = {n: p for n, p in self.passes.items() if p > self.now or n in self.tenants}
        if len(self.heap) > 2 * len(self.tenants) + _PASSES_KEPT:
            self.heap = [(p, n, t) for p, n, t in self.heap if t in self.tenants and self.passes[t] == p]
            heapify(self.heap)


class WaitingCalls:
    """The calls that wait for one agent."""

    def __init__(self, weights: dict[str, float]) -> None:
        """Begin empty. `weights` by tenant, 1.0 where there is none; shared with whoever changes them."""
        self._weights = weights
        self._levels: dict[int, _Level] = {}
        self._top = -1
        self._oldest: deque[Entry] = deque()
        self._numbers = 0
        self._since_aged = 0
        self._count = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return self._count

    @property
    def oldest(self) -> UtcMs:
        """Since when the one that has waited longest does; something does."""
        return self._oldest[0].since

    @property
    def top(self) -> int:
        """The highest level on which anything waits; something does."""
        return self._top

    def add(self, entry: Entry) -> None:
        """Have a call wait."""
        self._numbers += 1
        level = self._levels.get(entry.level)
        if level is None:
            level = self._levels[entry.level] = _Level()
            self._top = max(self._top, entry.level)
        level.add(entry, self._numbers)
        self._oldest.append(entry)
        self._count += 1

    def remove(self, entry: Entry) -> None:
        """Forget a call that waits."""
        entry.is_waiting = False
        level = self._levels[entry.level]
        level.remove(entry)
        if not level.tenants:
            del self._levels[entry.level]
            self._top = max(self._levels, default=-1)
        self._count -= 1
        while self._oldest and not self._oldest[0].is_waiting:
            self._oldest.popleft()
        if len(self._oldest) > 2 * self._count + _FORGOTTEN_KEPT:
            self._oldest = deque(each for each in self._oldest if each.is_waiting)

    def next(self, now: UtcMs) -> Entry:
        """Choose who goes next and forget it here; somebody waits."""
        self._numbers += 1
        self._since_aged += 1
        oldest = self._oldest[0]
        if self._since_aged >= AGED_EVERY and now - oldest.since >= AGED_AFTER_MS:
            self._since_aged = 0
            chosen = oldest
        else:
            chosen = self._levels[self.top].take(self._weights, self._numbers)
        self.remove(chosen)
        return chosen
