"""SQS as the rest of this adapter uses it: queues by name, a place for every request, one request once.

Long polls hold a connection for up to 20 s each, so they and everything else are admitted separately: otherwise the
pollers of an idle queue would keep deletes and sends waiting in the pool, where nothing bounds the wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import ClientError

from jada_orchestrator.adapters.aws.errors import is_missing_queue
from jada_orchestrator.adapters.aws.fast_queues import FastQueues
from jada_orchestrator.adapters.aws.in_time import within

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

REQUEST_TIMEOUT_S: Final = 10.0
"""A request other than a long poll is answered in milliseconds; after this it is lost."""

T = TypeVar("T")


class SqsService:
    """The process's SQS client with admission in front of it, and the URLs of queues."""

    def __init__(
        self,
        client: SQSClient,
        *,
        polls: int,
        requests: int,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        fast: FastQueues | None = None,
    ) -> None:
        """Take the client; `polls` and `requests` together are the size of its pool, or of that of `fast`.

        With `fast`, messages go the short way, and the client only looks up where queues are.
        """
        self.client = client
        self.operations: SQSClient | FastQueues = client if fast is None else fast
        """What sends, receives and settles."""
        self.polls = asyncio.Semaphore(polls)
        self.requests = asyncio.Semaphore(requests)
        self.request_timeout_s = request_timeout_s
        self._urls: dict[str, str] = {}

    async def find(self, queue: str) -> None:
        """Make sure that the queue's URL is known. Raises: as `to_queue`."""
        if queue not in self._urls:
            with within(self.request_timeout_s):
                await self._look_up(queue)

    async def to_queue(self, queue: str, operation: Callable[[str], Awaitable[T]], *, wait_s: float = 0.0) -> T:
        """Run an operation with the URL of a queue; the caller holds a place in `polls` or `requests`.

        A URL that was remembered and leads nowhere (the queue was deleted and made anew) is looked up again, and the
        operation, which certainly did nothing, is run once more. `wait_s` is what the operation itself may wait.

        Raises: whatever the client raises, and TimeoutError.
        """
        known = self._urls.get(queue)
        with within(self.request_timeout_s + wait_s):
            if known is not None:
                try:
                    return await operation(known)
                except ClientError as error:
                    if not is_missing_queue(error):
                        raise
                    self._urls.pop(queue, None)
            return await operation(await self._look_up(queue))

    async def _look_up(self, queue: str) -> str:
        answer = await self.client.get_queue_url(QueueName=queue)
        return self._urls.setdefault(queue, answer["QueueUrl"])
