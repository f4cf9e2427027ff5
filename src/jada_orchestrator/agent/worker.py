"""The loop of a worker: takes task messages from a queue, has the agent answer them, replies, and only then deletes.

It knows the queue by a small protocol alone; `sqs.py` is the real one. What happens to a message:

| what happened | reply | message |
|---|---|---|
| the function answered, or raised `AgentError` | sent | deleted after the reply was accepted |
| the message is no task, but says where to reply | `BAD_INPUT` | deleted after the reply was accepted |
| the function broke, effect `read` | `INTERNAL`, retryable | deleted after the reply was accepted |
| the function broke, any other effect | none: the attempt is unknown, not failed | given back, later each time |
| no JSON, or no queue to reply to | none: there is nowhere to send it | given back, later each time |
| the reply could not be sent | - | given back, later each time; the answer is remembered |

A function broke when it raised something that is not an `AgentError`.
What is given back too often goes where the queue's redrive policy sends it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from jada_orchestrator.agent.reply import INTERNAL, encode, failed, reply_to_task
from jada_orchestrator.agent.task import JsonObject, TaskFaults, parse_task

if TYPE_CHECKING:
    from jada_orchestrator.agent.agent import Agent

log: Final = logging.getLogger("jada.agent")

_BATCH_MAX: Final = 10  # SQS gives and takes at most ten messages in one call.
_GIVE_BACK_S_MAX: Final = 60  # After a breakdown a message comes back soon at first, then at most this late.
_RECEIVE_PAUSE_S_MAX: Final = 30.0  # The longest pause between two attempts at a queue that cannot be reached.
_QUEUE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came: `receipt` is what deletes it, `times` counts its deliveries from 1."""

    body: str
    receipt: str
    times: int = 1
    attributes: Mapping[str, str] = field(default_factory=dict)


class QueueUnreachable(Exception):
    """Raised by a `TaskQueue` when a call did not come through; the worker pauses and tries again.

    The operator looks at the network, the endpoint (`AWS_ENDPOINT_URL`) and the permissions of the worker's role.
    """


class TaskQueue(Protocol):
    """What a worker needs of its queue. Every method raises `QueueUnreachable` when the call did not come through."""

    async def receive(self, count_max: int, wait_s: int, visibility_s: int) -> Sequence[Received]:
        """Waits up to `wait_s` for at most `count_max` (1-10) messages and hides them for `visibility_s`.

        When cancelled, messages that were on their way are seen again after `visibility_s`.
        """
        ...

    async def hide(self, receipts: Sequence[str], visibility_s: int) -> None:
        """Hides messages for that long from now on; 0 gives them back at once. Ignores those that are gone."""
        ...

    async def delete(self, receipt: str) -> None:
        """Removes a message for good."""
        ...

    async def reply(self, queue: str, body: str, attributes: Mapping[str, str]) -> None:
        """Sends a message to another queue, by name."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How much a worker takes on; times in seconds.

    Messages are hidden for `visibility_s`, and again and again while they are worked on, so it is no limit on the
    work: it is how long a message of a worker that died stays hidden. `grace_s` is how long a stop waits for what runs.
    """

    concurrency: int = 8
    visibility_s: int = 30
    wait_s: int = 20
    grace_s: float = 25.0


class Worker:
    """Runs one agent on one queue."""

    def __init__(self, agent: Agent, queue: TaskQueue, limits: WorkerLimits) -> None:
        self._agent = agent
        self._queue = queue
        self._limits = limits
        self._running: dict[asyncio.Task[None], str] = {}

    async def run(self, stop: asyncio.Event) -> int:
        """Works until `stop` is set, finishes what runs, and returns how many tasks did not finish in time.

        Guarantees: a message is deleted only after its reply was accepted; one that was not finished is seen again.
        """
        heartbeat = asyncio.create_task(self._heartbeat())
        try:
            pause_s = 1.0
            while not stop.is_set():
                try:
                    await self._take(stop)
                    pause_s = 1.0
                except QueueUnreachable as error:
                    log.warning("queue unreachable, trying again in %.0f s: %s", pause_s, error)
                    await _either(stop.wait(), asyncio.sleep(pause_s))
                    pause_s = min(2 * pause_s, _RECEIVE_PAUSE_S_MAX)
            if self._running:
                log.info(
                    "stopping: %d task(s) still run, waiting up to %.0f s", len(self._running), self._limits.grace_s
                )
                await asyncio.wait(self._running, timeout=self._limits.grace_s)
            return len(self._running)
        finally:
            heartbeat.cancel()
            for task in self._running:
                task.cancel()
            await asyncio.gather(heartbeat, *self._running, return_exceptions=True)

    async def _take(self, stop: asyncio.Event) -> None:
        """Receives what there is room for, or waits for room; every message that came is begun at once."""
        room = self._limits.concurrency - len(self._running)
        if room <= 0:
            finished = asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            await _either(stop.wait(), finished)
            return
        receiving = asyncio.create_task(
            self._queue.receive(min(room, _BATCH_MAX), self._limits.wait_s, self._limits.visibility_s)
        )
        await _either(stop.wait(), receiving)
        if not receiving.done() or receiving.cancelled():
            return
        messages = receiving.result()
        if stop.is_set():
            await self._queue.hide([message.receipt for message in messages], 0)
            return
        for message in messages:
            task = asyncio.create_task(self._work(message))
            self._running[task] = message.receipt
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the worker itself failed; the message is seen again later", exc_info=error)

    async def _work(self, message: Received) -> None:
        body = _decoded(message.body)
        reply_to = body.get("reply_to")
        if not isinstance(reply_to, str) or not _QUEUE_NAME.fullmatch(reply_to):
            log.error("message without a usable reply_to given back (delivery %d)", message.times)
            await self._give_back(message)
            return
        reply = await self._answer(body, message)
        if reply is None:
            await self._give_back(message)
            return
        try:
            await self._queue.reply(reply_to, encode(reply), _reply_attributes(reply, message))
            await self._queue.delete(message.receipt)
        except QueueUnreachable as error:
            log.warning("reply or delete did not come through, the message is seen again: %s", error)
            await self._give_back(message)

    async def _answer(self, body: JsonObject, message: Received) -> JsonObject | None:
        """The reply, or None when what happened is unknown."""
        try:
            return await self._agent.handle_async(body, traceparent=message.attributes.get("traceparent"))
        except Exception:
            # Whatever the author's function raises must not stop the worker; the log has it with its traceback.
            log.exception("task %s (delivery %d) broke", body.get("task_id"), message.times)
        task = parse_task(body)
        if isinstance(task, TaskFaults) or self._agent.actions[task.action].effect != "read":
            return None
        message_text = f"{task.action} broke; its log has the cause"
        return reply_to_task(task, failed(INTERNAL, message_text, retryable=True))

    async def _give_back(self, message: Received) -> None:
        delay_s = min(2 ** min(message.times, 10), _GIVE_BACK_S_MAX)
        try:
            await self._queue.hide([message.receipt], delay_s)
        except QueueUnreachable as error:
            log.warning("message comes back after its visibility instead of in %d s: %s", delay_s, error)

    async def _heartbeat(self) -> None:
        """Keeps what is being worked on hidden: three times in each visibility, so that two may get lost."""
        while True:
            await asyncio.sleep(self._limits.visibility_s / 3)
            receipts = list(self._running.values())
            for start in range(0, len(receipts), _BATCH_MAX):
                try:
                    await self._queue.hide(receipts[start : start + _BATCH_MAX], self._limits.visibility_s)
                except QueueUnreachable as error:
                    log.warning("could not keep messages hidden: %s", error)


def _decoded(text: str) -> JsonObject:
    """The body as an object; an empty one for what is none, since then nobody is known to reply to."""
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _reply_attributes(reply: JsonObject, message: Received) -> dict[str, str]:
    names = {"jada-workflow-id": "workflow_id", "jada-task-id": "task_id", "jada-attempt": "attempt"}
    attributes = {name: str(reply[key]) for name, key in names.items() if reply.get(key)}
    if "traceparent" in message.attributes:
        attributes["traceparent"] = message.attributes["traceparent"]
    return attributes


async def _either(*awaitables: object) -> None:
    """Waits for the first of several to end, and cancels the others and waits until they have gone."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]  # type: ignore[call-overload]  # coroutines and tasks
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
