"""Queues for the simulator: those of `testing.aws`, with the habits of real ones, and made for many messages.

A message may be held up, overtaken by a later one, or come again although it was received. Whoever waits is woken by
what is put into its own queue only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.queues import Delivery, QueueError
from jada_orchestrator.testing.aws import FakeQueues, Operation, QueueFault
from jada_orchestrator.testing.simulated_fate import Fate

_WAIT_S: Final = 20.0
_VISIBILITY_MS: Final = 60_000


class SimulatedQueues(FakeQueues):
    """`flaky` names the queues whose operations may fail; `put_on` is called with queue and body of all that is put."""

    def __init__(self, clock: Clock, fate: Fate, flaky: frozenset[str], put_on: Callable[[str, str], None]) -> None:
        """Begin without any queue."""
        super().__init__(clock, visibility_ms=_VISIBILITY_MS, fault=self._fault_of)
        self._fate = fate
        self._flaky = flaky
        self._put_on = put_on
        self._waiting: dict[str, dict[asyncio.Future[None], None]] = {}

    def put(self, queue: str, body: str, attributes: dict[str, str] | None = None, *, delay_ms: int = 0) -> str:
        """Send a message as the world would; it may be held up on the way."""
        if queue in self._flaky and self._fate.strikes("delayed"):
            delay_ms += round(self._fate.between(0, 5_000))
        message_id = super().put(queue, body, attributes, delay_ms=delay_ms)
        self._put_on(queue, body)
        for waiter in self._waiting.get(queue, {}):
            if not waiter.done():
                waiter.set_result(None)
        return message_id

    def wake(self) -> None:
        """Do nothing: `put` and what comes due wake those who wait."""

    async def take(self, queue: str, messages_max: int) -> list[Delivery]:
        """Wait for messages and hide them for the visibility timeout."""
        fault = self._next_fault(queue, "receive")
        if fault is not None and not fault.done:
            raise QueueError(f"receiving from {queue}: failed on order")
        loop = asyncio.get_running_loop()
        end = loop.time() + _WAIT_S
        while not (taken := self._take_now(queue, messages_max)) and loop.time() < end:
            await self._wait(loop, queue, end)
        if fault is not None:
            raise QueueError(f"receiving from {queue}: the answer was lost on order")
        return taken

    async def _wait(self, loop: asyncio.AbstractEventLoop, queue: str, end: float) -> None:
        """Wait until something is put, or the next hidden message may be visible."""
        now = self._clock.now()
        dues = [loop.time() + (held.due - now) / 1_000 for held in self._get(queue).held.values()]
        waiter: asyncio.Future[None] = loop.create_future()
        handle = loop.call_at(min([end, *dues]), _wake, waiter)
        waiting = self._waiting.setdefault(queue, {})
        waiting[waiter] = None
        try:
            await waiter
        finally:
            handle.cancel()
            del waiting[waiter]

    def _take_now(self, queue: str, messages_max: int) -> list[Delivery]:
        held = self._get(queue).held
        if not held:
            return []
        if len(held) > 1 and self._fate.strikes("reordered"):
            first = next(iter(held))
            held[first] = held.pop(first)  # to the end
        taken = super()._take_now(queue, messages_max)
        for delivery in taken:
            if self._fate.strikes("redelivered"):
                held[delivery.message_id].due = UtcMs(self._clock.now() + round(self._fate.between(0, 3_000)))
        return taken

    def _fault_of(self, queue: str, operation: Operation) -> QueueFault | None:
        if queue not in self._flaky or not self._fate.strikes("queue"):
            return None
        return QueueFault(done=self._fate.dice("queue done").random() < 0.5)


def _wake(waiter: asyncio.Future[None]) -> None:
    with suppress(asyncio.InvalidStateError):
        waiter.set_result(None)
