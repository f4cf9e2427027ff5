"""A worker's queue on SQS, through aiobotocore: the only module of the kit that loads an AWS client."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol, cast

from jada_orchestrator.agent.reply import AgentSetupError
from jada_orchestrator.agent.worker import QueueUnreachable, Received

_URLS_MAX: Final = 100  # Names come out of messages; replies go to a handful of hosts.
_CALLS_AT_ONCE_MAX: Final = 50


class SqsCalls(Protocol):
    """The calls of botocore's SQS client that a worker makes, by their names in the SQS API."""

    async def get_queue_url(self, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """GetQueueUrl, by QueueName."""
        ...

    async def receive_message(self, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """ReceiveMessage: a long poll."""
        ...

    async def send_message(self, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """SendMessage."""
        ...

    async def delete_message(self, **arguments: Any) -> None:  # noqa: ANN401
        """DeleteMessage."""
        ...

    async def change_message_visibility_batch(self, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """ChangeMessageVisibilityBatch: entries that fail are in the answer."""
        ...


@asynccontextmanager
async def sqs_client() -> AsyncIterator[SqsCalls]:
    """One client for all queues of this process, configured by botocore's own names (`AWS_REGION` and so on).

    Reads wait longer than a long poll takes. Retries are botocore's standard ones: every call here may be repeated.
    """
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    config = AioConfig(
        read_timeout=30,
        connect_timeout=5,
        max_pool_connections=_CALLS_AT_ONCE_MAX,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    # botocore reads AWS_DEFAULT_REGION and profiles, and not AWS_REGION, which Lambda and every other SDK use.
    region = os.environ.get("AWS_REGION")
    async with get_session().create_client("sqs", region_name=region, config=config) as client:
        yield cast("SqsCalls", client)


class SqsTaskQueue:
    """`TaskQueue` on one SQS queue; made by `open_queue`."""

    def __init__(self, client: SqsCalls, url: str) -> None:
        self._client = client
        self._url = url
        self._urls: dict[str, str] = {}

    async def receive(self, count_max: int, wait_s: int, visibility_s: int) -> Sequence[Received]:
        """See `TaskQueue.receive`."""
        with _unreachable():
            answer = await self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=count_max,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=visibility_s,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [
            Received(
                body=message["Body"],
                receipt=message["ReceiptHandle"],
                times=int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
                attributes={
                    name: value["StringValue"]
                    for name, value in message.get("MessageAttributes", {}).items()
                    if "StringValue" in value
                },
            )
            for message in answer.get("Messages", [])
        ]

    async def hide(self, receipts: Sequence[str], visibility_s: int) -> None:
        """See `TaskQueue.hide`; a message deleted meanwhile is an entry that fails, and is left alone."""
        if not receipts:
            return
        with _unreachable():
            await self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": visibility_s}
                    for number, receipt in enumerate(receipts)
                ],
            )

    async def delete(self, receipt: str) -> None:
        """See `TaskQueue.delete`."""
        with _unreachable():
            await self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    async def reply(self, queue: str, body: str, attributes: Mapping[str, str]) -> None:
        """See `TaskQueue.reply`."""
        with _unreachable():
            url = self._urls.get(queue) or await self._url_of(queue)
            await self._client.send_message(
                QueueUrl=url,
                MessageBody=body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
                **(_in_order(body, attributes) if queue.endswith(".fifo") else {}),
            )

    async def _url_of(self, queue: str) -> str:
        if len(self._urls) >= _URLS_MAX:
            self._urls.clear()
        url: str = (await self._client.get_queue_url(QueueName=queue))["QueueUrl"]
        self._urls[queue] = url
        return url


def _in_order(body: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """What a FIFO queue wants: replies about one booking in order, and the same reply once."""
    group = attributes.get("jada-workflow-id", "replies")
    return {"MessageGroupId": _digest(group), "MessageDeduplicationId": _digest(body)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def open_queue(client: SqsCalls, name: str) -> SqsTaskQueue:
    """The queue of that name. Raises `AgentSetupError` when there is none, `QueueUnreachable` when nobody answers."""
    try:
        with _unreachable():
            answer = await client.get_queue_url(QueueName=name)
    except QueueUnreachable as error:
        if hasattr(error.__cause__, "response"):  # SQS was reached, and it said no.
            raise AgentSetupError(f"the queue {name} cannot be used: {error}") from error
        raise
    return SqsTaskQueue(client, answer["QueueUrl"])


@contextmanager
def _unreachable() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except (BotoCoreError, ClientError, HTTPClientError) as error:
        raise QueueUnreachable(str(error)) from error
