"""Messages to SQS queues: what they may hold, how large they are, and how they are sent in batches."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from jada_orchestrator.adapters.aws.batching import BATCH_BYTES_MAX, Batcher, Entry
from jada_orchestrator.adapters.aws.errors import (
    BAD_CALL,
    CONNECTION_CUT,
    SQS_CODES,
    TOO_LARGE,
    Verdict,
    clip,
    describe,
    is_batch_too_long,
    judge,
    result_of,
    result_of_error,
    unsent,
)
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.domain.events import Failed, Lost

if TYPE_CHECKING:
    from types_aiobotocore_sqs.type_defs import (
        MessageAttributeValueTypeDef,
        SendMessageBatchRequestEntryTypeDef,
        SendMessageBatchResultTypeDef,
    )

MESSAGE_BYTES_MAX: Final = BATCH_BYTES_MAX
"""SQS's limit for one message with its attributes (1 MiB since 2025)."""
ATTRIBUTES_MAX: Final = 10
"""SQS's limit for the attributes of a message."""

_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that SQS refuses in bodies and attributes (SendMessage, "characters not included in this list")."""
_TYPE_BYTES: Final = len("String")
_GROUP: Final = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")

SendResult: TypeAlias = Failed | Lost | None
"""None: the queue has the message."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """One message; `group` and `once` (the deduplication id) are used where the queue wants them."""

    body: str
    attributes: dict[str, str] = field(default_factory=dict)
    group: str | None = None
    once: str | None = None
    size_bytes: int = field(init=False)
    """What SQS counts: the body, and the name, type and value of every attribute."""

    def __post_init__(self) -> None:
        size = _size(self.body)
        for name, value in self.attributes.items():
            size += attribute_bytes(name, value)
        self.size_bytes = size


def attribute_bytes(name: str, value: str) -> int:
    """Return what a string attribute adds to the size of a message."""
    if name.isascii() and value.isascii():
        return len(name) + _TYPE_BYTES + len(value)
    return _size(name) + _TYPE_BYTES + _size(value)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def json_for_sqs(text: str) -> str:
    r"""Return JSON text in which characters that SQS refuses are written as ``\uXXXX``: the same JSON."""
    if text.isascii():  # as nearly all are: what SQS refuses of ASCII are control characters, and JSON has none
        return text
    return _FORBIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def text_for_sqs(text: str) -> str:
    """Return any text with U+FFFD for characters that SQS refuses."""
    return _FORBIDDEN.sub("\ufffd", text)


def group_for_sqs(group: str) -> str:
    """Return a message group id: the name itself where SQS takes it, else its digest."""
    return group if _GROUP.fullmatch(group) else hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()


class SqsSender:
    """Sends messages to queues by name, those that wait together in one batch.

    `fair` sets the message group on standard queues too, which makes them fair between tenants; FIFO queues (their
    names end in ``.fifo``) always get one.
    """

    def __init__(self, service: SqsService, *, fair: bool = False) -> None:
        """Use the process's SQS client."""
        self._service = service
        self._fair = fair
        self._batchers: dict[str, Batcher[Outgoing, SendResult]] = {}

    def add(
        self,
        queue: str,
        message: Outgoing,
        tell: Callable[[SendResult], Any] | None = None,
        *,
        timeout_s: float = math.inf,
        late: Callable[[bool], SendResult] | None = None,
    ) -> Entry[Outgoing, SendResult]:
        """Send a message with the next batch; `answer` says what became of it, in the words of `tell` if there is one.

        Nothing is sent twice. When the answer is cancelled before `begun`, the message is not sent; nor when the time
        is over by then, for which `late` has the answer.
        """
        size_bytes = message.size_bytes
        if size_bytes > MESSAGE_BYTES_MAX:
            answer = asyncio.get_running_loop().create_future()
            entry: Entry[Outgoing, SendResult] = Entry(message, size_bytes, answer, tell)
            what = f"the message has {size_bytes} bytes; SQS takes {MESSAGE_BYTES_MAX}."
            entry.end(result_of(TOO_LARGE, f"queue {queue}", what))
            return entry
        batcher = self._batchers.get(queue)
        if batcher is None:
            batcher = Batcher(functools.partial(self._send, queue), self._service.requests)
            self._batchers[queue] = batcher
        return batcher.add(message, size_bytes, tell, timeout_s=timeout_s, late=late)

    async def close(self) -> None:
        """Wait until everything that was added has its answer. May be called twice."""
        for batcher in tuple(self._batchers.values()):
            await batcher.close()

    async def _send(self, queue: str, batch: list[Outgoing]) -> list[SendResult]:
        """Send one batch once, and return a result for each of its messages."""
        subject = f"queue {queue}"
        entries = [self._entry(queue, index, message) for index, message in enumerate(batch)]
        client = self._service.operations
        try:
            await self._service.find(queue)
        except Exception as error:  # noqa: BLE001 - every failure is judged; nothing of this one was sent
            what = describe(error)
            return [result_of(unsent(judge(error, SQS_CODES)), subject, what)] * len(batch)
        try:
            answer = await self._service.to_queue(
                queue, lambda url: client.send_message_batch(QueueUrl=url, Entries=entries)
            )
            return _read_results(answer, subject, len(batch))
        except Exception as error:  # noqa: BLE001 - `judge` calls what it does not know `Lost`
            if is_batch_too_long(error) and len(batch) > 1:
                # An older or stricter queue: nothing was taken, so halves are sent.
                half = len(batch) // 2
                return [*await self._send(queue, batch[:half]), *await self._send(queue, batch[half:])]
            return [result_of_error(error, SQS_CODES, subject)] * len(batch)

    def _entry(self, queue: str, index: int, message: Outgoing) -> SendMessageBatchRequestEntryTypeDef:
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
        }
        entry: SendMessageBatchRequestEntryTypeDef = {"Id": str(index), "MessageBody": message.body}
        if attributes:
            entry["MessageAttributes"] = attributes
        fifo = queue.endswith(".fifo")
        if message.group and (fifo or self._fair):
            entry["MessageGroupId"] = group_for_sqs(message.group)
        if fifo:
            entry.setdefault("MessageGroupId", "default")
            entry["MessageDeduplicationId"] = message.once or hashlib.sha256(message.body.encode()).hexdigest()
        return entry


def _read_results(answer: SendMessageBatchResultTypeDef, subject: str, count: int) -> list[SendResult]:
    """Read a batch's answer entry by entry; one that it does not mention may or may not have been taken."""
    unmentioned = result_of(CONNECTION_CUT, subject, "the answer does not say what became of the message.")
    results: list[SendResult] = [unmentioned] * count
    for taken in answer.get("Successful", ()):
        results[int(taken["Id"])] = None
    for refused in answer.get("Failed", ()):
        code = refused["Code"]
        default = BAD_CALL if refused["SenderFault"] else Verdict("later", "QUEUE_REFUSED")
        what = clip(f"{code}: {refused.get('Message', '')}")
        results[int(refused["Id"])] = result_of(SQS_CODES.get(code, default), subject, what)
    return results
