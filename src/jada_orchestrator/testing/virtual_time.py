"""An event loop whose time is virtual: it jumps to the next timer as soon as nothing is left to do.

A stand-in for the real loop, for code that waits only by the loop (``asyncio.sleep``, ``call_later``, timeouts). Runs
are deterministic: the order of callbacks depends on nothing but the code.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from jada_orchestrator.domain.instants import UtcMs

T = TypeVar("T")
START = UtcMs(1_800_000_000_000)
"""Where virtual clocks begin: 2027-01-15T08:00:00Z."""


class StalledError(Exception):
    """Nothing is left that could ever happen, and the program has not ended.

    Raised by the virtual loop. It means a deadlock in the code under test: somebody waits for what nobody will do.
    """


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that does not wait: it moves the loop's time instead."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; when nothing is, let the time that would be waited pass at once."""
        if self.loop.count_round() or timeout == 0:
            return []
        # The loop's own wake-up pipe is always there; asking the system is only worth it when something else is.
        ready = super().select(0) if len(self.get_map()) > 1 else []
        if ready:
            return ready
        if timeout is None:
            raise StalledError("no timer is set and nothing is ready: the program waits for ever")
        self.loop.advance(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time. It counts its rounds, between which every task stands at an await."""

    def __init__(self) -> None:
        """Begin at time 0."""
        self.rounds = 0
        self._now = 0.0
        self._due_round: tuple[int, Callable[[], None]] | None = None
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def call_after_rounds(self, rounds: int, callback: Callable[[], None] | None) -> None:
        """Call back between two rounds, so many from now; replaces what was asked for before. None: not at all."""
        self._due_round = None if callback is None else (self.rounds + rounds, callback)

    def count_round(self) -> bool:
        """Begin a round; return whether something was called back at its beginning."""
        self.rounds += 1
        if self._due_round is None or self.rounds < self._due_round[0]:
            return False
        callback, self._due_round = self._due_round[1], None
        callback()
        return True


class VirtualClock:
    """The port `Clock` on a virtual loop; `skew_ms` is what a test lets the wall clock jump by."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Show the loop's time."""
        self._loop = loop
        self.skew_ms = 0

    def now(self) -> UtcMs:
        """Return the present instant."""
        return UtcMs(START + round(self._loop.time() * 1_000) + self.skew_ms)


def run_virtually(main: Coroutine[Any, Any, T], loop: Callable[[], VirtualTimeLoop] = VirtualTimeLoop) -> T:
    """Run a program on a virtual loop to its end. Raises: StalledError, and whatever the program raises."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)
