"""An outcome larger than a message, by queue and bucket: the fakes, and the real clients against the stand-in."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
import pytest_asyncio
from botocore.session import get_session

from jada_orchestrator.adapters.aws.clients import AwsClients, Connections, open_clients
from jada_orchestrator.adapters.aws.payloads import S3Payloads
from jada_orchestrator.adapters.aws.queues import SqsOutcomes, SqsSource
from jada_orchestrator.adapters.aws.sending import SqsSender
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.adapters.host.clock import SystemClock
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import OUTCOME_BYTES_MAX
from jada_orchestrator.ports.payloads import PayloadStore
from jada_orchestrator.ports.queues import OutcomeMessage, OutcomeSink
from jada_orchestrator.runtime.outcome_text import outcome_text
from jada_orchestrator.sandbox.aws_local import LocalAws
from jada_orchestrator.testing.aws import FakeQueues
from jada_orchestrator.testing.payloads import MemoryPayloads
from jada_orchestrator.wire import outcomes
from jada_orchestrator.wire.models import OutcomeModel

pytestmark = pytest.mark.asyncio(loop_scope="module")

README: Final = Path(__file__).parents[2] / "docs" / "messages" / "README.md"
BUCKET: Final = "jada-payloads"
QUEUE: Final = "outcomes"
TRACE: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CONTENT: Final[dict[str, Any]] = {
    "request_id": "web-1",
    "workflow_id": "wf-1",
    "tenant": "acme",
    "status": "needs_attention",
    "result": {"offers": ["Évora 🛫 \uffff"] * 100_000},
    "error": {
        "code": "SOLD_OUT",
        "message": "no seat is left",
        "standing": [
            {
                "task_id": "hold",
                "action": "flights.hold",
                "certain": True,
                "output": {"letters": "ß" * 500_000},
                "reason": {"code": "IRREVERSIBLE", "message": "nothing undoes it"},
            }
        ],
    },
    "questions": [],
    "tasks": [{"id": "hold", "action": "flights.hold", "status": "failed", "attempts": 1}],
    "cost": {"usd": "0.01", "input_tokens": 1, "output_tokens": 2, "cache_read_tokens": 0, "cache_write_tokens": 0},
    "plan_revision": 1,
    "model": "claude-sonnet-4-6",
}


class Place(Protocol):
    """A queue and a bucket, as the daemon has them and as a frontend does."""

    outcomes: OutcomeSink
    payloads: PayloadStore

    async def received(self) -> str: ...

    async def objects(self) -> dict[str, bytes]: ...


class MemoryPlace:
    """The fakes."""

    def __init__(self) -> None:
        self.queues = FakeQueues(SystemClock())
        self.queues.create(QUEUE)
        self.memory = MemoryPayloads(BUCKET)
        self.payloads: PayloadStore = self.memory
        self.outcomes: OutcomeSink = self.queues.outcomes("dead-letters")

    async def received(self) -> str:
        """The next message of the queue, deleted."""
        source = self.queues.source(QUEUE)
        deliveries = await source.receive(1)
        await source.delete(deliveries)
        return deliveries[0].message.body

    async def objects(self) -> dict[str, bytes]:
        """Everything in the bucket."""
        return dict(self.memory.objects)


class StandIn:
    """The real clients."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients
        sqs = SqsService(clients.queues, polls=2, requests=4)
        self._source = SqsSource(sqs, QUEUE, clock=SystemClock())
        self.outcomes: OutcomeSink = SqsOutcomes(SqsSender(sqs), dead_letter_queue="dead-letters")
        self.payloads: PayloadStore = S3Payloads(clients.objects, bucket=BUCKET, prefix="jada/", connections=2)

    async def received(self) -> str:
        """The next message of the queue, deleted."""
        async with asyncio.timeout(60):
            while not (deliveries := await self._source.receive(1)):
                pass
        await self._source.delete(deliveries)
        return deliveries[0].message.body

    async def objects(self) -> dict[str, bytes]:
        """Everything in the bucket, as a frontend reads it."""
        found: Any = await self._clients.objects.list_objects_v2(Bucket=BUCKET)
        read = {}
        for key in [each["Key"] for each in found.get("Contents", ())]:
            answer: Any = await self._clients.objects.get_object(Bucket=BUCKET, Key=key)
            read[key] = await answer["Body"].read()
        return read


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aws(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAws]:
    """A stand-in with a queue."""
    async with LocalAws(tmp_path_factory.mktemp("aws")) as started:
        await started.create_queue(QUEUE)
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(aws: LocalAws) -> AsyncIterator[AwsClients]:
    """Clients of the stand-in, with a bucket in it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        async with open_clients(Connections(functions=1, queues=6, objects=2)) as opened:
            await opened.objects.create_bucket(Bucket=BUCKET)
            yield opened


@pytest.fixture(params=["memory", "stand-in"])
def place(request: pytest.FixtureRequest, clients: AwsClients) -> Place:
    """Each kind in turn."""
    return MemoryPlace() if request.param == "memory" else StandIn(clients)


async def publish(place: Place) -> dict[str, Any]:
    """Publish the outcome, and return the event that the frontend receives."""
    encode = outcomes.encode
    write = partial(encode, "wf-1.1", "needs_attention", UtcMs(1_900_000_000_000), source="jada-orchestrator")
    text = await outcome_text(CONTENT, write, place.payloads, partial(pytest.fail, "nothing is left out"))
    await place.outcomes.publish(OutcomeMessage(QUEUE, text, TRACE, "acme"))
    received = await place.received()
    assert len(received.encode()) <= OUTCOME_BYTES_MAX
    event: dict[str, Any] = json.loads(received)
    OutcomeModel.model_validate(event)
    return event


async def test_the_frontend_reads_the_whole_where_the_outcome_says(place: Place) -> None:
    """The object is to the byte what the reference says, and is the whole content; the event has all its fields."""
    event = await publish(place)
    assert event["data"].keys() == {*CONTENT, "data_ref"}
    assert event["data"]["error"]["standing"][0]["output"] is None
    ref = event["data"]["data_ref"]
    assert (ref["bucket"], ref["key"]) == (BUCKET, f"jada/outcomes/{ref['sha256']}.json")
    body = (await place.objects())[ref["key"]]
    assert (len(body), hashlib.sha256(body).hexdigest()) == (ref["bytes"], ref["sha256"])
    assert json.loads(body) == CONTENT


async def test_the_documented_way_to_read_it_reads_it(aws: LocalAws, clients: AwsClients) -> None:
    """What docs/messages shows to frontend authors gives the whole of a large outcome; a small one stays as it is."""
    [snippet] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(snippet, namespace)  # noqa: S102 - it is our own page
    event = await publish(StandIn(clients))
    client = get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )
    assert await asyncio.to_thread(namespace["data_of"], event, client) == CONTENT
    assert namespace["data_of"]({"data": {"result": None}}, client) == {"result": None}
    event["data"]["data_ref"]["sha256"] = "0" * 64
    with pytest.raises(ValueError, match="is not what the outcome says"):
        await asyncio.to_thread(namespace["data_of"], event, client)
    await asyncio.to_thread(client.close)


async def test_published_again_it_is_the_same_event_and_the_same_object(place: Place) -> None:
    """A frontend that has seen the id has seen it all: there is never a second object for it."""
    assert await publish(place) == await publish(place)
    assert len(await place.objects()) == 1
