"""The record of the calls that the stand-in received, so that tests can count instead of sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Call:
    """One call of the Messages API and what became of it.

    `state`: `received`, `held` (waiting for a release), `answering`, then `ended` or `abandoned` (the client left).
    `outcome`: the proposal's outcome, `error <status>`, or the kind of the fault that ended it.
    `corrections` counts the `<faults>` messages of the conversation: 0 for the first proposal.
    """

    number: int
    api_request_id: str
    path: str
    model: str = ""
    stream: bool = False
    booking_request_id: str = ""
    corrections: int = 0
    fault: str | None = None
    status: int = 0
    state: str = "received"
    outcome: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    sent_chars: int = 0
    """Of `text`, how much has been sent of a streamed answer."""

    def as_json(self) -> dict[str, Any]:
        """Return the call as `GET /_scripted/calls` lists it."""
        return asdict(self)


class CallLog:
    """All calls, in order of arrival. Iterate it, index it, or wait for a condition on it."""

    def __init__(self) -> None:
        """Start empty."""
        self._calls: list[Call] = []
        self._changed = asyncio.Event()

    def open(self, path: str) -> Call:
        """Append and return the next call."""
        number = len(self._calls) + 1
        call = Call(number=number, api_request_id=f"req_scripted_{number:06d}", path=path)
        self._calls.append(call)
        self.changed()
        return call

    def changed(self) -> None:
        """Wake everybody who waits: a call was added or got another state."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, condition: Callable[[CallLog], bool]) -> None:
        """Return as soon as the condition holds; nothing changes when cancelled. Bound it with `asyncio.timeout`."""
        while not condition(self):
            await self._changed.wait()

    async def wait_for_count(self, count: int) -> None:
        """Return when at least so many calls of `POST /v1/messages` have arrived."""
        await self.wait_for(lambda log: len(log.messages) >= count)

    async def wait_until_held(self, count: int = 1) -> None:
        """Return when at least so many calls are held at the same time."""
        await self.wait_for(lambda log: sum(call.state == "held" for call in log) >= count)

    @property
    def messages(self) -> list[Call]:
        """The calls of `POST /v1/messages` only."""
        return [call for call in self._calls if call.path == "/v1/messages"]

    def clear(self) -> None:
        """Forget the calls."""
        self._calls.clear()
        self.changed()

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, index: int) -> Call:
        return self._calls[index]
