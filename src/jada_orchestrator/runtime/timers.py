"""Timers: one instant per workflow, one wake-up of the loop for all of them."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.host import Clock

_LOOK_AGAIN_MS = 30_000
"""The wall clock may jump; no wait is longer than this without looking at it again."""
_STALE_MAX = 1_000
"""Replaced instants stay in the heap until their time has come; with more of them than this it is made anew."""


class Timers:
    """Calls `fire(workflow_id)` once its instant has come. Setting a new instant replaces the old one."""

    def __init__(self, clock: Clock, fire: Callable[[WorkflowId], None]) -> None:
        """Begin with nothing to wait for; needs a running loop from the first `set` on."""
        self._clock = clock
        self._fire = fire
        self._instants: dict[WorkflowId, UtcMs] = {}
        self._heap: list[tuple[UtcMs, WorkflowId]] = []
        self._handle: asyncio.TimerHandle | None = None
        self._handle_at: UtcMs | None = None

    def __len__(self) -> int:
        """Return how many workflows wait for an instant."""
        return len(self._instants)

    def set(self, workflow_id: WorkflowId, instant: UtcMs | None) -> None:
        """Wait for an instant on behalf of a workflow, or for nothing any more."""
        if instant is None:
            self._instants.pop(workflow_id, None)
            return
        if self._instants.get(workflow_id) == instant:
            return
        self._instants[workflow_id] = instant
        if len(self._heap) > _STALE_MAX + 2 * len(self._instants):
            self._heap = [(at, waiting) for waiting, at in self._instants.items()]
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, (instant, workflow_id))
        if self._handle_at is None or instant < self._handle_at:
            self._arm()

    def close(self) -> None:
        """Wait for nothing any more."""
        self._instants.clear()
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._handle_at = None

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = self._handle_at = None
        while self._heap and self._instants.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # replaced or dropped since
        if not self._heap:
            return
        instant = self._heap[0][0]
        wait_ms = min(max(0, instant - self._clock.now()), _LOOK_AGAIN_MS)
        self._handle_at = instant
        self._handle = asyncio.get_running_loop().call_later(wait_ms / 1_000, self._due)

    def _due(self) -> None:
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            instant, workflow_id = heapq.heappop(self._heap)
            if self._instants.get(workflow_id) == instant:
                del self._instants[workflow_id]
                self._fire(workflow_id)
        self._arm()
