"""Tasks through real HTTP: our adapters, journal and all, beside bare aiobotocore against the same null server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from msgspec import structs

from jada_orchestrator.adapters.aws.clients import AwsClients, Connections, open_clients
from jada_orchestrator.adapters.aws.fast_invoke import FastInvoker
from jada_orchestrator.adapters.aws.fast_queues import FastQueues
from jada_orchestrator.adapters.aws.lambda_functions import LambdaFunctions
from jada_orchestrator.adapters.aws.queues import SqsSource
from jada_orchestrator.adapters.aws.sending import SqsSender
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.adapters.aws.worker_queues import SqsWorkers
from jada_orchestrator.adapters.host.clock import SystemClock
from jada_orchestrator.bench.booking import TASKS, WIDE_TASKS, bench_catalogue, bench_proposal, wide_proposal
from jada_orchestrator.bench.figures import Figure, Timed, median
from jada_orchestrator.bench.null_aws import REPLIES, null_aws
from jada_orchestrator.bench.stage import Setting, Stage, new_folder, open_stage
from jada_orchestrator.domain.catalogue import LambdaTransport
from jada_orchestrator.domain.ids import ActionName, IdempotencyKey, WorkflowId
from jada_orchestrator.ports.agents import FunctionCaller
from jada_orchestrator.testing.calls import CALL
from jada_orchestrator.wire import replies, tasks

CONNECTIONS: Final = 200
QUEUE_CONNECTIONS: Final = 32
_POLLS: Final = 8

ONE_CALL: Final = structs.replace(
    CALL,
    workflow_id=WorkflowId("wf-00000000000000000000000000"),
    idempotency_key=IdempotencyKey("jk-00000000000000000000000000"),
    action=ActionName("trips.search"),
    input={"city": "Lisbon", "note": "n" * 420},
    timeout_ms=60_000,
)


async def _gathered(count: int, at_once: int, call: Callable[[], Coroutine[Any, Any, object]]) -> Timed:
    """Make so many calls, `at_once` under way at any time."""

    async def some(number: int) -> None:
        for _ in range(number, count, at_once):
            await call()

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(some(number) for number in range(at_once)))
    return Timed(time.perf_counter() - began, time.process_time() - cpu)


async def bare_invokes(count: int, at_once: int) -> Timed:
    """Make so many Invokes with nothing but aiobotocore and its own defaults."""
    config = AioConfig(max_pool_connections=at_once)
    body = tasks.encode(ONE_CALL, reply_to=None).encode()
    client_of: Any = get_session().create_client
    async with client_of("lambda", region_name="us-east-1", config=config) as client:

        async def call() -> None:
            answer = await client.invoke(FunctionName="null", Payload=body)
            async with answer["Payload"] as stream:
                await stream.read()

        await call()
        return await _gathered(count, at_once, call)


async def bare_sends(count: int, at_once: int) -> Timed:
    """Send so many messages one by one with nothing but aiobotocore."""
    config = AioConfig(max_pool_connections=at_once)
    body = tasks.encode(ONE_CALL, reply_to=None)
    client_of: Any = get_session().create_client
    async with client_of("sqs", region_name="us-east-1", config=config) as client:
        url = (await client.get_queue_url(QueueName="nobody-reads"))["QueueUrl"]
        return await _gathered(count, at_once, partial(client.send_message, QueueUrl=url, MessageBody=body))


def functions_of(clients: AwsClients, connections: int = CONNECTIONS) -> FunctionCaller:
    """Return the production adapter, wired as the daemon wires it; close it."""
    return LambdaFunctions(
        clients.functions,
        connections=connections,
        encode=partial(tasks.encode, reply_to=None),
        read=replies.read_payload,
        fast=FastInvoker(clients.functions, clients.session, connections=connections),
    )


@asynccontextmanager
async def _closing(functions: FunctionCaller) -> AsyncIterator[FunctionCaller]:
    try:
        yield functions
    finally:
        await functions.close()


@asynccontextmanager
async def _clients() -> AsyncIterator[AwsClients]:
    async with open_clients(Connections(CONNECTIONS, QUEUE_CONNECTIONS)) as clients:
        yield clients


async def _timed(stage: Stage, bookings: int) -> Timed:
    """Run so many bookings after a first one, which finds out what is found out once; so do the floors."""
    await stage.completed(1)
    began, cpu = time.perf_counter(), time.process_time()
    stage.requests.add(bookings)
    await stage.completed(1 + bookings)
    return Timed(stage.outcomes.at - began, time.process_time() - cpu)


async def invokes_through_all(folder: Path, bookings: int, at_once: int) -> Timed:
    """Run bookings whose agents are functions behind HTTP."""
    setting = Setting(bench_catalogue(), bench_proposal(), 1, at_once, calls_at_once=CONNECTIONS)
    async with (
        _clients() as clients,
        _closing(functions_of(clients)) as functions,
        open_stage(new_folder(folder), setting, functions=functions) as stage,
    ):
        return await _timed(stage, bookings)


async def sends_through_all(folder: Path, bookings: int, at_once: int) -> Timed:
    """Run bookings whose agents are workers on queues: sends, replies and deletes behind HTTP."""
    setting = Setting(bench_catalogue(sqs=True), bench_proposal(), 1, at_once)
    async with _clients() as clients:
        fast = FastQueues(clients.queues, clients.session, connections=QUEUE_CONNECTIONS)
        service = SqsService(clients.queues, polls=_POLLS, requests=QUEUE_CONNECTIONS - _POLLS, fast=fast)
        sender = SqsSender(service)
        workers = SqsWorkers(sender, encode=partial(tasks.encode, reply_to=REPLIES))
        source = SqsSource(service, REPLIES, clock=SystemClock())
        async with open_stage(
            new_folder(folder), setting, workers=workers, replies=source, parse_reply=replies.parse
        ) as stage:
            timed = await _timed(stage, bookings)
        await sender.close()
        await fast.close()
    return timed


async def through_http(folder: Path, bookings: int, at_once: int, runs: int) -> list[Figure]:
    """Measure tasks a second through Lambda and through SQS."""
    count = bookings * TASKS
    async with null_aws():
        bare, ours, bare_sqs, ours_sqs = [], [], [], []
        for _ in range(runs):
            bare.append(await bare_invokes(count, CONNECTIONS))
            ours.append(await invokes_through_all(folder, bookings, at_once))
            bare_sqs.append(await bare_sends(count, QUEUE_CONNECTIONS))
            ours_sqs.append(await sends_through_all(folder, bookings, at_once))
    rows: list[tuple[str, list[Timed], str, list[Timed], float, str]] = [
        (
            "tasks through Lambda's HTTP, all included",
            ours,
            "gathered Invokes of bare aiobotocore",
            bare,
            2.5,
            "the engine and its store, six tenths; then the adapter: the socket and the loop around it, two hashes",
        ),
        (
            "tasks through SQS's HTTP, all included",
            ours_sqs,
            "one-by-one sends of bare aiobotocore",
            bare_sqs,
            3.0,
            "the engine and its store, two thirds; three requests for ten tasks a tenth; then writing and reading",
        ),
    ]
    return [
        Figure(
            measure=measure,
            unit="/s",
            value=median([count / timed.wall_s for timed in timings]),
            better="more",
            floor_name=floor_name,
            floor=median([count / timed.wall_s for timed in floor_timings]),
            target=target,
            runs=runs,
            cpu_us=median([timed.cpu_s / count * 1e6 for timed in timings]),
            floor_cpu_us=median([timed.cpu_s / count * 1e6 for timed in floor_timings]),
            limited_by=limited_by,
        )
        for measure, timings, floor_name, floor_timings, target, limited_by in rows
    ]


async def one_call(count: int, runs: int) -> Figure:
    """Measure one Invoke by our adapter alone beside bare aiobotocore's: what the way of calling costs."""
    bare, ours = [], []
    async with null_aws(), _clients() as clients, _closing(functions_of(clients)) as functions:
        target = LambdaTransport("null")
        await functions.call(target, ONE_CALL)
        for _ in range(runs):
            bare.append(await bare_invokes(count, CONNECTIONS))
            ours.append(await _gathered(count, CONNECTIONS, partial(functions.call, target, ONE_CALL)))
    return Figure(
        measure="Invoke by our adapter alone",
        unit="/s",
        value=median([count / timed.wall_s for timed in ours]),
        better="more",
        floor_name="gathered Invokes of bare aiobotocore",
        floor=median([count / timed.wall_s for timed in bare]),
        target=3.0,
        runs=runs,
        cpu_us=median([timed.cpu_s / count * 1e6 for timed in ours]),
        floor_cpu_us=median([timed.cpu_s / count * 1e6 for timed in bare]),
        limited_by=(
            "the socket and the loop around it take half, the pool of connections 7 %, the signature's hashes 8 %, "
            "reading the answer, its head and its body, a tenth; the rest is thirty calls of Python"
        ),
    )


async def fan_out(folder: Path, width: int, runs: int) -> Figure:
    """Measure `width` calls at once through the whole orchestrator beside the same calls gathered."""
    bookings = -(-width // WIDE_TASKS)
    setting = Setting(bench_catalogue(), wide_proposal(), bookings, bookings)
    ours, floors = [], []
    async with null_aws(), _clients() as clients, _closing(functions_of(clients)) as functions:
        target = LambdaTransport("null")
        for _ in range(runs):
            count = bookings * WIDE_TASKS
            floors.append(await _gathered(count, count, partial(functions.call, target, ONE_CALL)))
            async with open_stage(new_folder(folder), setting, functions=functions) as stage:
                began, cpu = time.perf_counter(), time.process_time()
                await stage.completed(bookings)
                ours.append(Timed(stage.outcomes.at - began, time.process_time() - cpu))
    return Figure(
        measure=f"{bookings * WIDE_TASKS:,}-wide fan-out, {bookings} plans of {WIDE_TASKS}, request to outcome",
        unit="ms",
        value=median([timed.wall_s for timed in ours]) * 1e3,
        better="less",
        floor_name="the same calls gathered",
        floor=median([timed.wall_s for timed in floors]) * 1e3,
        target=4.0,
        runs=runs,
        cpu_us=median([timed.cpu_s for timed in ours]) * 1e6,
        floor_cpu_us=median([timed.cpu_s for timed in floors]) * 1e6,
        limited_by="the calls themselves, then compiling the plans and the engine",
    )
