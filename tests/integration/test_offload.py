"""Payloads that are too large for a message travel both ways through the bucket: real agents, real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from msgspec import structs

from jada_orchestrator.adapters.aws.clients import AwsClients, Connections, open_clients
from jada_orchestrator.adapters.aws.fast_invoke import FastInvoker
from jada_orchestrator.adapters.aws.lambda_functions import INVOKE_PAYLOAD_BYTES_MAX, LambdaFunctions
from jada_orchestrator.adapters.aws.payloads import S3Payloads
from jada_orchestrator.adapters.aws.queues import SqsSource
from jada_orchestrator.adapters.aws.referring import WholeReplies, made_whole
from jada_orchestrator.adapters.aws.sending import SqsSender
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.adapters.aws.worker_queues import SqsWorkers
from jada_orchestrator.adapters.host.clock import SystemClock
from jada_orchestrator.domain.catalogue import LambdaTransport, SqsTransport
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import Failed, Lost, Succeeded
from jada_orchestrator.domain.ids import ActionName, IdempotencyKey
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.queues import AgentReply
from jada_orchestrator.sandbox.stack import SandboxAgent, local_stack, replies_queue
from jada_orchestrator.service.doctor.bucket import check_bucket
from jada_orchestrator.service.settings import OffloadSettings
from jada_orchestrator.wire import replies, tasks
from tests.unit.wire.test_replies import CALL

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

HERE: Final = Path(__file__).parent / "local_aws"
AGENTS: Final = (
    SandboxAgent("toy", "lambda", "jada-toy", "toy_agent:app", timeout_s=20),
    SandboxAgent("worker", "sqs", "jada-toy-tasks", "toy_agent:app"),
)
BUCKET: Final = "jada-payloads-test"
OFFLOAD: Final = {"bucket": BUCKET, "prefix": "jada/"}
FUNCTION: Final = LambdaTransport("jada-toy", "live")
QUEUE: Final = SqsTransport("jada-toy-tasks")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AwsClients]:
    """Clients of a stand-in with the toy agent as a function and as a worker, and a bucket."""
    async with local_stack(tmp_path_factory.mktemp("aws"), AGENTS, import_path=[HERE]) as aws:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in aws.environment.items():
                patch.setenv(name, value)
            async with open_clients(Connections(functions=4, queues=8, objects=2)) as opened:
                await opened.objects.create_bucket(Bucket=BUCKET)
                yield opened


@pytest.fixture
def payloads(clients: AwsClients) -> S3Payloads:
    """The bucket as the daemon has it."""
    return S3Payloads(clients.objects, bucket=BUCKET, prefix="jada/", connections=2)


def call(key: str, letters: int, action: str = "toy.echo") -> AgentCall:
    """A call whose input has so many letters, all of which the toy agent says again."""
    now = SystemClock().now()
    return structs.replace(
        CALL,
        idempotency_key=IdempotencyKey(key),
        action=ActionName(action),
        input={"word": "é" * (letters // 2)},
        deadline=UtcMs(now + 60_000),
        timeout_ms=60_000,
    )


@pytest_asyncio.fixture(loop_scope="module", params=["client", "short way"])
async def fast(clients: AwsClients, request: pytest.FixtureRequest) -> AsyncIterator[FastInvoker | None]:
    """Each way to functions in turn: `fast_invoke` off and on."""
    if request.param == "client":
        yield None
        return
    invoker = FastInvoker(clients.functions, clients.session, connections=2)
    yield invoker
    await invoker.close()


def functions(clients: AwsClients, payloads: S3Payloads | None, fast: FastInvoker | None = None) -> LambdaFunctions:
    """Functions as the daemon calls them."""
    encode = partial(tasks.encode, reply_to=None, offload=OFFLOAD if payloads else None)
    return LambdaFunctions(
        clients.functions, connections=2, encode=encode, read=replies.read_payload, fast=fast, payloads=payloads
    )


@pytest.mark.parametrize(
    ("letters", "objects"),
    [(100, 0), (990_000, 0), (1_020_000, 1), (INVOKE_PAYLOAD_BYTES_MAX + 10, 2)],
    ids=["small", "just by value", "large answer", "large both ways"],
)
async def test_a_function_gets_and_gives_what_no_call_carries(
    clients: AwsClients, payloads: S3Payloads, fast: FastInvoker | None, letters: int, objects: int
) -> None:
    """What is above Lambda's limit, or ours for answers, goes by reference, nothing else does; all arrives whole."""
    await empty(clients)
    made = call(f"jk-lambda-{letters}-{fast is None}", letters)
    ended = await functions(clients, payloads, fast).call(FUNCTION, made)
    assert isinstance(ended.result, Succeeded), ended.result
    assert ended.result.output["word"] == made.input["word"]
    assert len(await keys(clients)) == objects


async def test_an_output_that_was_changed_on_the_short_way_is_unknown(
    clients: AwsClients, payloads: S3Payloads, fast: FastInvoker | None
) -> None:
    """The function did it, and what it answered is not there to the byte: nobody says that it failed, or succeeded."""
    spoilt = Spoilt(clients.objects, bucket=BUCKET, prefix="jada/", connections=2)
    ended = await functions(clients, spoilt, fast).call(FUNCTION, call("jk-spoilt", 1_020_000))
    assert isinstance(ended.result, Lost)
    assert ended.result.failure.code == "OUTPUT_ALTERED"


async def test_without_a_bucket_the_limit_and_the_setting_are_named(clients: AwsClients) -> None:
    """It is certainly not sent, will not be sent again, and the operator reads what to set."""
    ended = await functions(clients, None).call(FUNCTION, call("jk-none", INVOKE_PAYLOAD_BYTES_MAX + 10))
    assert isinstance(ended.result, Failed)
    assert (ended.result.failure.code, ended.result.retryable) == ("TOO_LARGE", False)
    assert str(INVOKE_PAYLOAD_BYTES_MAX) in ended.result.failure.message
    assert "JADA_OFFLOAD__BUCKET" in ended.result.failure.message


async def test_a_worker_gets_and_gives_what_no_message_carries(clients: AwsClients, payloads: S3Payloads) -> None:
    """The same through queues: the task refers to its input, and the reply to its output."""
    sqs = SqsService(clients.queues, polls=2, requests=4)
    sender = SqsSender(sqs)
    encode = partial(tasks.encode, reply_to=replies_queue(), offload=OFFLOAD)
    made = call("jk-queue", 2 * 1024 * 1024)
    assert await SqsWorkers(sender, encode=encode, payloads=payloads).send(QUEUE, made) is None
    source = WholeReplies(SqsSource(sqs, replies_queue(), clock=SystemClock()), payloads)
    async with asyncio.timeout(60):
        while not (received := await source.receive(1)):
            pass
    reply = replies.parse(received[0].message.body)
    assert isinstance(reply, AgentReply)
    assert isinstance(reply.result, Succeeded), reply.result
    assert reply.result.output["word"] == made.input["word"]
    await source.delete(received)
    await sender.close()


async def test_without_a_bucket_a_worker_is_sent_nothing(clients: AwsClients) -> None:
    """The same error as for a function, with the limit of a message."""
    sender = SqsSender(SqsService(clients.queues, polls=2, requests=4))
    workers = SqsWorkers(sender, encode=partial(tasks.encode, reply_to=replies_queue()))
    ended = await workers.send(QUEUE, call("jk-none", 2 * 1024 * 1024))
    assert ended is not None
    assert isinstance(ended.result, Failed)
    assert (ended.result.failure.code, "JADA_OFFLOAD__BUCKET" in ended.result.failure.message) == ("TOO_LARGE", True)
    await sender.close()


async def test_an_input_that_was_changed_in_the_bucket_is_refused(clients: AwsClients, payloads: S3Payloads) -> None:
    """The agent looks at the digest before it does anything, and answers with the code."""
    made = call("jk-altered", INVOKE_PAYLOAD_BYTES_MAX + 20)
    ref = await payloads.put(made.input)
    await clients.objects.put_object(Bucket=BUCKET, Key=ref.key, Body=b'{"word": "another"}')
    text = tasks.encode(made, ref, reply_to=None, offload=OFFLOAD)
    answer: Any = await clients.functions.invoke(FunctionName="jada-toy", Qualifier="live", Payload=text.encode())
    reply = json.loads(await answer["Payload"].read())
    assert (reply["status"], reply["error"]["code"]) == ("failed", "PAYLOAD_ALTERED")


async def test_an_output_that_has_gone_from_the_bucket_is_unknown(clients: AwsClients, payloads: S3Payloads) -> None:
    """The agent did it: nobody says that it failed."""
    made = call("jk-gone", 1_020_000)
    text = tasks.encode(made, reply_to=None, offload=OFFLOAD)
    answer: Any = await clients.functions.invoke(FunctionName="jada-toy", Qualifier="live", Payload=text.encode())
    reply = await answer["Payload"].read()
    ref = json.loads(reply)["output_ref"]
    await clients.objects.delete_object(Bucket=BUCKET, Key=ref["key"])
    whole = await made_whole(reply.decode(), payloads)
    result = replies.read_payload(whole.encode(), made).result
    assert isinstance(result, Lost)
    assert result.failure.code == "OUTPUT_MISSING"


async def test_the_doctor_looks_at_the_bucket(clients: AwsClients) -> None:
    """It says whether the bucket is there, and whether it forgets, in time and not too soon."""

    async def codes(bucket: str = BUCKET) -> list[tuple[str, str]]:
        found = await check_bucket(clients.objects, OffloadSettings(bucket=bucket))
        return [(each.verdict, each.code) for each in found]

    async def expire(days: int, prefix: str) -> None:
        rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": days}}
        await clients.objects.put_bucket_lifecycle_configuration(
            Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]}
        )

    assert await codes("") == []
    assert await codes("not-there") == [("failure", "BUCKET_MISSING")]
    assert await codes() == [("ok", "BUCKET"), ("warning", "BUCKET_REMEMBERS")]
    await expire(30, "elsewhere/")
    assert await codes() == [("ok", "BUCKET"), ("warning", "BUCKET_REMEMBERS")]
    await expire(3, "jada/")
    assert await codes() == [("ok", "BUCKET"), ("warning", "BUCKET_FORGETS")]
    await expire(30, "")
    assert await codes() == [("ok", "BUCKET"), ("ok", "BUCKET_RULES")]


class Spoilt(S3Payloads):
    """The bucket when somebody writes over everything just before it is read."""

    async def get(self, ref: PayloadRef) -> JsonObject:
        """Return what lies there after it was changed."""
        client: Any = self._client
        await client.put_object(Bucket=ref.bucket, Key=ref.key, Body=b"{}")
        return await super().get(ref)


async def empty(clients: AwsClients) -> None:
    """Remove what lies in the bucket."""
    for key in await keys(clients):
        await clients.objects.delete_object(Bucket=BUCKET, Key=key)


async def keys(clients: AwsClients) -> list[str]:
    """What lies in the bucket."""
    found = await clients.objects.list_objects_v2(Bucket=BUCKET)
    return sorted(each["Key"] for each in found.get("Contents", ()))
