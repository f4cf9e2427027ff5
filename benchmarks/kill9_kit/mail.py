"""The frontend's side of the queues: what is sent to the daemon, and what comes back from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.kill9_kit.waiting import until

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

_POLL_S: Final = 1
_AFTER_TROUBLE_S: Final = 0.2

T = TypeVar("T")
Mail = dict[str, Any]
"""A message as SQS gives it: Body, MessageAttributes and so on."""


class Mailbox:
    """Everything that came to one queue, taken out of it as it comes."""

    def __init__(self, queue: str) -> None:
        """Begin empty."""
        self.queue = queue
        self.mail: list[Mail] = []

    @property
    def bodies(self) -> list[Any]:
        """The bodies, read as JSON, in order of arrival."""
        return [json.loads(each["Body"]) for each in self.mail]

    def about(self, request_id: str) -> list[Any]:
        """Return the outcomes of one request, in order of arrival."""
        return [each for each in self.bodies if each.get("subject") == request_id]

    def statuses(self) -> dict[str, str]:
        """Return the last outcome's status of each request."""
        return {each["subject"]: each["data"]["status"] for each in self.bodies}

    async def outcome(self, request_id: str, *, count: int = 1, within_s: float = 60.0) -> Any:  # noqa: ANN401 - JSON
        """Wait for the outcome number `count` of a request."""

        def look() -> Any:  # noqa: ANN401 - JSON
            found = self.about(request_id)
            return found[count - 1] if len(found) >= count else None

        return await until(
            look, f"outcome {count} of {request_id}", within_s=within_s, otherwise=lambda: f"there: {self.statuses()}"
        )

    async def holds(self, condition: Callable[[Mail], T | None], what: str, *, within_s: float = 60.0) -> T:
        """Wait for a message about which `condition` tells something."""
        return await until(
            lambda: next((told for each in self.mail if (told := condition(each))), None),
            what,
            within_s=within_s,
            otherwise=lambda: f"{self.queue} had {len(self.mail)} messages",
        )


class Post:
    """Sends to queues by name."""

    def __init__(self, client: SQSClient) -> None:
        """Take the client, which somebody else closes."""
        self.client = client
        self._urls: dict[str, str] = {}

    async def url(self, queue: str) -> str:
        """Return a queue's URL."""
        if queue not in self._urls:
            self._urls[queue] = (await self.client.get_queue_url(QueueName=queue))["QueueUrl"]
        return self._urls[queue]

    async def send(self, queue: str, body: object, **attributes: str) -> None:
        """Send a message: a text as it is, anything else as JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        carried: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        await self.client.send_message(QueueUrl=await self.url(queue), MessageBody=text, MessageAttributes=carried)

    async def waiting(self, queue: str) -> int:
        """Return how many messages a queue holds, in flight ones included."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.client.get_queue_attributes(QueueUrl=await self.url(queue), AttributeNames=names)
        return sum(int(value) for value in answer["Attributes"].values())

    @asynccontextmanager
    async def mailbox(self, queue: str) -> AsyncIterator[Mailbox]:
        """Empty a queue into a mailbox for as long as the context lasts; a queue that is away is asked again."""
        box = Mailbox(queue)
        url = await self.url(queue)
        emptying = asyncio.create_task(self._empty(url, box))
        try:
            yield box
        finally:
            emptying.cancel()
            with suppress(asyncio.CancelledError):
                await emptying

    async def _empty(self, url: str, box: Mailbox) -> None:
        while True:
            try:
                answer = await self.client.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=_POLL_S, MessageAttributeNames=["All"]
                )
                for message in answer.get("Messages", ()):
                    box.mail.append(dict(message))
                    await self.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            except (BotoCoreError, ClientError, OSError):
                await asyncio.sleep(_AFTER_TROUBLE_S)  # the queue is away on purpose; a bound stands where one waits


@asynccontextmanager
async def open_post(environment: Mapping[str, str]) -> AsyncIterator[Post]:
    """Open a client that knows the queues by the environment alone, as every frontend does."""
    options: dict[str, Any] = {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "region_name": environment["AWS_REGION"],
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        "config": AioConfig(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 1}),
    }
    async with get_session().create_client("sqs", **options) as client:
        yield Post(client)
