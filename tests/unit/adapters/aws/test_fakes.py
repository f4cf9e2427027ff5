"""The fakes' own behaviour: time moves only by the clock, and faults happen only on order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from jada_orchestrator.domain.catalogue import LambdaTransport, SqsTransport
from jada_orchestrator.domain.events import Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.queues import OutcomeMessage, QueueError
from jada_orchestrator.testing.aws import FakeFunctions, FakeQueues, Lose, QueueFault, Refuse
from jada_orchestrator.testing.calls import CALL


@dataclass(slots=True)
class HandClock:
    """A clock that stands until it is moved."""

    instant: UtcMs = UtcMs(1_000)

    def now(self) -> UtcMs:
        return self.instant

    def forward(self, duration_ms: int) -> None:
        self.instant = UtcMs(self.instant + duration_ms)


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands."""
    return HandClock()


@pytest.fixture
def queues(clock: HandClock) -> FakeQueues:
    """One queue, `q`, whose receivers do not wait."""
    made = FakeQueues(clock, wait_ms=0, visibility_ms=1_000)
    made.create("q")
    return made


async def test_an_unsettled_message_comes_again(queues: FakeQueues, clock: HandClock) -> None:
    """After the visibility timeout a message is received again, and the old receipt does nothing any more."""
    queues.put("q", "m")
    source = queues.source("q")
    [first] = await source.receive(1)

    clock.forward(999)
    assert not await source.receive(1)
    clock.forward(1)
    [second] = await source.receive(1)
    await source.delete([first])

    assert (second.receive_count, second.age_ms) == (2, 1_000)
    assert len(queues.messages("q")) == 1


async def test_a_delayed_message_waits(queues: FakeQueues, clock: HandClock) -> None:
    """A message with a delay is not seen before it is due."""
    queues.put("q", "m", delay_ms=500)

    assert not await queues.source("q").receive(1)
    clock.forward(500)
    assert len(await queues.source("q").receive(1)) == 1


async def test_a_long_poll_ends_with_the_first_message(clock: HandClock) -> None:
    """A receiver that waits gets a message as soon as it is there."""
    queues = FakeQueues(clock)
    queues.create("q")
    polling = asyncio.create_task(queues.source("q").receive(5))
    await asyncio.sleep(0)

    queues.put("q", "m")

    assert [delivery.message.body for delivery in await polling] == ["m"]


async def test_a_long_poll_sees_that_the_clock_was_moved(clock: HandClock) -> None:
    """After `wake`, a waiting receiver looks at what has become visible."""
    queues = FakeQueues(clock)
    queues.create("q")
    queues.put("q", "m", delay_ms=5_000)
    polling = asyncio.create_task(queues.source("q").receive(5))
    await asyncio.sleep(0)

    clock.forward(5_000)
    queues.wake()

    assert len(await polling) == 1


async def test_a_scripted_fault_happens_once(queues: FakeQueues) -> None:
    """A fault without effect leaves the queue as it was; one `done` took effect and only lost the answer."""
    outcomes = queues.outcomes("q")
    queues.script("q", "send", QueueFault(), QueueFault(done=True))

    for expected in (0, 1):
        with pytest.raises(QueueError):
            await outcomes.publish(OutcomeMessage("q", "{}", None, "acme"))
        assert len(queues.messages("q")) == expected
    await outcomes.publish(OutcomeMessage("q", "{}", None, "acme"))

    assert len(queues.messages("q")) == 2


async def test_a_lost_task_may_be_there(queues: FakeQueues) -> None:
    """A sender that lost its answer says lost, and the task is on the queue."""
    queues.script("q", "send", QueueFault(done=True))

    ended = await queues.workers(lambda call: call.task_id).send(SqsTransport("q"), CALL)

    assert ended is not None
    assert isinstance(ended.result, Lost)
    assert [message.body for message in queues.messages("q")] == ["hold"]


async def test_deletes_and_receives_can_fail(queues: FakeQueues) -> None:
    """A delete that failed leaves the message; a receive whose answer was lost has hidden it."""
    queues.put("q", "m")
    source = queues.source("q")
    deliveries = await source.receive(1)
    queues.script("q", "delete", QueueFault())
    with pytest.raises(QueueError):
        await source.delete(deliveries)
    await source.give_back(deliveries)

    queues.script("q", "receive", QueueFault(done=True))
    with pytest.raises(QueueError):
        await source.receive(1)

    assert not await source.receive(1)
    assert len(queues.messages("q")) == 1


async def test_a_function_may_answer_in_every_form() -> None:
    """An output, a result, a coroutine's value and an exception each become what they mean."""
    functions = FakeFunctions()
    sold_out = Failed(Failure("SOLD_OUT", "no seat"), retryable=False, answered=True)

    async def slow(call: AgentCall) -> dict[str, str]:
        return {"task": call.task_id}

    def broken(call: AgentCall) -> dict[str, str]:
        raise KeyError(call.task_id)

    functions.add("output", lambda call: {"x": 1})
    functions.add("result", lambda call: sold_out)
    functions.add("slow", slow)
    functions.add("broken", broken)
    results = [
        (await functions.call(LambdaTransport(name), CALL)).result for name in ("output", "result", "slow", "broken")
    ]

    assert results[:3] == [Succeeded({"x": 1}), sold_out, Succeeded({"task": "hold"})]
    assert isinstance(results[3], Lost)
    assert [name for name, _ in functions.calls] == ["output", "result", "slow", "broken"]


async def test_a_fault_hook_decides_for_every_call() -> None:
    """The hook is asked when nothing is scripted; a lost call ran, or did not, as ordered."""
    functions = FakeFunctions(lambda target, call: Refuse() if call.attempt == 1 else None)
    functions.add("f", lambda call: {})
    functions.script("f", Lose(ran=False), Lose())

    results = [(await functions.call(LambdaTransport("f"), CALL)).result for _ in range(3)]

    assert [type(result) for result in results] == [Lost, Lost, Failed]
    assert len(functions.calls) == 1
