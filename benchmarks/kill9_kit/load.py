"""The load under which the daemon is killed: a frontend that keeps so many bookings under way, some of them doomed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.kill9_kit.mail import Mailbox, Post
from jada_orchestrator.sandbox.inventory import Books, faults
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel

_CITIES: Final = (
    *("Lisbon", "Porto", "London", "Paris", "Berlin", "Munich", "Madrid", "Barcelona"),
    *("Rome", "Vienna", "Frankfurt", "Milan", "Amsterdam", "Zurich", "Dublin", "Copenhagen"),
)
_WEEKS: Final = 100
"""Each booking has a city and a week of its own, 1,600 times over: rooms and seats are as few as real ones."""
_FIRST_WEEK_IN_DAYS: Final = 30
_WISHES: Final = (
    "Two of us, Boston to {city} {first} to {last}, a hotel, under $9,000 all in.",
    "One person, flights from Boston to {city} on {first}, return on {last}.",
    "A hotel in {city} from {first} to {last} for two people.",
    "Boston to {city} {first} to {last} for two, with a hotel and a car.",
)


@dataclass(frozen=True, slots=True)
class Doom:
    """A fault that is ordered for one booking: which action meets it, and how (`sandbox.inventory.faults`)."""

    action: str
    mode: str
    argument: str

    def __str__(self) -> str:
        """Return it in a few words."""
        return f"{self.action} {self.mode} {self.argument}".strip()

    def explains(self, code: str) -> bool:
        """Tell whether a booking that meets it may end with this code."""
        return self.mode == "fail" and self.argument == code


_AGENT_FAULTS: Final = (
    Doom("flights.ticket", "fail", "AIRLINE_REFUSED"),
    Doom("hotels.book", "fail", "NO_ROOM"),
    Doom("payments.capture", "fail", "CARD_DECLINED"),
    Doom("orders.create", "fail", "ORDERS_CLOSED"),
    Doom("payments.capture", "crash", "after"),
    Doom("hotels.hold", "crash", "after:exit"),
    Doom("flights.hold", "cut", "after:0.5"),
    Doom("flights.ticket", "late", "1"),
    Doom("flights.search", "fail", "BUSY:retryable"),
    Doom("validator.policy", "twice", ""),
)
"""What happens to a doomed booking: the first `_UNDOING` have it undone, the others are nobody's to notice."""
_UNDOING: Final = 4
_FRESH_S: Final = 20.0
_MODEL_FAULTS: Final = (FaultKind.OVERLOADED, FaultKind.CUT, FaultKind.CYCLE, FaultKind.RATE_LIMIT)
_DOOMED_SHARE: Final = 0.4
_ODD_MODEL_SHARE: Final = 0.1
_DUPLICATE_SHARE: Final = 0.1
_LOOK_AGAIN_S: Final = 0.05
TERMINAL: Final = frozenset({"completed", "failed", "compensated", "cancelled", "rejected", "needs_attention"})


class Frontend:
    """Submits bookings for as long as it is told to, and knows what it was told of each."""

    def __init__(
        self, post: Post, queue: str, outcomes: Mailbox, inventory: Path, model: ScriptedModel, seed: int
    ) -> None:
        """Take where to send; what each booking is follows from the seed and its number."""
        self._post = post
        self._queue = queue
        self._outcomes = outcomes
        self._inventory = inventory
        self._model = model
        self._seed = seed
        self._today = datetime.now(UTC).date()
        self._submitted_at: dict[str, float] = {}
        self.doomed: dict[str, Doom] = {}
        """What was ordered to happen to which booking."""

    @property
    def submitted(self) -> list[str]:
        """The bookings in the order of their submission."""
        return list(self._submitted_at)

    @property
    def outcomes(self) -> dict[str, str]:
        """The terminal status of each booking that has ended, by request id."""
        return {name: status for name, status in self._outcomes.statuses().items() if status in TERMINAL}

    @property
    def under_way(self) -> list[str]:
        """The bookings that have not ended."""
        ended = self.outcomes
        return [name for name in self.submitted if name not in ended]

    async def keep_busy(self, at_once: int, enough: Callable[[], bool]) -> None:
        """Have so many bookings under way at any time, until there were enough."""
        while not enough():
            # What a killed process had received is out of sight for a minute: it is under way, and no load.
            since = time.monotonic() - _FRESH_S
            fresh = [name for name in self.under_way if self._submitted_at[name] > since]
            for _ in range(at_once - len(fresh)):
                await self.submit()
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def submit(self, *, hold: bool = False, doom: bool = False) -> str:
        """Submit the next booking; the model is to `hold` its question, or it is doomed to be undone."""
        number = len(self._submitted_at)
        request_id = f"kill-{number:05d}"
        self._submitted_at[request_id] = time.monotonic()
        dice = random.Random(f"{self._seed}/{number}")
        city, week = _CITIES[number % len(_CITIES)], number // len(_CITIES) % _WEEKS
        first = self._today + timedelta(days=_FIRST_WEEK_IN_DAYS + 7 * week)
        last = first + timedelta(days=dice.randint(2, 6))
        wish = dice.choice(_WISHES).format(
            city=city, first=first.strftime("%-d %B %Y"), last=last.strftime("%-d %B %Y")
        )
        if doom or dice.random() < _DOOMED_SHARE:
            await self._order(request_id, dice.choice(_AGENT_FAULTS[: _UNDOING if doom else None]))
        if hold:
            self._model.faults.order(Fault(FaultKind.HOLD, match=request_id))
        elif dice.random() < _ODD_MODEL_SHARE:
            self._model.faults.order(Fault(dice.choice(_MODEL_FAULTS), match=request_id))
        request: dict[str, Any] = {
            "schema": "jada.request/1",
            "request_id": request_id,
            "text": wish,
            "booking": {"customer_id": f"c-{number:05d}"},
            "ordering_key": f"lane-{dice.randrange(40)}" if dice.random() < 0.2 else None,
        }
        request = {name: value for name, value in request.items() if value is not None}
        await self._post.send(self._queue, request)
        if dice.random() < _DUPLICATE_SHARE:
            await self._post.send(self._queue, request)
        return request_id

    async def _order(self, request_id: str, doom: Doom) -> None:
        def order() -> None:
            with contextlib.closing(Books(self._inventory)) as books:
                faults.order(books, doom.action, doom.mode, doom.argument or None, request=request_id)

        self.doomed[request_id] = doom
        await asyncio.to_thread(order)
