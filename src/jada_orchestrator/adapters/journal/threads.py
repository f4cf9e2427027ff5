"""One thread for everything that may wait for the disk, so that the event loop never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from jada_orchestrator.ports.journal import JournalUnavailableError

_Result = TypeVar("_Result")


class OneThread:
    """Runs calls one after another on a thread of its own, in the order in which they were made."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._closed = False

    async def run(self, call: Callable[[], _Result]) -> _Result:
        """Return what the call returns. When cancelled, the call goes on; later calls wait for it all the same.

        Raises:
            JournalUnavailableError: the thread was closed.
        """
        if self._closed:
            msg = "the journal was closed"
            raise JournalUnavailableError(msg)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def close(self, last_call: Callable[[], None]) -> None:
        """Run one last call and end the thread. May be called twice; the second call does nothing."""
        if self._closed:
            return
        self._closed = True
        last = asyncio.get_running_loop().run_in_executor(self._executor, last_call)
        try:
            await asyncio.shield(last)
        finally:
            self._executor.shutdown(wait=False)
