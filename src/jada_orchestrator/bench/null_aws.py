"""A null AWS: SQS and Lambda behind one endpoint that answers at once; a process of its own, so as to take no CPU here.

    python -m jada_orchestrator.bench.null_aws      # prints its URL, ends when its standard input does

A stand-in for measuring: nothing is executed and nothing kept, no signature is checked. It speaks just enough HTTP/1.1
for clients that send a Content-Length. Every function answers `OUTPUT`; every task that names a queue for its reply is
answered by one on `REPLIES`. `Faults` are for the leak test: see `FAULTS`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import msgspec

from jada_orchestrator.bench.booking import OUTPUT

REPLIES: Final = "null-replies"
FAULTS: Final = ("cut", "hang", "half", "throttled")
"""Names of functions that are answered by a cut connection, never, by half an answer, and by status 429."""

_OUTPUT: Final = json.dumps(OUTPUT).encode()
_RECEIVE_MAX: Final = 10
_HEAD_END: Final = b"\r\n\r\n"


class _Task(msgspec.Struct):
    """What a reply needs of a task that wants one."""

    reply_to: str
    workflow_id: str
    task_id: str
    attempt: int
    idempotency_key: str


class _Queues:
    """The replies that wait, and the receivers that wait for them."""

    def __init__(self) -> None:
        self.replies: deque[str] = deque()
        self.receivers: deque[_Connection] = deque()
        self.numbers = 0

    def add(self, body: str) -> None:
        """Answer a task at once; any other message, and a task that wants no reply, is taken and forgotten."""
        try:
            task = msgspec.json.decode(body, type=_Task)
        except msgspec.MsgspecError:
            return
        named = {name: value for name, value in msgspec.to_builtins(task).items() if name != "reply_to"}
        reply = {"schema": "jada.reply/1", "status": "succeeded", "output": OUTPUT, **named}
        self.replies.append(msgspec.json.encode(reply).decode())

    def serve(self) -> None:
        """Give what waits to those who wait for it."""
        while self.replies and self.receivers:
            receiver = self.receivers.popleft()
            if not receiver.is_closed:
                receiver.answer_json({"Messages": self.take()})

    def take(self) -> list[dict[str, Any]]:
        """Take up to ten replies as messages."""
        taken = [self.replies.popleft() for _ in range(min(_RECEIVE_MAX, len(self.replies)))]
        self.numbers += len(taken)
        attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1800000000000"}
        return [
            {"MessageId": f"m-{self.numbers - i}", "ReceiptHandle": "handle", "Body": body, "Attributes": attributes}
            for i, body in enumerate(taken)
        ]


class _Connection(asyncio.Protocol):
    """One connection: requests one after another, each with a Content-Length."""

    def __init__(self, queues: _Queues, delay_s: float) -> None:
        self._queues = queues
        self._delay_s = delay_s
        self._buffer = b""
        self._transport: Any = None  # uvloop's transports share no class with asyncio's
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(_HEAD_END)) >= 0:
            head = self._buffer[:end]
            lowered = head.lower()
            at = lowered.find(b"content-length:")
            length = 0 if at < 0 else int(lowered[at + 15 :].split(b"\r", 1)[0])
            total = end + len(_HEAD_END) + length
            if len(self._buffer) < total:
                return
            body, self._buffer = self._buffer[end + len(_HEAD_END) : total], self._buffer[total:]
            self._request(head, body)

    def _request(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        if "/functions/" in path:
            self._invoke(path.split("/")[3])
            return
        target = head[head.lower().find(b"x-amz-target:") :].split(b"\r", 1)[0].decode()
        self._queue(target.rpartition(".")[2].strip(), json.loads(body))

    def _invoke(self, function: str) -> None:
        match function:
            case "cut":
                self._transport.abort()
            case "hang":
                pass
            case "half":
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
                self._transport.close()
            case "throttled":
                self._answer(b'{"Reason":"null"}', 429, "X-Amzn-ErrorType: TooManyRequestsException\r\n")
            case _ if self._delay_s:
                asyncio.get_running_loop().call_later(self._delay_s, self._succeed)
            case _:
                self._succeed()

    def _succeed(self) -> None:
        if not self.is_closed:
            self._answer(_OUTPUT, 200, "X-Amz-Executed-Version: $LATEST\r\n")

    def _queue(self, operation: str, body: dict[str, Any]) -> None:
        match operation:
            case "GetQueueUrl":
                host, port = self._transport.get_extra_info("sockname")[:2]
                self.answer_json({"QueueUrl": f"http://{host}:{port}/000000000000/{body['QueueName']}"})
            case "SendMessage":
                self._queues.add(body["MessageBody"])
                self.answer_json({"MessageId": "m-1", "MD5OfMessageBody": "0" * 32})
                self._queues.serve()
            case "SendMessageBatch":
                for entry in body["Entries"]:
                    self._queues.add(entry["MessageBody"])
                sent = [{"Id": each["Id"], "MessageId": "m-1", "MD5OfMessageBody": ""} for each in body["Entries"]]
                self.answer_json({"Successful": sent, "Failed": []})
                self._queues.serve()
            case "ReceiveMessage":
                self._queues.receivers.append(self)
                self._queues.serve()
            case _:  # deletes and changes of visibility, all of them in batches
                self.answer_json({"Successful": [{"Id": each["Id"]} for each in body["Entries"]], "Failed": []})

    def answer_json(self, content: dict[str, Any]) -> None:
        """Answer a queue's operation."""
        self._answer(msgspec.json.encode(content), 200, "")

    def _answer(self, body: bytes, status: int, more: str) -> None:
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/x-amz-json-1.0\r\n{more}"
        self._transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def serve(delay_s: float = 0.0) -> None:
    """Serve on a free port of the loopback interface until the standard input ends; functions take `delay_s`."""
    loop = asyncio.get_running_loop()
    queues = _Queues()
    server = await loop.create_server(lambda: _Connection(queues, delay_s), "127.0.0.1", 0, backlog=4_096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 - whoever started it reads it
    await asyncio.to_thread(sys.stdin.read)
    server.close()


@asynccontextmanager
async def null_aws(delay_s: float = 0.0) -> AsyncIterator[str]:
    """Start one in a process of its own, and yield its URL; botocore's environment points to it meanwhile."""
    arguments: Sequence[str] = (sys.executable, "-m", "jada_orchestrator.bench.null_aws", str(delay_s))
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        with _environment(url):
            yield url
    finally:
        process.stdin.close()
        await process.wait()


@contextmanager
def _environment(url: str) -> Iterator[None]:
    ours = {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
