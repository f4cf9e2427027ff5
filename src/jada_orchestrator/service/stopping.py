"""What SIGTERM and SIGINT ask for: heard from the first moment of the daemon to its last."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class StartBrokenOffError(Exception):
    """A stop was asked for while the daemon was starting.

    Raised by `StopRequests.breaking_off`. It means that nothing was begun; the daemon ends as it was asked to.
    """


class StopRequests:
    """Remembers that a stop was asked for, and has done about it what is right at the time.

    A start is broken off, a running daemon drains, and what is being closed is not hurried: each part says so by `act`.
    """

    def __init__(self) -> None:
        """Begin unasked, with nothing to be done about it."""
        self.asked = False
        self._act: Callable[[], object] | None = None

    def ask(self) -> None:
        """Ask for a stop; asking again changes nothing, and hurries nothing."""
        if self.asked:
            return
        self.asked = True
        if self._act is not None:
            self._act()

    def act(self, by: Callable[[], object] | None) -> None:
        """Have this done when a stop is asked for from now on, at once if it was asked for already; None: nothing."""
        self._act = by
        if self.asked and by is not None:
            by()

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """Cancel the task that is inside the context when a stop is asked for, as long as nothing else is to be done.

        Raises: StartBrokenOffError, when that has happened and everything inside has come to its end.
        """
        task = asyncio.current_task()
        assert task is not None, "it is entered by a task"
        broken_off = False

        def break_off() -> None:
            nonlocal broken_off
            broken_off = True
            task.cancel()

        self.act(break_off)
        try:
            yield
        except asyncio.CancelledError:
            if not broken_off or task.uncancel() > 0:
                raise  # somebody else wants the task to end as well
            raise StartBrokenOffError from None
        finally:
            self.act(None)

    @contextmanager
    def heard(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Hear the signals inside the context; after it they are ignored, for then the process is ending."""
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.ask)
        try:
            yield
        finally:
            ignore_from_now_on(loop, _SIGNALS)


def ignore_from_now_on(loop: asyncio.AbstractEventLoop, numbers: Iterable[signal.Signals]) -> None:
    """Let signals that the loop heard change nothing any more. Only taken from the loop, they would end the process.

    They are held back meanwhile, so that none comes in between.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
