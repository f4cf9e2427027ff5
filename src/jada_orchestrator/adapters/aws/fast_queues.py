"""SQS's batch operations and long polls on the short way (`short_way`).

The methods have the names, the arguments and the answers of the client's own, so that whoever has one of the two need
not know which. Names and values in SQS's JSON are those of its API, so that writing and reading it is all that is left
to do; what is sent was made by this adapter, whose types botocore's validation would only confirm.
"""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from aiobotocore.session import AioSession
from botocore.parsers import ResponseParserError

from jada_orchestrator.adapters.aws.short_way import ShortWay, Template
from jada_orchestrator.adapters.aws.sockets import QUEUE_READ_TIMEOUT_S

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import (
        ChangeMessageVisibilityBatchResultTypeDef,
        DeleteMessageBatchResultTypeDef,
        ReceiveMessageResultTypeDef,
        SendMessageBatchResultTypeDef,
    )

_PLACEHOLDER: Final[dict[str, dict[str, Any]]] = {
    "SendMessageBatch": {"Entries": [{"Id": "0", "MessageBody": "-"}]},
    "DeleteMessageBatch": {"Entries": [{"Id": "0", "ReceiptHandle": "-"}]},
    "ChangeMessageVisibilityBatch": {"Entries": [{"Id": "0", "ReceiptHandle": "-", "VisibilityTimeout": 0}]},
    "ReceiveMessage": {},
}
"""With what botocore is asked for a request of each operation; none of it is sent."""


class FastQueues:
    """Sends to, receives from and settles on queues; close it when done. Each method raises what the client's does."""

    def __init__(self, client: SQSClient, session: AioSession, *, connections: int) -> None:
        """Make a pool of so many connections of its own; the running loop is the pool's."""
        self._methods: dict[str, Any] = {
            "SendMessageBatch": client.send_message_batch,
            "DeleteMessageBatch": client.delete_message_batch,
            "ChangeMessageVisibilityBatch": client.change_message_visibility_batch,
            "ReceiveMessage": client.receive_message,
        }
        self._way = ShortWay(client, session, connections=connections, read_timeout_s=QUEUE_READ_TIMEOUT_S)
        self._templates: dict[tuple[str, str], Template] = {}

    async def send_message_batch(self, **parameters: Any) -> SendMessageBatchResultTypeDef:  # noqa: ANN401 - as the client has it
        """Send up to ten messages, once."""
        return cast("SendMessageBatchResultTypeDef", await self._call("SendMessageBatch", parameters))

    async def delete_message_batch(self, **parameters: Any) -> DeleteMessageBatchResultTypeDef:  # noqa: ANN401 - likewise
        """Delete up to ten messages."""
        return cast("DeleteMessageBatchResultTypeDef", await self._call("DeleteMessageBatch", parameters))

    async def change_message_visibility_batch(self, **parameters: Any) -> ChangeMessageVisibilityBatchResultTypeDef:  # noqa: ANN401 - likewise
        """Make up to ten messages visible again after a while."""
        answer = await self._call("ChangeMessageVisibilityBatch", parameters)
        return cast("ChangeMessageVisibilityBatchResultTypeDef", answer)

    async def receive_message(self, **parameters: Any) -> ReceiveMessageResultTypeDef:  # noqa: ANN401 - likewise
        """Wait for up to ten messages."""
        answer = await self._call("ReceiveMessage", parameters)
        for message in answer.get("Messages", ()):
            for value in message.get("MessageAttributes", {}).values():
                if "BinaryValue" in value:
                    value["BinaryValue"] = base64.b64decode(value["BinaryValue"])
        return cast("ReceiveMessageResultTypeDef", answer)

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        await self._way.close()

    async def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        place = (operation, parameters["QueueUrl"])
        template = self._templates.get(place)
        if template is None:
            placeholder = {"QueueUrl": parameters["QueueUrl"], **_PLACEHOLDER[operation]}
            send = partial(self._methods[operation], **placeholder)
            template = self._templates[place] = await self._way.prepare(operation, send)
        received = await self._way.post(template, _encoded(parameters))
        return _decoded(received.body or b"")


def _encoded(parameters: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(parameters)
    except UnicodeEncodeError:
        return json.dumps(parameters).encode()  # halves of characters, as botocore writes them; SQS says what it thinks


def _decoded(body: bytes) -> dict[str, Any]:
    """Return an answer. Raises: ResponseParserError, as the client does, for what is none."""
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ResponseParserError(f"the answer is no JSON object: {error}") from error
