"""The inbox: events that wait for the next turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum

from msgspec import Struct

from jada_orchestrator.domain.events import Event
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.limits import INBOX_EVENTS_MAX, NEW_WORK_EVENTS_MAX, TURN_EVENTS_MAX


class Receipt(Enum):
    """What became of an event, told once that is durable."""

    DURABLE = "durable"
    """It was decided, and what was decided is on disk (perhaps: nothing)."""
    UNKNOWN_WORKFLOW = "unknown_workflow"
    """It was for a workflow that does not exist."""
    ELSEWHERE = "elsewhere"
    """It is for a workflow of another instance, which has to hear of it."""
    QUARANTINED = "quarantined"
    """It could not be decided: its workflow was set aside."""


class Item(Struct, frozen=True):
    """An event for a workflow; `receipt` is called after the commit, inside the turn, and must not block."""

    workflow_id: WorkflowId
    event: Event
    receipt: Callable[[Receipt], None] | None = None


class Inbox:
    """A bounded queue with one reader. What comes from inside is always taken: only intake asks for room first."""

    def __init__(self) -> None:
        """Begin empty."""
        self._items: deque[Item] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._items)

    @property
    def room(self) -> int:
        """Return how many more events intake may bring."""
        return max(0, INBOX_EVENTS_MAX - len(self._items))

    @property
    def room_for_new_work(self) -> int:
        """Return how many requests intake may bring: fewer, for what is under way goes before."""
        return max(0, NEW_WORK_EVENTS_MAX - len(self._items))

    def put(self, item: Item) -> None:
        """Add an event; the next turn takes it."""
        self._items.append(item)
        self._arrived.set()

    def wake(self) -> None:
        """Let a turn go round although nothing arrived."""
        self._arrived.set()

    async def wait(self) -> None:
        """Wait until there is a reason for a turn."""
        await self._arrived.wait()
        self._arrived.clear()

    def take(self) -> list[Item]:
        """Return what waits, in order, at most a turn's worth; the rest keeps the inbox awake."""
        taken = [self._items.popleft() for _ in range(min(len(self._items), TURN_EVENTS_MAX))]
        if self._items:
            self._arrived.set()
        return taken
