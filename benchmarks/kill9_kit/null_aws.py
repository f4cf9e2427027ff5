"""A null AWS for measuring: SQS and Lambda behind one endpoint, which answer at once with what they were given.

A stand-in: nothing is executed and nothing kept, signatures are not checked. It shares no code with the daemon.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Self

from aiohttp import web

_BODY_BYTES_MAX: Final = 8 * 1024 * 1024
_RECEIVE_MAX: Final = 10


async def _at_once() -> None:
    """Take no time."""


class NullAws:
    """Answers every task with the recorded output of its task id, and notes when each workflow was first heard of."""

    def __init__(self, outputs: Mapping[str, Any], *, work: Callable[[], Awaitable[None]] = _at_once) -> None:
        """Take the outputs by task id; `work` is what every function does before it answers."""
        self._outputs = outputs
        self._work = work
        self._waiting: dict[str, deque[str]] = defaultdict(deque)
        self._arrived = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.reply_queue = "null-replies"
        self.url = ""
        self.first_heard: dict[str, float] = {}
        """When each workflow's first call or outcome came, by `time.monotonic`."""
        self.calls = 0
        self.outcomes: list[dict[str, Any]] = []
        """What was published, in order."""

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=_BODY_BYTES_MAX)
        application.router.add_post("/2015-03-31/functions/{name}/invocations", self._invoke)
        application.router.add_post("/", self._queue)
        application.router.add_post("/{account}/{queue}", self._queue)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._runner = runner
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "JADA_REPLY_QUEUE": self.reply_queue,
        }

    def forget(self) -> None:
        """Begin anew with nothing heard."""
        self.first_heard.clear()
        self._waiting.clear()
        self.calls = 0

    def _answer(self, task: Mapping[str, Any]) -> dict[str, Any]:
        self.calls += 1
        self.first_heard.setdefault(task["workflow_id"], time.monotonic())
        output = self._outputs.get(task["task_id"], {})
        if task["action"].endswith(".lookup"):
            output = {"state": "succeeded", "output": output}
        return {
            "schema": "jada.reply/1",
            **{name: task[name] for name in ("workflow_id", "task_id", "attempt", "idempotency_key")},
            "status": "succeeded",
            "output": output,
        }

    async def _invoke(self, request: web.Request) -> web.Response:
        answer = self._answer(json.loads(await request.read()))
        await self._work()
        return web.json_response(answer, headers={"X-Amz-Executed-Version": "1"})

    async def _queue(self, request: web.Request) -> web.Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        body = json.loads(await request.read())
        match operation:
            case "GetQueueUrl":
                answer: dict[str, Any] = {"QueueUrl": f"{self.url}/000000000000/{body['QueueName']}"}
            case "ReceiveMessage":
                answer = await self._receive(body)
            case "SendMessage":
                answer = self._sent(body["QueueUrl"], body)
            case "SendMessageBatch":
                sent = [self._sent(body["QueueUrl"], each) for each in body["Entries"]]
                answer = {"Successful": sent, "Failed": []}
            case "DeleteMessageBatch" | "ChangeMessageVisibilityBatch":
                answer = {"Successful": [{"Id": each["Id"]} for each in body["Entries"]], "Failed": []}
            case _:
                return web.json_response({"__type": "UnsupportedOperation", "message": operation}, status=400)
        return web.json_response(answer, content_type="application/x-amz-json-1.0")

    def _sent(self, url: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        text = entry["MessageBody"]
        message = json.loads(text)
        queue = url.rpartition("/")[2]
        if message.get("schema") == "jada.task/1":
            queue, text = self.reply_queue, json.dumps(self._answer(message))
        if "specversion" in message:
            self.first_heard.setdefault(message["data"]["workflow_id"], time.monotonic())
            self.outcomes.append(message)
        else:
            self._waiting[queue].append(text)
            self._arrived.set()
        digest = hashlib.md5(entry["MessageBody"].encode(), usedforsecurity=False).hexdigest()
        return {"Id": entry.get("Id", ""), "MessageId": digest, "MD5OfMessageBody": digest}

    async def _receive(self, body: Mapping[str, Any]) -> dict[str, Any]:
        waiting = self._waiting[body["QueueUrl"].rpartition("/")[2]]
        try:
            async with asyncio.timeout(body.get("WaitTimeSeconds", 0)):
                while not waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return {}
        wanted = min(body.get("MaxNumberOfMessages", 1), _RECEIVE_MAX, len(waiting))
        return {"Messages": [_message(waiting.popleft()) for _ in range(wanted)]}


def _message(text: str) -> dict[str, Any]:
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return {
        "MessageId": digest,
        "ReceiptHandle": digest,
        "Body": text,
        "MD5OfBody": digest,
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1_000))},
    }
