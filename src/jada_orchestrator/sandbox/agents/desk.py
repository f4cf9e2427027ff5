"""The desk of a reference agent: what lies between the agent kit and the inventory, the same for every action.

A call passes: the answer that its key was given before; the fault that was ordered, if any; the time that such work
takes; the work itself, in one transaction with its effect's note and its answer; the rest of the fault. The steps are
a generator of pauses, so that a Lambda function sleeps and a worker awaits without two versions of anything.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar, cast

from jada_orchestrator.agent import Agent, Answer, Task
from jada_orchestrator.agent.reply import encode, reply_to_task, succeeded
from jada_orchestrator.sandbox.agents.catalogue import schemas_of
from jada_orchestrator.sandbox.inventory import faults, once
from jada_orchestrator.sandbox.inventory.books import Books, Maker, open_books
from jada_orchestrator.sandbox.inventory.faults import Fault
from jada_orchestrator.sandbox.inventory.world import dice

PACE_VARIABLE: Final = "JADA_SANDBOX_PACE"
HANG_S: Final = 60.0
_EXIT_STATUS: Final = 70
_LOOK_AGAIN_S: Final = 0.02
_TO_ANSWER_S: Final = 3.0
"""What is left of a call's time when it gives up waiting: its answer is to be heard."""

Reading: TypeAlias = Callable[[Books, sqlite3.Connection, dict[str, Any]], dict[str, Any]]
Effecting: TypeAlias = Callable[[Books, sqlite3.Connection, Maker, dict[str, Any]], dict[str, Any]]
R = TypeVar("R", bound=Reading)
E = TypeVar("E", bound=Effecting)
Steps: TypeAlias = Generator[float, None, dict[str, Any]]


class AgentCrashed(Exception):
    """Raised by an agent that was ordered to break (`crash`, `cut`). Nobody catches it: withdraw the fault."""


class Desk:
    """The actions of one reference agent; a `worker` lives on a queue and serves many tasks at once."""

    def __init__(self, name: str, *, worker: bool = False, sleep: Callable[[float], None] = time.sleep) -> None:
        # The books keep the keys, in the transaction of the effect; a second memory in the kit could only disagree.
        self.app = Agent(name, idempotency=None)
        self._worker = worker
        self._sleep = sleep
        self._schemas = schemas_of(name)

    def reads(self, action: str, pace_ms: int) -> Callable[[R], R]:
        """Registers an action that changes nothing; the function gets the books and the input."""

        def register(function: R) -> R:
            self._register(action, lambda task: _reading(task, function, pace_ms))
            return function

        return register

    def effects(self, action: str, pace_ms: int) -> Callable[[E], E]:
        """Registers an action with an effect; the function runs in the transaction that remembers its answer."""

        def register(function: E) -> E:
            self._register(action, lambda task: _effecting(task, function, pace_ms))
            return function

        return register

    def looks_up(self) -> None:
        """Registers the agent's `lookup`."""

        def lookup(books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
            return once.lookup(books, given["idempotency_key"])

        self.reads(f"{self.app.name}.lookup", pace_ms=15)(lookup)

    def _register(self, action: str, steps: Callable[[Task], Steps]) -> None:
        declared = self._schemas[action]

        def call(task: Task) -> dict[str, Any]:
            return _slept(steps(task), self._sleep)

        async def call_async(task: Task) -> dict[str, Any]:
            return await _awaited(steps(task))

        self.app.action(
            action,
            input=declared["input"],
            output=declared["output"],
            effect=declared["effect"],
            check_deadline=declared["effect"] == "read",  # with an effect, the books look at the key first
        )(call_async if self._worker else call)


def _reading(task: Task, function: Reading, pace_ms: int) -> Steps:
    books = open_books()
    fault = faults.take(books, task.action, task.request_id)
    yield from _before(fault, task, books)
    yield _pause_s(task, pace_ms)
    # Outside any transaction: `lookup` and the sweep of expired holds open their own.
    output = function(books, books.connection(), task.input)
    yield from _after(fault, task, output, books)
    return output


def _effecting(task: Task, function: Effecting, pace_ms: int) -> Steps:
    books, maker = open_books(), _maker(task)
    deadline_ms = None if task.deadline is None else int(task.deadline.timestamp() * 1000)
    call = once.begin(books, maker, task.input, deadline_ms)
    if isinstance(call, dict):
        return call
    try:
        fault = faults.take(books, task.action, task.request_id)
        yield from _before(fault, task, books)
        yield _pause_s(task, pace_ms)
        output = once.settle(books, call, lambda connection: function(books, connection, maker, task.input))
        yield from _after(fault, task, output, books)
    finally:
        once.end(books, call)
    return output


def _before(fault: Fault | None, task: Task, books: Books) -> Iterator[float]:
    """What a fault does ahead of the work."""
    if fault is None:
        return
    match fault.mode:
        case "slow":
            yield float(fault.argument)
        case "fail":
            if fault.awaited is not None:
                yield from until(partial(faults.has_come, books, task.workflow_id, fault.awaited), task)
            raise fault.refusal()
        case "crash" | "cut" if fault.moment == "before":
            yield from _broken(fault)
        case _:
            pass


def until(is_so: Callable[[], bool], task: Task) -> Iterator[float]:
    """Waits for what calls in other processes do, for as long as there is time left to answer.

    The books are all that they have in common, so they are looked at again and again.
    """
    while not is_so():
        left_s = task.seconds_left()
        if left_s is not None and left_s <= _TO_ANSWER_S:
            return
        yield _LOOK_AGAIN_S


def _after(fault: Fault | None, task: Task, output: dict[str, Any], books: Books) -> Iterator[float]:
    """What a fault does when the work is done."""
    if fault is None:
        return
    match fault.mode:
        case "late":
            yield float(fault.argument)
        case "together":
            faults.arrive(books, fault)
            yield from until(partial(faults.are_together, books, fault), task)
        case "twice" if task.reply_to is not None:
            _answer_once_more(task, output)
        case "crash" | "cut" if fault.moment == "after":
            yield from _broken(fault)
        case _:
            pass


def _broken(fault: Fault) -> Iterator[float]:
    if fault.mode == "cut" and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        yield float(fault.detail or HANG_S)
    if fault.detail == "exit":
        os._exit(_EXIT_STATUS)
    raise AgentCrashed(f"ordered to break: {fault.action} {fault.mode} {fault.argument}")


def _answer_once_more(task: Task, output: dict[str, Any]) -> None:
    """Sends the answer by itself; the kit then sends it again."""
    from botocore.session import get_session

    client: Any = get_session().create_client("sqs", region_name=os.environ.get("AWS_REGION"))
    try:
        address = client.get_queue_url(QueueName=task.reply_to)["QueueUrl"]
        client.send_message(QueueUrl=address, MessageBody=encode(reply_to_task(task, succeeded(Answer(output)))))
    finally:
        client.close()


def _maker(task: Task) -> Maker:
    return Maker(task.workflow_id, task.request_id, task.task_id, task.attempt, task.idempotency_key, task.action)


def _pause_s(task: Task, pace_ms: int) -> float:
    """How long this work takes: between 60 and 140 % of what is usual, the same for the same call."""
    percent = 60 + dice("pace", task.idempotency_key, task.attempt) % 81
    return pace_ms * percent / 100_000 * float(os.environ.get(PACE_VARIABLE, "1"))


def _slept(steps: Steps, sleep: Callable[[float], None]) -> dict[str, Any]:
    try:
        while True:
            sleep(next(steps))
    except StopIteration as stop:
        return cast("dict[str, Any]", stop.value)
    finally:
        steps.close()


async def _awaited(steps: Steps) -> dict[str, Any]:
    """Each step in a thread, since it may wait for the books; the pauses between them in none."""
    import asyncio  # a Lambda function does not load it

    try:
        while True:
            pause_s = await asyncio.to_thread(_next, steps)
            if isinstance(pause_s, dict):
                return pause_s
            await asyncio.sleep(pause_s)
    finally:
        steps.close()


def _next(steps: Steps) -> float | dict[str, Any]:
    try:
        return next(steps)
    except StopIteration as stop:
        return cast("dict[str, Any]", stop.value)
