"""Processes on one virtual loop, each of which can be paused, as SIGSTOP or a machine that is moved pauses one.

What belongs to a process is told by the context in which it runs, which tasks and timers inherit. While a process is
paused nothing of it runs, and its timers do not go off; time goes by for everybody else, and for its own clock.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any, Final, TypeVar

from jada_orchestrator.testing.virtual_time import VirtualTimeLoop

T = TypeVar("T")
_PROCESS: Final[ContextVar[object]] = ContextVar("process", default=None)


class PausingLoop(VirtualTimeLoop):
    """A virtual loop whose processes can be paused. It holds callbacks back, for which it looks inside asyncio."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        """Begin with no process paused."""
        super().__init__()
        self.world: Final = copy_context()
        """The context of what belongs to no process."""
        self._held: dict[object, list[asyncio.Handle]] = {}
        """By paused process what it would do now, in order."""
        self._timers: dict[object, list[asyncio.TimerHandle]] = {}
        self._begins = False
        """A pause has begun in this round: there are timers to hold back."""

    def run_in(self, process: object, main: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin a task that belongs to a process, with everything that it begins."""
        context = self.world.copy()
        context.run(_PROCESS.set, process)
        return self.create_task(main, context=context)

    def outside(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin a task that belongs to the world, whoever asks for it."""
        return self.create_task(work, context=self.world)

    def later(self, seconds: float, callback: Callable[[], object]) -> None:
        """Call back in the world, whoever asks for it."""
        self.call_later(seconds, callback, context=self.world)

    def pause(self, process: object, seconds: float) -> None:
        """Pause a process for a while, from its next await on; one that is paused stays so for as long as it was to."""
        if process in self._held:
            return
        self._held[process] = []
        self._timers[process] = []
        self._begins = True
        self.later(seconds, partial(self.resume, process))

    def is_paused(self, process: object) -> bool:
        """Tell whether a process is paused now."""
        return process in self._held

    def resume(self, process: object) -> None:
        """Let a process go on: what it would have done meanwhile is done now."""
        self._ready.extend(handle for handle in self._held.pop(process, ()) if not handle.cancelled())
        for timer in self._timers.pop(process, ()):
            if not timer.cancelled():
                _set_scheduled(timer, is_scheduled=True)
                heapq.heappush(self._scheduled, timer)

    def count_round(self) -> bool:
        """Begin a round: what belongs to paused processes is held back before anything of it runs."""
        called = super().count_round()
        if self._held:
            self._hold_back()
        return called

    def _hold_back(self) -> None:
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            self._held.get(_process_of(handle), self._ready).append(handle)
        if not self._begins:
            return  # nobody sets a timer of a process that is paused
        self._begins = False
        staying = []
        for timer in self._scheduled:
            held = self._timers.get(_process_of(timer))
            if held is None:
                staying.append(timer)
            else:
                _set_scheduled(timer, is_scheduled=False)
                held.append(timer)
        if len(staying) < len(self._scheduled):
            self._scheduled[:] = staying
            heapq.heapify(self._scheduled)


def _process_of(handle: asyncio.Handle) -> object:
    context: Context = handle._context  # type: ignore[attr-defined] # noqa: SLF001 - asyncio keeps it nowhere else
    return context.get(_PROCESS)


def _set_scheduled(timer: asyncio.TimerHandle, *, is_scheduled: bool) -> None:
    """Tell a timer whether it is in the loop's heap: the loop counts those in it that were cancelled."""
    timer._scheduled = is_scheduled  # type: ignore[attr-defined] # noqa: SLF001 - asyncio keeps it nowhere else
