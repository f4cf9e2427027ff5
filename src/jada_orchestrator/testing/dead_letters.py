"""A fake of the port on the dead-letter queue, on the fake queues."""

from __future__ import annotations

from collections.abc import Sequence

from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.dead_letters import Depth
from jada_orchestrator.ports.queues import Delivery, QueueError
from jada_orchestrator.testing.aws import FakeQueues


class FakeDeadLetters:
    """`DeadLetterBox` on two of the `FakeQueues`; `groups` and `onces` keep what was said of each message sent."""

    def __init__(self, queues: FakeQueues, *, letters: str, requests: str) -> None:
        """Read the queue `letters`, send to `requests`."""
        self._queues = queues
        self._letters = letters
        self._requests = requests
        self._held: set[str] = set()
        self.groups: list[str] = []
        self.onces: list[str] = []

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Take letters; see the port."""
        taken = await self._queues.take(self._letters, messages_max)
        self._held |= {each.message_id for each in taken}
        return taken

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete letters; see the port."""
        self._queues.settle(self._letters, "delete", deliveries, None)
        self._held -= {each.message_id for each in deliveries}

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Show letters to others again; see the port."""
        self._queues.settle(self._letters, "give_back", deliveries, after_ms)
        self._held -= {each.message_id for each in deliveries}

    async def depth(self) -> Depth:
        """Count; see the port. Only what this box itself holds counts as hidden."""
        return Depth(len(self._queues.messages(self._letters)) - len(self._held), len(self._held))

    async def send(self, message: Message, *, group: str, once: str) -> None:
        """Send to the request queue; see the port."""
        result = self._queues.send(self._requests, message.body, message.attributes)
        if result is not None:
            raise QueueError(f"sending to {result.failure.message} [{result.failure.code}]")
        self.groups.append(group)
        self.onces.append(once)

    async def close(self) -> None:
        """Do nothing."""
