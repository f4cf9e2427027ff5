"""Answers whose output lies in the bucket: they are made whole before anybody reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.payloads import PayloadError, PayloadStore
from jada_orchestrator.ports.queues import Delivery, MessageSource

OUTPUT_MISSING: Final = "OUTPUT_MISSING"
"""The agent's output is not in the bucket (any more). What the agent did is unknown, and is looked up."""
OUTPUT_ALTERED: Final = "OUTPUT_ALTERED"
"""What lies there is not what the agent said. What the agent did is unknown, and is looked up."""
OUTPUT_REFUSED: Final = "OUTPUT_REFUSED"
"""The agent named another bucket or prefix, more than is allowed, or what is no object. Nothing was read."""
OUTPUT_UNREACHABLE: Final = "OUTPUT_UNREACHABLE"
"""The bucket could not be reached. What the agent did is unknown, and is looked up."""
_CODES: Final = {
    "PAYLOAD_MISSING": OUTPUT_MISSING,
    "PAYLOAD_ALTERED": OUTPUT_ALTERED,
    "PAYLOAD_REFUSED": OUTPUT_REFUSED,
    "PAYLOAD_UNREACHABLE": OUTPUT_UNREACHABLE,
}
_NAME: Final = "output_ref"


async def made_whole(text: str, payloads: PayloadStore | None) -> str:
    """Return an answer with its output in the place of the reference to it; any other text as it is.

    Where the output cannot be had, the answer says so with a code by which the attempt counts as unknown: the agent did
    say that it succeeded. Total: whatever an agent answers, nothing is raised.
    """
    if payloads is None or _NAME not in text:
        return text
    try:
        answer: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text  # whoever reads it says what is wrong with it
    if not isinstance(answer, dict) or "output" in answer or answer.get("status") != "succeeded":
        return text
    if not isinstance(answer.get(_NAME), dict):
        return text
    known = {name: value for name, value in answer.items() if name != _NAME}
    try:
        whole = {**known, "output": await payloads.get(_ref_of(answer[_NAME]))}
    except PayloadError as error:
        code = _CODES.get(error.code, OUTPUT_UNREACHABLE)
        failure = {"code": code, "message": f"the agent's output: {error}", "retryable": error.passes}
        whole = {**known, "status": "failed", "error": failure}
    return msgspec.json.encode(whole).decode()


def _ref_of(fields: JsonObject) -> PayloadRef:
    """Return the reference that an answer holds. Raises: PayloadError."""
    bucket, key, size, digest = (fields.get(name) for name in ("bucket", "key", "bytes", "sha256"))
    texts: tuple[Any, ...] = (bucket, key, digest)
    if not all(isinstance(text, str) for text in texts) or not isinstance(size, int) or isinstance(size, bool):
        raise PayloadError("PAYLOAD_REFUSED", "its output_ref has no bucket, key, bytes and sha256")
    return PayloadRef(texts[0], texts[1], size, texts[2])


class WholeReplies:
    """The port `MessageSource` on the reply queue, whose answers come with their outputs."""

    def __init__(self, source: MessageSource, payloads: PayloadStore) -> None:
        """Read this source; whoever opened it closes it."""
        self._source = source
        self._payloads = payloads

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait for messages; see the port."""
        return await asyncio.gather(*map(self._whole, await self._source.receive(messages_max)))

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete messages; see the port."""
        await self._source.delete(deliveries)

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Make messages visible again; see the port."""
        await self._source.give_back(deliveries, after_ms=after_ms)

    async def close(self) -> None:
        """Release connections; see the port."""
        await self._source.close()

    async def _whole(self, delivery: Delivery) -> Delivery:
        message = delivery.message
        body = await made_whole(message.body, self._payloads)
        if body is message.body:
            return delivery
        return structs.replace(delivery, message=Message(body, message.attributes), as_it_came=message)
