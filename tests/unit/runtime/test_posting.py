"""Calls that a worker is given at once, without a task of ours that waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from jada_orchestrator.domain.catalogue import SqsTransport
from jada_orchestrator.domain.events import Failed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import RequestId, workflow_id_of
from jada_orchestrator.domain.records import AttemptLost, TaskBackedOff
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from tests.unit.runtime.house import REPLIES, House
from tests.unit.runtime.test_runtime import in_house

_THROTTLED = CallEnded(Failed(Failure("THROTTLED", "later"), retryable=True, answered=False))


class PostingWorkers:
    """The port `WorkerSender`, which posts everything: what comes of each posting, in order, is given in."""

    def __init__(self, *endings: CallEnded | Exception | None) -> None:
        self._endings = list(endings)
        self.calls: list[AgentCall] = []
        self.open: list[asyncio.Future[CallEnded | None]] = []

    def post(self, target: SqsTransport, call: AgentCall) -> asyncio.Future[CallEnded | None] | None:
        """Take it; what is beyond the endings given stays open."""
        del target
        self.calls.append(call)
        posted: asyncio.Future[CallEnded | None] = asyncio.get_running_loop().create_future()
        if not self._endings:
            self.open.append(posted)
            return posted
        ending = self._endings.pop(0)
        if isinstance(ending, Exception):
            raise ending
        posted.set_result(ending)
        return posted

    async def send(self, target: SqsTransport, call: AgentCall) -> CallEnded | None:
        """Fail: it is never asked for."""
        raise AssertionError(f"{call.task_id} was posted to {target.queue}")

    async def close(self) -> None:
        """Do nothing."""


def _records(house: House, kind: type[Any]) -> list[Any]:
    entries = house.store.workflows[workflow_id_of(RequestId("web-1"))].entries
    return [entry.record for entry in entries if isinstance(entry.record, kind)]


async def _begun(house: House, condition: Callable[[], object]) -> None:
    house.send(text="check")
    await house.until(condition)


def test_what_was_posted_is_answered_by_the_reply_queue() -> None:
    """Once the queue has it, nothing of ours waits for it; the worker's reply completes the booking."""

    async def scenario(house: House) -> None:
        workers = PostingWorkers(None)
        async with house.process(house.world(workers=workers)):
            await _begun(house, lambda: workers.calls)
            (call,) = workers.calls
            reply = {"workflow": call.workflow_id, "task": call.task_id, "attempt": 1, "key": call.idempotency_key}
            house.queues.put(REPLIES, json.dumps({**reply, "output": {"valid": True}}))
            await house.until(house.outcomes)
        assert house.outcomes() == [("web-1", "completed")]

    in_house(scenario)


def test_a_posting_that_failed_is_an_attempt_that_failed() -> None:
    """The queue's refusal is decided upon as if it had been sent, and the call is posted anew."""

    async def scenario(house: House) -> None:
        workers = PostingWorkers(_THROTTLED, None)
        async with house.process(house.world(workers=workers)):
            await _begun(house, lambda: len(workers.calls) == 2)
        assert [record.failure.code for record in _records(house, TaskBackedOff)] == ["THROTTLED"]

    in_house(scenario)


def test_a_fault_in_the_adapter_is_an_attempt_of_which_nobody_knows() -> None:
    """It may have been sent, so it is not sent another way: it counts as lost, and a read is made again."""

    async def scenario(house: House) -> None:
        workers = PostingWorkers(RuntimeError("a fault of ours"), None)
        async with house.process(house.world(workers=workers)):
            await _begun(house, lambda: len(workers.calls) == 2)
        backed_off = [*_records(house, TaskBackedOff), *_records(house, AttemptLost)]
        assert [record.failure.code for record in backed_off] == ["ADAPTER_FAULT"]
        assert [call.attempt for call in workers.calls] == [1, 2]

    in_house(scenario)


def test_what_is_no_longer_wanted_is_cancelled() -> None:
    """A booking that is cancelled takes back what the queue does not have yet."""

    async def scenario(house: House) -> None:
        workers = PostingWorkers()
        async with house.process(house.world(workers=workers)):
            await _begun(house, lambda: workers.open)
            house.send(say="cancel")
            await house.until(house.outcomes)
        assert [posted.cancelled() for posted in workers.open] == [True]

    in_house(scenario)
