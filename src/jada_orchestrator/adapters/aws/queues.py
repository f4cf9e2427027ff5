"""Queues that are read, and queues that take outcomes and dead letters: the ports of `ports.queues` on SQS."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from jada_orchestrator.adapters.aws.batching import BATCH_ENTRIES_MAX, in_batches
from jada_orchestrator.adapters.aws.errors import clip, queue_error
from jada_orchestrator.adapters.aws.sending import (
    ATTRIBUTES_MAX,
    MESSAGE_BYTES_MAX,
    Outgoing,
    SqsSender,
    attribute_bytes,
    json_for_sqs,
    text_for_sqs,
)
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.dead_letters import OTHER_ATTRIBUTES, REASON, REASON_CODE
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.queues import Delivery, OutcomeMessage, QueueError

if TYPE_CHECKING:
    from types_aiobotocore_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        MessageAttributeValueOutputTypeDef,
        MessageTypeDef,
    )

WAIT_S: Final = 20
"""The longest poll that SQS knows: the fewest empty answers, and a message still comes at once."""
VISIBILITY_S: Final = 60
"""A message is deleted once its record is durable, which takes milliseconds; after a crash it is back in a minute."""
VISIBILITY_MAX_S: Final = 12 * 3600
"""SQS's own limit."""
REASON_CHARS_MAX: Final = 4000


class SqsSource:
    """The port `MessageSource` on one SQS queue."""

    def __init__(
        self, service: SqsService, queue: str, *, clock: Clock, wait_s: int = WAIT_S, visibility_s: int = VISIBILITY_S
    ) -> None:
        """Read the queue of this name; messages that are not settled come again after `visibility_s`."""
        self._service = service
        self._queue = queue
        self._clock = clock
        self._wait_s = wait_s
        self._visibility_s = visibility_s

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait for messages; see the port."""
        if messages_max <= 0:
            return ()
        client = self._service.operations
        try:
            async with self._service.polls:
                answer = await self._service.to_queue(
                    self._queue,
                    lambda url: client.receive_message(
                        QueueUrl=url,
                        MaxNumberOfMessages=min(messages_max, BATCH_ENTRIES_MAX),
                        WaitTimeSeconds=self._wait_s,
                        VisibilityTimeout=self._visibility_s,
                        MessageAttributeNames=["All"],
                        MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                    ),
                    wait_s=self._wait_s,
                )
        except Exception as error:
            # Whatever it is, nothing was received that will not come again.
            raise queue_error(error, self._queue, "receiving from") from error
        now = self._clock.now()
        return [_delivery(message, now) for message in answer.get("Messages", ())]

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete messages; see the port. All batches are tried before a failure is raised."""
        client = self._service.operations

        async def delete_batch(url: str, batch: list[Delivery]) -> list[BatchResultErrorEntryTypeDef]:
            entries: Any = [{"Id": str(i), "ReceiptHandle": each.handle} for i, each in enumerate(batch)]
            answer = await client.delete_message_batch(QueueUrl=url, Entries=entries)
            return answer.get("Failed", [])

        await self._settle(deliveries, delete_batch, "deleting from")

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Make messages visible again after a while; see the port. SQS counts in whole seconds, rounded up."""
        client = self._service.operations
        seconds = min(-(-max(after_ms, 0) // 1000), VISIBILITY_MAX_S)

        async def give_back_batch(url: str, batch: list[Delivery]) -> list[BatchResultErrorEntryTypeDef]:
            entries: Any = [
                {"Id": str(i), "ReceiptHandle": each.handle, "VisibilityTimeout": seconds}
                for i, each in enumerate(batch)
            ]
            answer = await client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
            return answer.get("Failed", [])

        await self._settle(deliveries, give_back_batch, "giving back to")

    async def close(self) -> None:
        """Do nothing: the connections are the client's."""

    async def _settle(
        self,
        deliveries: Sequence[Delivery],
        operation: Callable[[str, list[Delivery]], Awaitable[list[BatchResultErrorEntryTypeDef]]],
        doing: str,
    ) -> None:
        """Run an operation on all deliveries in batches, side by side, and report everything that did not work."""

        async def settle_batch(batch: list[Delivery]) -> list[BatchResultErrorEntryTypeDef]:
            async with self._service.requests:
                return await self._service.to_queue(self._queue, lambda url: operation(url, batch))

        outcomes = await asyncio.gather(*map(settle_batch, in_batches(deliveries)), return_exceptions=True)
        refused: list[BatchResultErrorEntryTypeDef] = []
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise queue_error(outcome, self._queue, doing) from outcome
            if isinstance(outcome, BaseException):
                raise outcome
            refused += outcome
        if refused:
            what = clip("; ".join(sorted({f"{each['Code']}: {each.get('Message', '')}" for each in refused})))
            raise QueueError(
                f"{doing} {self._queue}: {len(refused)} of {len(deliveries)} messages were refused: {what}"
            )


def _delivery(message: MessageTypeDef, now: UtcMs) -> Delivery:
    system: Any = message.get("Attributes", {})
    told = message.get("MessageAttributes")
    attributes = {name: _text_of(value) for name, value in told.items()} if told else {}
    return Delivery(
        message=Message(message.get("Body", ""), attributes),
        handle=message["ReceiptHandle"],
        message_id=message.get("MessageId", ""),
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        # The queue's clock is not ours: a message is never younger than nothing.
        age_ms=max(now - int(system.get("SentTimestamp", now)), 0),
    )


def _text_of(value: MessageAttributeValueOutputTypeDef) -> str:
    """Return an attribute as text: strings and numbers as they are, binary as base64."""
    if value["DataType"].startswith("Binary"):
        return base64.b64encode(value.get("BinaryValue", b"")).decode("ascii")
    return value.get("StringValue", "")


class SqsOutcomes:
    """The port `OutcomeSink` on SQS."""

    def __init__(self, sender: SqsSender, *, dead_letter_queue: str) -> None:
        """Send through the process's sender."""
        self._sender = sender
        self._dead_letter_queue = dead_letter_queue

    async def publish(self, outcome: OutcomeMessage) -> None:
        """Send an outcome; see the port."""
        attributes = {} if outcome.traceparent is None else {"traceparent": text_for_sqs(outcome.traceparent)}
        await self._send(outcome.queue, Outgoing(json_for_sqs(outcome.body), attributes, group=outcome.group))

    async def dead_letter(self, message: Message, failure: Failure) -> None:
        """Put a message, whole, on the dead-letter queue; see the port."""
        once = hashlib.sha256(f"{failure.code}\0{message.body}".encode("utf-8", "surrogatepass")).hexdigest()
        letter = Outgoing(message.body, dead_letter_attributes(message, failure), group="dead-letters", once=once)
        await self._send(self._dead_letter_queue, letter)

    async def close(self) -> None:
        """Wait for what is being sent."""
        await self._sender.close()

    async def _send(self, queue: str, message: Outgoing) -> None:
        result = await self._sender.add(queue, message).answer
        if result is not None:
            failure = result.failure
            hint = f" Create it: aws sqs create-queue --queue-name {queue}." if failure.code == "NOT_FOUND" else ""
            raise QueueError(f"sending to {failure.message}{hint} [{failure.code}]")


def dead_letter_attributes(message: Message, failure: Failure) -> dict[str, str]:
    """Return the message's own attributes and the reason, within SQS's limits.

    Nothing of the message is lost: attributes beyond the limit of ten go together into `OTHER_ATTRIBUTES`. The
    reason is what gives way: it is shortened, or left out of a message that fills its queue's limit alone.
    """
    # SQS takes no empty value, so an empty one did not come from it and says nothing.
    kept = {name: value for name, value in message.attributes.items() if value and name not in {REASON_CODE, REASON}}
    room = ATTRIBUTES_MAX - 2
    if len(kept) > room:
        names = sorted(kept, key=lambda name: (name == OTHER_ATTRIBUTES, name))
        others = {name: kept.pop(name) for name in names[room - 1 :]}
        kept[OTHER_ATTRIBUTES] = json.dumps(others, separators=(",", ":"))
    bytes_left = MESSAGE_BYTES_MAX - Outgoing(message.body, kept).size_bytes
    for name, value in ((REASON_CODE, failure.code), (REASON, clip(failure.message, REASON_CHARS_MAX))):
        fitting = _cut(text_for_sqs(value), bytes_left - attribute_bytes(name, ""))
        if fitting:
            kept[name] = fitting
            bytes_left -= attribute_bytes(name, fitting)
    return kept


def _cut(text: str, bytes_max: int) -> str:
    """Return as much of a text as fits into a number of UTF-8 bytes."""
    return text.encode()[: max(bytes_max, 0)].decode(errors="ignore")
