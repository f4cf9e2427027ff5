"""The event loop's own lag: how late it comes round, and where it was when that took too long.

A loop that is held for a tenth of a second answers nobody for so long: no reply is read, no timer fires. The loop notes
by itself how late it is each time; a thread beside it looks whether it comes round at all, and where it is when not.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from jada_orchestrator.ports.log import Log

BLOCKED_S: Final = 0.05
"""Held for longer than this, the loop says where it was."""
TICK_S: Final = 0.025
"""How often the loop notes its lag, and the thread looks: 40 times a second cost a thousandth of a processor."""
_KEPT: Final = 2_400
"""Lags that are kept: those of the last minute."""
_TOLD_EVERY_S: Final = 10.0
"""Under a load that is too high every turn is too long; one line in so many seconds says it."""
_FRAMES_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Lag:
    """How late the loop came round: of the last minute, in seconds; and how often it was held since the start."""

    p99_s: float
    max_s: float
    blocked: int


@dataclass(slots=True)
class LagMeter:
    """Counts lags, and keeps what was seen of the loop while it was held. `now` is a clock that never goes back."""

    log: Log
    now: Callable[[], float] = time.monotonic
    _due: float | None = None
    """When the loop should come round next; None before the first time."""
    _lags: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _blocked: int = 0
    _stack: str = ""
    """Where the loop was, if it is late now and was looked at."""
    _told_at: float = float("-inf")

    @property
    def has_seen(self) -> bool:
        """Whether the loop is held now, and it is known where."""
        return bool(self._stack)

    def came_round(self) -> None:
        """Note that the loop has come round, and tell where it was if that took too long."""
        now = self.now()
        lag = 0.0 if self._due is None else max(0.0, now - self._due)
        self._lags.append(lag)
        self._due, stack, self._stack = now + TICK_S, self._stack, ""
        if lag <= BLOCKED_S:
            return
        self._blocked += 1
        if now - self._told_at >= _TOLD_EVERY_S:
            self._told_at = now
            where = stack or "nobody saw where: the interpreter itself was held, or the host did not let us run"
            self.log.emit("warning", "loop.blocked", f"The loop was held for {lag * 1e3:.0f} ms: {where}", lag_s=lag)

    def look(self, frame_of: Callable[[], FrameType | None]) -> None:
        """Look, from another thread, whether the loop is held, and where, once each time."""
        if self._due is None or self._stack or self.now() - self._due <= BLOCKED_S:
            return
        frame = frame_of()
        if frame is not None:
            self._stack = _shown(frame)

    def lag(self) -> Lag:
        """Return what was measured."""
        ordered = sorted(self._lags)
        if not ordered:
            return Lag(0.0, 0.0, self._blocked)
        return Lag(ordered[(len(ordered) * 99 - 1) // 100], ordered[-1], self._blocked)


def _shown(frame: FrameType) -> str:
    """Return the innermost frames in one line, outermost first."""
    frames = traceback.extract_stack(frame)[-_FRAMES_MAX:]
    return " > ".join(f"{each.name} ({each.filename.rpartition('/')[2]}:{each.lineno})" for each in frames)


@contextmanager
def watch_loop(meter: LagMeter) -> Iterator[None]:
    """Measure the running loop inside the context; to be entered in the loop's own thread."""
    loop = asyncio.get_running_loop()
    loop_thread = threading.get_ident()
    over = threading.Event()
    timer: asyncio.TimerHandle | None = None

    def tick() -> None:
        nonlocal timer
        meter.came_round()
        timer = loop.call_later(TICK_S, tick)

    def look() -> None:
        while not over.wait(TICK_S):
            meter.look(lambda: sys._current_frames().get(loop_thread))  # noqa: SLF001 - there is no other way to see it

    tick()
    thread = threading.Thread(target=look, name="loop-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if timer is not None:
            timer.cancel()
