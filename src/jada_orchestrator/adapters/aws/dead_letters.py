"""The dead-letter queue for an operator's commands: the port `DeadLetterBox` on two SQS queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jada_orchestrator.adapters.aws.errors import queue_error
from jada_orchestrator.adapters.aws.queues import SqsSource
from jada_orchestrator.adapters.aws.sending import Outgoing, SqsSender, text_for_sqs
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.dead_letters import Depth
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.queues import Delivery, QueueError

WAIT_S: Final = 1
"""A poll that waits asks all of the queue's servers, one that does not asks only some of them."""
_VISIBLE: Final = "ApproximateNumberOfMessages"
_HIDDEN: Final = ("ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


class SqsDeadLetters:
    """The port `DeadLetterBox` on SQS; letters that are not settled come back after `visibility_s`."""

    def __init__(
        self, service: SqsService, sender: SqsSender, *, letters: str, requests: str, clock: Clock, visibility_s: int
    ) -> None:
        """Read the queue `letters`, and send to the queue `requests`."""
        self._service = service
        self._sender = sender
        self._letters = letters
        self._requests = requests
        self._source = SqsSource(service, letters, clock=clock, wait_s=WAIT_S, visibility_s=visibility_s)

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Take letters, hidden from others meanwhile; see the port."""
        return await self._source.receive(messages_max)

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete letters; see the port."""
        await self._source.delete(deliveries)

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Show letters to others again; see the port."""
        await self._source.give_back(deliveries, after_ms=after_ms)

    async def depth(self) -> Depth:
        """Count; see the port."""
        client = self._service.client
        names: Any = [_VISIBLE, *_HIDDEN]
        try:
            async with self._service.requests:
                answer = await self._service.to_queue(
                    self._letters, lambda url: client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
                )
        except Exception as error:
            # Whatever it is, only a question was asked.
            raise queue_error(error, self._letters, "asking after") from error
        counts: Any = answer.get("Attributes", {})
        return Depth(int(counts.get(_VISIBLE, 0)), sum(int(counts.get(name, 0)) for name in _HIDDEN))

    async def send(self, message: Message, *, group: str, once: str) -> None:
        """Send a message to the request queue; see the port. Attributes go as strings."""
        attributes = {name: text_for_sqs(value) for name, value in message.attributes.items() if value}
        outgoing = Outgoing(message.body, attributes, group=group, once=once)
        result = await self._sender.add(self._requests, outgoing).answer
        if result is not None:
            raise QueueError(f"sending to {result.failure.message} [{result.failure.code}]")

    async def close(self) -> None:
        """Wait for what is being sent; the connections are the client's."""
        await self._sender.close()
