"""The worker's loop against a queue in memory: what is replied, deleted, hidden and given back."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import pytest

from jada_orchestrator.agent import Agent, AgentError, JsonObject, MemoryIdempotency, Task
from jada_orchestrator.agent.sqs import SqsCalls, SqsTaskQueue
from jada_orchestrator.agent.worker import QueueUnreachable, Received, Worker, WorkerLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence


class QueueInMemory:
    """A queue that hands out what was put, and notes everything that is asked of it."""

    def __init__(self) -> None:
        self.waiting: deque[Received] = deque()
        self.asked: list[int] = []
        self.hidden: list[tuple[str, int]] = []
        self.deleted: list[str] = []
        self.replies: list[tuple[str, JsonObject, dict[str, str]]] = []
        self.texts: list[str] = []
        self.down = 0
        self._changed = asyncio.Condition()

    async def put(self, body: object, receipt: str = "r1", times: int = 1, **attributes: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.waiting.append(Received(text, receipt, times, attributes))
        await self._tell()

    async def until(self, happened: object) -> None:
        """Waits until the condition (a function without arguments) holds."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(happened)  # type: ignore[arg-type]

    async def receive(self, count_max: int, wait_s: int, visibility_s: int) -> Sequence[Received]:
        self.asked.append(count_max)
        if self.down:
            self.down -= 1
            await self._tell()
            raise QueueUnreachable("no route")
        async with self._changed:
            await self._changed.wait_for(lambda: self.waiting)
        return [self.waiting.popleft() for _ in range(min(count_max, len(self.waiting)))]

    async def hide(self, receipts: Sequence[str], visibility_s: int) -> None:
        self.hidden += [(receipt, visibility_s) for receipt in receipts]
        await self._tell()

    async def delete(self, receipt: str) -> None:
        self.deleted.append(receipt)
        await self._tell()

    async def reply(self, queue: str, body: str, attributes: Mapping[str, str]) -> None:
        if queue == "gone":
            raise QueueUnreachable("no such queue")
        assert not self.deleted, "deleted before the reply was sent"
        self.texts.append(body)
        self.replies.append((queue, json.loads(body), dict(attributes)))
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Running:
    """A worker that runs for the length of a test, and the gate that its `toy.wait` action waits for."""

    def __init__(self, limits: WorkerLimits) -> None:
        self.queue = QueueInMemory()
        self.stop = asyncio.Event()
        self.gate = asyncio.Event()
        self.started = 0
        self.agent = Agent("toy", idempotency=MemoryIdempotency())
        self.agent.action("toy.echo")(self.echo)
        self.agent.action("toy.wait")(self.wait)
        self.agent.action("toy.break")(self.crash)
        self.agent.action("toy.read", effect="read")(self.crash)
        self.worker = Worker(self.agent, self.queue, limits)
        self.ended = asyncio.create_task(self.worker.run(self.stop))

    def echo(self, task: Task) -> JsonObject:
        if "code" in task.input:
            raise AgentError(task.input["code"], "as told")
        return dict(task.input)

    async def wait(self, task: Task) -> JsonObject:
        self.started += 1
        await self.queue._tell()  # noqa: SLF001 - the test waits for the start
        await self.gate.wait()
        return {}

    def crash(self, task: Task) -> JsonObject:
        raise ZeroDivisionError


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A running worker, stopped at the end whatever happened."""
    running = Running(WorkerLimits(concurrency=3, visibility_s=30, grace_s=5))
    yield running
    running.gate.set()
    running.stop.set()
    await running.ended


def a_task(action: str = "toy.echo", number: int = 1, **fields: object) -> JsonObject:
    """A task message for the toy agent, with a key of its own."""
    return {
        "schema": "jada.task/1",
        "workflow_id": "wf-1",
        "request_id": "req-1",
        "tenant": "acme",
        "task_id": "toy",
        "attempt": 2,
        "idempotency_key": f"jk-{number}",
        "action": action,
        "input": {"a": 1},
        "reply_to": "replies",
        **fields,
    }


async def test_replies_before_it_deletes(running: Running) -> None:
    """The reply goes to the queue that the task names, with the contract's attributes, and then the task is deleted."""
    await running.queue.put(a_task(), traceparent="00-a-b-01")
    await running.queue.until(lambda: running.queue.deleted == ["r1"])
    [(queue, reply, attributes)] = running.queue.replies
    assert queue == "replies"
    assert (reply["status"], reply["output"], reply["attempt"]) == ("succeeded", {"a": 1}, 2)
    assert attributes == {
        "jada-workflow-id": "wf-1",
        "jada-task-id": "toy",
        "jada-attempt": "2",
        "traceparent": "00-a-b-01",
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (a_task(input={"code": "NO"}), "NO"),
        (a_task("toy.fly"), "UNKNOWN_ACTION"),
        (a_task("toy.read"), "INTERNAL"),
        ({"reply_to": "replies"}, "BAD_INPUT"),
    ],
)
async def test_failures_are_replies(running: Running, body: JsonObject, code: str) -> None:
    """What certainly did not happen is answered as failed, and the task is deleted."""
    await running.queue.put(body)
    await running.queue.until(lambda: running.queue.deleted == ["r1"])
    assert running.queue.replies[0][1]["error"]["code"] == code


@pytest.mark.parametrize(
    ("body", "times", "delay_s"),
    [
        (a_task("toy.break"), 1, 2),
        (a_task("toy.break"), 3, 8),
        (a_task("toy.break"), 90, 60),
        (a_task(reply_to="gone"), 1, 2),
        (a_task(reply_to="https://elsewhere.example/queue"), 1, 2),
        (a_task(reply_to=None), 1, 2),
        ("not JSON", 1, 2),
        ("[]", 1, 2),
    ],
)
async def test_what_cannot_be_answered_is_given_back(running: Running, body: object, times: int, delay_s: int) -> None:
    """An unknown attempt, and a message that nobody can be told about, are neither answered nor deleted."""
    await running.queue.put(body, times=times)
    await running.queue.until(lambda: running.queue.hidden == [("r1", delay_s)])
    assert running.queue.replies == []
    assert running.queue.deleted == []


async def test_a_reply_queue_may_be_a_fifo_queue(running: Running) -> None:
    """The daemon's setting allows one, so its workers answer there."""
    await running.queue.put(a_task(reply_to="replies.fifo"))
    await running.queue.until(lambda: running.queue.deleted == ["r1"])
    assert running.queue.replies[0][0] == "replies.fifo"


class Sqs:
    """As much of botocore's client as a reply needs."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []

    async def get_queue_url(self, **arguments: Any) -> Mapping[str, Any]:
        return {"QueueUrl": f"https://sqs/{arguments['QueueName']}"}

    async def send_message(self, **arguments: Any) -> Mapping[str, Any]:
        self.sent.append(arguments)
        return {}


async def test_a_reply_has_what_its_queue_wants() -> None:
    """A FIFO queue wants a group and something to tell replies apart by; a standard queue gets neither."""
    sqs = Sqs()
    queue = SqsTaskQueue(cast("SqsCalls", sqs), "https://sqs/tasks")
    for name, body in (("replies", "a"), ("replies.fifo", "a"), ("replies.fifo", "a"), ("replies.fifo", "b")):
        await queue.reply(name, body, {"jada-workflow-id": "wf-1"})
    plain, first, again, other = sqs.sent
    assert not {"MessageGroupId", "MessageDeduplicationId"} & plain.keys()
    assert first["MessageGroupId"] == again["MessageGroupId"]
    assert first["MessageDeduplicationId"] == again["MessageDeduplicationId"]
    assert first["MessageDeduplicationId"] != other["MessageDeduplicationId"]


async def test_an_answer_is_written_so_that_a_queue_takes_it(running: Running) -> None:
    """Characters that SQS refuses, and halves of characters, are escaped: the same JSON, and the answer arrives."""
    await running.queue.put(a_task(input={"a": "x\ufffe\ud83d y"}))
    await running.queue.until(lambda: running.queue.deleted == ["r1"])
    assert running.queue.replies[0][1]["output"] == {"a": "x\ufffe\ud83d y"}
    assert not set(running.queue.texts[0]) & {"\ufffe", "\ud83d"}


async def test_it_takes_no_more_than_it_has_room_for(running: Running) -> None:
    """Of five messages with three places, three are taken; the others stay for other workers."""
    for number in range(5):
        await running.queue.put(a_task("toy.wait", number), receipt=f"r{number}")
    await running.queue.until(lambda: running.started == 3)
    assert len(running.queue.waiting) == 2
    assert max(running.queue.asked) == 3
    running.gate.set()
    await running.queue.until(lambda: len(running.queue.deleted) == 5 or not running.queue.waiting)


async def test_a_stop_finishes_what_runs(running: Running) -> None:
    """After a stop nothing new is taken; what ran is answered, and the worker ends with nothing left over."""
    await running.queue.put(a_task("toy.wait"))
    await running.queue.until(lambda: running.started == 1)
    running.stop.set()
    await running.queue.put(a_task(number=2), receipt="r2")
    running.gate.set()
    assert await running.ended == 0
    assert running.queue.deleted == ["r1"]
    assert running.queue.waiting or ("r2", 0) in running.queue.hidden


async def test_a_stop_does_not_wait_for_ever() -> None:
    """What has not finished within the grace is cut off, counted, and neither answered nor deleted."""
    running = Running(WorkerLimits(grace_s=0))
    await running.queue.put(a_task("toy.wait"))
    await running.queue.until(lambda: running.started == 1)
    running.stop.set()
    assert await running.ended == 1
    assert running.queue.deleted == []


async def test_messages_are_kept_hidden_while_they_are_worked_on() -> None:
    """The heartbeat hides what runs again, long before it would be seen."""
    running = Running(WorkerLimits(visibility_s=0))
    await running.queue.put(a_task("toy.wait"))
    await running.queue.until(lambda: ("r1", 0) in running.queue.hidden)
    running.gate.set()
    running.stop.set()
    assert await running.ended == 0


async def test_an_unreachable_queue_is_tried_again() -> None:
    """A queue that does not answer stops nothing: a stop still ends the worker at once."""
    running = Running(WorkerLimits())
    running.queue.down = 1
    await running.queue.until(lambda: running.queue.asked and not running.queue.down)
    running.stop.set()
    assert await running.ended == 0
