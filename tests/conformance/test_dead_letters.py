"""The port on the dead-letter queue, on the fake and on the real client against moto."""

from __future__ import annotations

from itertools import count
from typing import Any, Protocol

import pytest
import pytest_asyncio

from jada_orchestrator.adapters.aws.clients import AwsClients
from jada_orchestrator.adapters.aws.dead_letters import SqsDeadLetters
from jada_orchestrator.adapters.aws.queues import SqsOutcomes, SqsSource
from jada_orchestrator.adapters.aws.sending import SqsSender
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.adapters.host.clock import SystemClock
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.dead_letters import DeadLetterBox, Depth, original_of
from jada_orchestrator.ports.queues import OutcomeSink, QueueError
from jada_orchestrator.service import dead_letters
from jada_orchestrator.testing.aws import FakeQueues
from jada_orchestrator.testing.dead_letters import FakeDeadLetters

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = count(1)
FAILURE = Failure("PLAN_FAULTED", "no valid plan after 2 corrections")


class World(Protocol):
    """An implementation with two fresh queues."""

    box: DeadLetterBox
    outcomes: OutcomeSink

    async def requests(self) -> list[Message]: ...


class FakeWorld:
    def __init__(self) -> None:
        queues = FakeQueues(SystemClock(), wait_ms=0)
        queues.create("requests", "dlq")
        self.box: DeadLetterBox = FakeDeadLetters(queues, letters="dlq", requests="requests")
        self.outcomes: OutcomeSink = queues.outcomes("dlq")
        self._queues = queues

    async def requests(self) -> list[Message]:
        return self._queues.messages("requests")


class MotoWorld:
    def __init__(self, clients: AwsClients, name: str, *, suffix: str = "") -> None:
        self.letters, self._requests = f"{name}-dlq{suffix}", f"{name}{suffix}"
        service = SqsService(clients.queues, polls=2, requests=4)
        sender = SqsSender(service)
        self._client, self._service = clients.queues, service
        clock = SystemClock()
        self.box: DeadLetterBox = SqsDeadLetters(
            service, sender, letters=self.letters, requests=self._requests, clock=clock, visibility_s=30
        )
        self.outcomes: OutcomeSink = SqsOutcomes(sender, dead_letter_queue=self.letters)

    async def create(self) -> None:
        for name in (self.letters, self._requests):
            attributes: Any = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            await self._client.create_queue(QueueName=name, Attributes=attributes)

    async def requests(self) -> list[Message]:
        source = SqsSource(self._service, self._requests, clock=SystemClock(), wait_s=0)
        return [delivery.message for delivery in await source.receive(10)]


@pytest_asyncio.fixture(loop_scope="module")
async def real(clients: AwsClients) -> MotoWorld:
    """Fresh queues on moto."""
    world = MotoWorld(clients, f"requests-{next(NAMES)}")
    await world.create()
    return world


@pytest.fixture(params=["fake", "moto"])
def world(request: pytest.FixtureRequest) -> World:
    """Each implementation in turn."""
    if request.param == "fake":
        return FakeWorld()
    found: MotoWorld = request.getfixturevalue("real")
    return found


async def test_what_is_held_is_hidden_and_counted(world: World) -> None:
    """A letter that somebody holds is not given to others, and the depth says so; given back, it is there at once."""
    await world.outcomes.dead_letter(Message("{}", {}), FAILURE)
    assert await world.box.depth() == Depth(1, 0)

    held = await world.box.receive(10)

    assert await world.box.depth() == Depth(0, 1)
    assert list(await world.box.receive(10)) == []
    await world.box.give_back(held)
    assert await world.box.depth() == Depth(1, 0)


async def test_a_letter_goes_back_as_it_came(world: World) -> None:
    """Body and the sender's attributes reach the request queue; the reason stays behind."""
    sent = Message('{"text": "Zürich ✈"}', {"traceparent": "00-1", "colour": "red"})
    await world.outcomes.dead_letter(sent, FAILURE)
    [delivery] = await world.box.receive(10)
    assert delivery.message.attributes["jada-reason-code"] == "PLAN_FAULTED"

    await world.box.send(original_of(delivery.message), group="acme", once="o-1")
    await world.box.delete([delivery])

    assert await world.requests() == [sent]
    assert await world.box.depth() == Depth(0, 0)


async def test_attributes_that_gave_way_come_back(real: MotoWorld) -> None:
    """Ten attributes survive the way there, beside two of ours, and the way back."""
    sent = Message("{}", {f"name{number}": str(number) for number in range(10)})
    await real.outcomes.dead_letter(sent, FAILURE)
    [delivery] = await real.box.receive(10)
    assert len(delivery.message.attributes) == 10

    await real.box.send(original_of(delivery.message), group="acme", once="o-1")

    assert await real.requests() == [sent]


@pytest.mark.parametrize("others", ["{", "[]", '{"a": 1}'])
async def test_a_senders_own_attribute_of_that_name_stays(others: str) -> None:
    """What only looks like our bundle of attributes belongs to the sender."""
    message = Message("{}", {"jada-other-attributes": others, "jada-reason": "x"})
    assert original_of(message) == Message("{}", {"jada-other-attributes": others})


async def test_fifo_queues_get_a_group_and_a_new_deduplication_id(clients: AwsClients) -> None:
    """On FIFO queues a letter is sent on although the same body came minutes ago."""
    world = MotoWorld(clients, f"requests-{next(NAMES)}", suffix=".fifo")
    await world.create()
    message = Message('{"request_id": "a"}', {})
    await world.box.send(message, group="acme", once="first")
    await world.box.send(message, group="acme", once="redriven")
    assert await world.requests() == [message, message]


async def test_a_look_sees_more_than_one_batch(world: World) -> None:
    """Twenty-five letters are all seen, none twice, and all of them are there again afterwards."""
    for number in range(25):
        await world.outcomes.dead_letter(Message(f'{{"request_id": "r-{number}"}}', {}), FAILURE)
    async with dead_letters.looking(world.box, 100) as look:
        assert sorted(each.request_id for each in look.letters) == sorted(f"r-{number}" for number in range(25))
        assert look.partial == ""
    assert await world.box.depth() == Depth(25, 0)


async def test_a_queue_that_is_not_there_is_named(clients: AwsClients) -> None:
    """Asking after, reading from and sending to a missing queue end with its name."""
    world = MotoWorld(clients, "nowhere")
    for doing in (world.box.depth(), world.box.receive(1), world.box.send(Message("{}", {}), group="a", once="b")):
        with pytest.raises(QueueError, match="nowhere"):
            await doing
