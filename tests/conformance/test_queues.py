"""The ports on queues, on the fake and on the real client against moto: what is received, settled and sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import pytest_asyncio
from msgspec import structs

from jada_orchestrator.adapters.aws.clients import AwsClients
from jada_orchestrator.adapters.aws.fast_queues import FastQueues
from jada_orchestrator.adapters.aws.queues import SqsOutcomes, SqsSource
from jada_orchestrator.adapters.aws.sending import SqsSender
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.adapters.aws.worker_queues import SqsWorkers
from jada_orchestrator.domain.catalogue import SqsTransport
from jada_orchestrator.domain.events import Failed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import OUTCOME_BYTES_MAX
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.agents import AgentCall, CallEnded, WorkerSender
from jada_orchestrator.ports.queues import Delivery, MessageSource, OutcomeMessage, OutcomeSink, QueueError
from jada_orchestrator.testing import calls as testing
from jada_orchestrator.testing.aws import FakeQueues

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = count(1)
FAILURE = Failure("NOT_JSON", "the body is not JSON: line 1")
CALL = structs.replace(
    testing.CALL,
    task_id=TaskId("check"),
    attempt=2,
    input={"text": "Zürich ✈"},
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)


def encode(call: AgentCall, input_ref: PayloadRef | None = None) -> str:
    """A task's text, as far as this suite needs one."""
    return json.dumps({"task_id": call.task_id, "attempt": call.attempt, "input": call.input}, ensure_ascii=False)


@dataclass(slots=True)
class HandClock:
    """A clock that stands until it is moved."""

    instant: UtcMs = UtcMs(4_000_000_000_000)

    def now(self) -> UtcMs:
        return self.instant


class World(Protocol):
    """An implementation with two fresh queues: one that is read, one for dead letters."""

    queue: str
    dead_letters: str
    source: MessageSource
    outcomes: OutcomeSink
    workers: WorkerSender

    async def put(self, body: str, attributes: dict[str, str] | None = None) -> None: ...

    async def everything_in(self, queue: str) -> list[Message]: ...

    def source_of(self, queue: str) -> MessageSource: ...


class FakeWorld:
    """The fake itself."""

    def __init__(self) -> None:
        self.queue, self.dead_letters = "requests", "requests-dlq"
        self.queues = FakeQueues(HandClock(), wait_ms=0)
        self.queues.create(self.queue, self.dead_letters)
        self.source: MessageSource = self.queues.source(self.queue)
        self.outcomes: OutcomeSink = self.queues.outcomes(self.dead_letters)
        self.workers: WorkerSender = self.queues.workers(encode)

    async def put(self, body: str, attributes: dict[str, str] | None = None) -> None:
        self.queues.put(self.queue, body, attributes)

    async def everything_in(self, queue: str) -> list[Message]:
        return self.queues.messages(queue)

    def source_of(self, queue: str) -> MessageSource:
        return self.queues.source(queue)


class MotoWorld:
    """The real client, and moto's SQS behind it."""

    def __init__(self, clients: AwsClients, queue: str, fast: FastQueues | None) -> None:
        self.queue, self.dead_letters = queue, f"{queue}-dlq"
        self.client: SQSClient = clients.queues
        self.service = SqsService(clients.queues, polls=2, requests=4, fast=fast)
        sender = SqsSender(self.service)
        self.source: MessageSource = self.source_of(queue)
        self.outcomes: OutcomeSink = SqsOutcomes(sender, dead_letter_queue=self.dead_letters)
        self.workers: WorkerSender = SqsWorkers(sender, encode=encode)

    async def create(self, name: str) -> str:
        return (await self.client.create_queue(QueueName=name))["QueueUrl"]

    async def put(self, body: str, attributes: dict[str, str] | None = None) -> None:
        url = (await self.client.get_queue_url(QueueName=self.queue))["QueueUrl"]
        typed: Any = {name: {"DataType": "String", "StringValue": text} for name, text in (attributes or {}).items()}
        await self.client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=typed)

    async def everything_in(self, queue: str) -> list[Message]:
        return [delivery.message for delivery in await receive_all(self.source_of(queue))]

    def source_of(self, queue: str) -> MessageSource:
        return SqsSource(self.service, queue, clock=HandClock(), wait_s=0)


async def receive_all(source: MessageSource) -> list[Delivery]:
    """All visible messages."""
    found: list[Delivery] = []
    while some := await source.receive(10):
        found += some
    return found


def bodies(deliveries: Sequence[Delivery]) -> list[str]:
    """What was in them, in alphabetical order: a standard queue promises none."""
    return sorted(delivery.message.body for delivery in deliveries)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def short_way(clients: AwsClients) -> AsyncIterator[FastQueues]:
    """The short way to the same queues."""
    fast = FastQueues(clients.queues, clients.session, connections=6)
    yield fast
    await fast.close()


async def _with_queues(world: MotoWorld) -> MotoWorld:
    await world.create(world.queue)
    await world.create(world.dead_letters)
    return world


@pytest_asyncio.fixture(loop_scope="module", params=["client", "short way"])
async def real(clients: AwsClients, short_way: FastQueues, request: pytest.FixtureRequest) -> MotoWorld:
    """Fresh queues on moto, each way to them in turn."""
    fast = short_way if request.param == "short way" else None
    return await _with_queues(MotoWorld(clients, f"requests-{next(NAMES)}", fast))


@pytest_asyncio.fixture(loop_scope="module", params=["fake", "client", "short way"])
async def world(clients: AwsClients, short_way: FastQueues, request: pytest.FixtureRequest) -> World:
    """Each implementation in turn."""
    if request.param == "fake":
        return FakeWorld()
    fast = short_way if request.param == "short way" else None
    return await _with_queues(MotoWorld(clients, f"requests-{next(NAMES)}", fast))


async def test_a_message_arrives_as_it_was_sent(world: World) -> None:
    """Body and string attributes arrive unchanged, with a first receipt and an age that is not negative."""
    await world.put("Zürich ✈", {"traceparent": "00-1", "Jada.Test": "x"})

    [delivery] = await world.source.receive(10)

    assert delivery.message == Message("Zürich ✈", {"traceparent": "00-1", "Jada.Test": "x"})
    assert delivery.receive_count == 1
    assert delivery.age_ms >= 0
    assert delivery.message_id


async def test_an_empty_queue_gives_nothing(world: World) -> None:
    """When no message comes within the wait, the answer is empty."""
    assert list(await world.source.receive(10)) == []


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (3, 3), (50, 10)])
async def test_no_more_than_asked_for(world: World, asked: int, given: int) -> None:
    """A receiver gets at most what it can admit, and at most ten at once."""
    for number in range(12):
        await world.put(f"m{number}")

    assert len(await world.source.receive(asked)) == given


async def test_a_received_message_is_hidden(world: World) -> None:
    """While a message is being worked on, nobody else receives it."""
    await world.put("m")
    await world.source.receive(1)

    assert list(await world.source.receive(1)) == []


async def test_a_deleted_message_does_not_come_again(world: World) -> None:
    """Deleting many works in one call, and what is deleted is gone."""
    for number in range(25):
        await world.put(f"m{number:02}")
    deliveries = await receive_all(world.source)
    assert len(deliveries) == 25

    await world.source.delete(deliveries)

    assert await world.everything_in(world.queue) == []


async def test_a_message_given_back_comes_again(world: World) -> None:
    """What is given back is visible at once, with a higher count and a handle of its own."""
    await world.put("m")
    [first] = await world.source.receive(1)

    await world.source.give_back([first])
    [second] = await world.source.receive(1)

    assert second.receive_count == 2
    assert second.message_id == first.message_id
    assert second.handle != first.handle


async def test_a_message_given_back_for_later_waits(world: World) -> None:
    """What is given back for later stays hidden."""
    await world.put("m")

    await world.source.give_back(await world.source.receive(1), after_ms=60_000)

    assert await receive_all(world.source) == []


async def test_settling_nothing_is_nothing(world: World) -> None:
    """An empty list is allowed, since a turn may have nothing to settle."""
    await world.source.delete([])
    await world.source.give_back([])


async def test_a_missing_queue_is_named(world: World) -> None:
    """Reading from, or sending to, a queue that is not there says which one, and that it has to be created."""
    with pytest.raises(QueueError, match=r"(?s)nowhere.*[Cc]reate it"):
        await world.source_of("nowhere").receive(1)
    with pytest.raises(QueueError, match=r"(?s)nowhere.*[Cc]reate it"):
        await world.outcomes.publish(OutcomeMessage("nowhere", "{}", None, "acme"))


async def test_an_outcome_is_published(world: World) -> None:
    """An outcome arrives on the queue that it names, with its trace."""
    await world.outcomes.publish(OutcomeMessage(world.queue, '{"id":"o-1"}', "00-1", "acme"))

    assert await world.everything_in(world.queue) == [Message('{"id":"o-1"}', {"traceparent": "00-1"})]


async def test_a_message_has_its_limit_with_all_that_belongs_to_it(world: World) -> None:
    """The largest outcome is taken; a byte more than a mebibyte with attributes is refused, and that is said."""
    await world.outcomes.publish(OutcomeMessage(world.queue, "x" * OUTCOME_BYTES_MAX, "00-1", "acme"))
    attributes = len("traceparent" + "String" + "00-1")
    with pytest.raises(QueueError, match="TOO_LARGE"):
        await world.outcomes.publish(OutcomeMessage(world.queue, "x" * (2**20 - attributes + 1), "00-1", "acme"))
    assert len(await world.everything_in(world.queue)) == 1


async def test_a_dead_letter_is_whole(world: World) -> None:
    """A dead letter keeps its body and attributes, and says why it is there."""
    await world.outcomes.dead_letter(Message("not json", {"traceparent": "00-1"}), FAILURE)

    [letter] = await world.everything_in(world.dead_letters)

    assert letter.body == "not json"
    assert letter.attributes == {
        "traceparent": "00-1",
        "jada-reason-code": "NOT_JSON",
        "jada-reason": "the body is not JSON: line 1",
    }


async def test_a_dead_letter_that_comes_back_has_the_new_reason(world: World) -> None:
    """A message that was in the dead-letter queue before gets the reason of this time."""
    await world.outcomes.dead_letter(Message("m", {"jada-reason-code": "OLD", "jada-reason": "old"}), FAILURE)

    [letter] = await world.everything_in(world.dead_letters)

    assert letter.attributes == {"jada-reason-code": FAILURE.code, "jada-reason": FAILURE.message}


async def test_a_task_is_put_on_the_workers_queue(world: World) -> None:
    """A task arrives with the contract's attributes, and the sender hears nothing more."""
    assert await world.workers.send(SqsTransport(world.queue), CALL) is None

    [task] = await world.everything_in(world.queue)

    assert json.loads(task.body) == {"task_id": "check", "attempt": 2, "input": {"text": "Zürich ✈"}}
    assert task.attributes == {
        "jada-workflow-id": "wf-1",
        "jada-task-id": "check",
        "jada-attempt": "2",
        "traceparent": CALL.traceparent,
    }


async def test_many_tasks_at_once_all_arrive(world: World) -> None:
    """Tasks that are sent together arrive, each once."""
    calls = [structs.replace(CALL, attempt=number) for number in range(1, 36)]

    results = await asyncio.gather(*(world.workers.send(SqsTransport(world.queue), call) for call in calls))

    assert results == [None] * 35
    attempts = [int(message.attributes["jada-attempt"]) for message in await world.everything_in(world.queue)]
    assert sorted(attempts) == list(range(1, 36))


async def _given(world: World, queue: str, call: AgentCall) -> CallEnded | None:
    """Give a task the way the runtime does: posted where that can be done at once, else sent."""
    posted = world.workers.post(SqsTransport(queue), call)
    return await (world.workers.send(SqsTransport(queue), call) if posted is None else posted)


async def test_tasks_that_are_posted_all_arrive(world: World) -> None:
    """What is given without a task that waits arrives as what is sent, each once."""
    calls = [structs.replace(CALL, attempt=number) for number in range(1, 36)]

    results = await asyncio.gather(*(_given(world, world.queue, call) for call in calls))

    assert results == [None] * 35
    attempts = [int(message.attributes["jada-attempt"]) for message in await world.everything_in(world.queue)]
    assert sorted(attempts) == list(range(1, 36))


async def test_what_cannot_be_posted_ends_as_if_it_had_been_sent(world: World) -> None:
    """A missing queue, and no time left: the same verdicts, and nothing arrives."""
    bad = (("nowhere", CALL), (world.queue, structs.replace(CALL, timeout_ms=0)))
    for queue, call in bad:
        given, sent = await _given(world, queue, call), await world.workers.send(SqsTransport(queue), call)
        assert given is not None
        assert given == sent

    assert await world.everything_in(world.queue) == []


async def test_a_task_for_a_missing_queue_failed_for_now(world: World) -> None:
    """A worker queue that is not there certainly took nothing; it may be there later."""
    ended = await world.workers.send(SqsTransport("nowhere"), CALL)

    assert ended is not None
    assert isinstance(ended.result, Failed)
    assert (ended.result.retryable, ended.result.answered) == (True, False)
    assert ended.result.failure.code == "NOT_FOUND"


async def test_a_task_without_time_is_not_sent(world: World) -> None:
    """When the deadline has passed, nothing is put on the queue."""
    ended = await world.workers.send(SqsTransport(world.queue), structs.replace(CALL, timeout_ms=0))

    assert ended is not None
    assert isinstance(ended.result, Failed)
    assert await world.everything_in(world.queue) == []


async def test_closing_twice_is_harmless(world: World) -> None:
    """Each port may be closed twice."""
    for _ in range(2):
        await world.source.close()
        await world.outcomes.close()
        await world.workers.close()


# --- What only the real adapter has -------------------------------------------------------------------------------
async def test_many_attributes_fit_into_ten(real: MotoWorld) -> None:
    """A dead letter with SQS's ten attributes keeps all of them beside the reason."""
    attributes = {f"a{number}": f"v{number}" for number in range(10)}

    await real.outcomes.dead_letter(Message("m", attributes), FAILURE)

    [letter] = await real.everything_in(real.dead_letters)
    others = json.loads(letter.attributes.pop("jada-other-attributes"))
    assert letter.attributes.pop("jada-reason-code") == FAILURE.code
    assert letter.attributes.pop("jada-reason") == FAILURE.message
    assert letter.attributes | others == attributes


async def test_binary_and_number_attributes_become_text(real: MotoWorld) -> None:
    """A binary attribute arrives as base64, a number as its text."""
    url = (await real.client.get_queue_url(QueueName=real.queue))["QueueUrl"]
    await real.client.send_message(
        QueueUrl=url,
        MessageBody="m",
        MessageAttributes={
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "n": {"DataType": "Number", "StringValue": "7"},
        },
    )

    [delivery] = await real.source.receive(1)

    assert delivery.message.attributes == {"blob": "AP8=", "n": "7"}


async def test_a_queue_made_anew_is_found_again(real: MotoWorld) -> None:
    """A remembered address that leads nowhere is looked up again: nothing has to be restarted."""
    await real.source.receive(1)
    url = (await real.client.get_queue_url(QueueName=real.queue))["QueueUrl"]
    await real.client.delete_queue(QueueUrl=url)
    with pytest.raises(QueueError, match="create-queue"):
        await real.source.receive(1)

    await real.create(real.queue)
    await real.put("m")

    assert bodies(await real.source.receive(1)) == ["m"]


async def test_a_refused_delete_is_reported(real: MotoWorld) -> None:
    """What a batch's answer says of single messages is read: a receipt that is no receipt is named."""
    await real.put("m")
    [delivery] = await real.source.receive(1)

    with pytest.raises(QueueError, match="1 of 2"):
        await real.source.delete([delivery, structs.replace(delivery, handle="none")])


async def test_a_fifo_queue_gets_group_and_deduplication(real: MotoWorld) -> None:
    """On a FIFO queue a task carries its tenant as group, and a second copy of the same attempt is dropped."""
    name = f"{real.queue}.fifo"
    url = (await real.client.create_queue(QueueName=name, Attributes={"FifoQueue": "true"}))["QueueUrl"]

    assert await real.workers.send(SqsTransport(name), CALL) is None

    answer = await real.client.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])
    [message] = answer["Messages"]
    assert message["Attributes"]["MessageGroupId"] == "acme"
    assert message["Attributes"]["MessageDeduplicationId"] == "jk-1.2"
