"""The local AWS stand-in really runs functions and workers, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiobotocore.session import get_session

from jada_orchestrator.sandbox.aws_local import LocalAws, SandboxUnavailable
from jada_orchestrator.sandbox.stack import QueueNames, SandboxAgent, local_stack, replies_queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from types_aiobotocore_sqs import SQSClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = Path(__file__).parent / "local_aws"
AGENTS = (
    SandboxAgent("toy", "lambda", "jada-toy", "toy_agent:app", timeout_s=10),
    SandboxAgent("impatient", "lambda", "jada-impatient", "toy_agent:app", timeout_s=1),
    SandboxAgent("worker", "sqs", "jada-toy-tasks", "toy_agent:app"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aws(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAws]:
    """A stack with the toy agent as two functions and a worker, for all tests of this file."""
    folder = tmp_path_factory.mktemp("aws")
    variables = {"JADA_SANDBOX_INVENTORY": "/somewhere/inventory.db"}
    async with local_stack(folder, AGENTS, variables=variables, import_path=[HERE]) as stack:
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sqs(aws: LocalAws) -> AsyncIterator[SQSClient]:
    """A client that knows the stand-in by the environment alone, as every other program does."""
    environment = aws.environment
    async with get_session().create_client(
        "sqs",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    ) as client:
        yield client


def a_task(action: str, **fields: object) -> dict[str, object]:
    """A task for the toy agent."""
    return {
        "schema": "jada.task/1",
        "workflow_id": "wf-1",
        "request_id": "req-1",
        "task_id": "toy",
        "attempt": 1,
        "idempotency_key": "jk-1",
        "action": action,
        "input": {},
        **fields,
    }


async def received(sqs: SQSClient, queue: str) -> dict[str, Any]:
    """The next message of a queue, taken out of it."""
    url = (await sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    answer = await sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, MessageAttributeNames=["All"])
    [message] = answer.get("Messages", [])
    await sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return dict(message)


async def sent(sqs: SQSClient, queue: str, body: str) -> None:
    """Puts a message into a queue."""
    url = (await sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    await sqs.send_message(QueueUrl=url, MessageBody=body)


async def test_a_function_is_really_executed(aws: LocalAws) -> None:
    """An Invoke of the live alias runs the agent in a process of its own, with the variables of the stack."""
    reply, broken = await aws.invoke("jada-toy", a_task("toy.echo", input={"word": "olá"}))
    assert broken is None
    assert reply["status"] == "succeeded"
    assert reply["output"]["word"] == "olá"
    assert reply["output"]["inventory"] == "/somewhere/inventory.db"
    assert reply["output"]["pid"] != os.getpid()


async def test_a_refusal_is_a_reply(aws: LocalAws) -> None:
    """An AgentError is an ordinary answer, not a broken function."""
    reply, broken = await aws.invoke("jada-toy", a_task("toy.refuse"))
    assert (broken, reply["error"]["code"]) == (None, "SOLD_OUT")


async def test_a_crash_is_a_function_error(aws: LocalAws) -> None:
    """An uncaught exception is reported as Lambda does, and the function works again afterwards."""
    payload, broken = await aws.invoke("jada-toy", a_task("toy.crash"))
    assert broken == "Unhandled"
    assert "broken on purpose" in payload["errorMessage"]
    reply, broken = await aws.invoke("jada-toy", a_task("toy.echo", input={"word": "again"}))
    assert (broken, reply["status"]) == (None, "succeeded")


async def test_a_function_has_a_time_limit(aws: LocalAws) -> None:
    """A function that hangs is stopped at its timeout and reported as broken."""
    payload, broken = await aws.invoke("jada-impatient", a_task("toy.hang"))
    assert broken == "Unhandled"
    assert "timed out" in payload["errorMessage"]


async def test_calls_at_once_run_at_once(aws: LocalAws) -> None:
    """Concurrent calls each have a process, as on Lambda."""
    calls = [aws.invoke("jada-toy", a_task("toy.echo", input={"word": str(n)})) for n in range(4)]
    replies = [reply for reply, _ in await asyncio.gather(*calls)]
    assert sorted(reply["output"]["word"] for reply in replies) == ["0", "1", "2", "3"]


async def test_functions_do_not_pay_for_botocore(aws: LocalAws) -> None:
    """The stand-in's own bootstrap does not load botocore into every function; a function that wants it gets it."""
    reply, _ = await aws.invoke("jada-toy", a_task("toy.botocore"))
    assert reply["output"] == {"before": False, "can": True}


async def test_a_worker_answers(aws: LocalAws, sqs: SQSClient) -> None:
    """A task on the agent's queue is answered on the queue that it names."""
    task = a_task("toy.echo", input={"word": "hello"}, reply_to=replies_queue())
    await sent(sqs, "jada-toy-tasks", json.dumps(task))
    message = await received(sqs, replies_queue())
    reply = json.loads(message["Body"])
    assert (reply["status"], reply["output"]["word"]) == ("succeeded", "hello")
    assert message["MessageAttributes"]["jada-task-id"]["StringValue"] == "toy"


async def test_what_is_received_too_often_is_moved(aws: LocalAws, sqs: SQSClient) -> None:
    """A message that is given back again and again goes whole to the dead-letter queue."""
    await aws.create_queue("jada-strict", dead_letter="jada-strict-dlq", receives_max=1, visibility_s=1)
    await sent(sqs, "jada-strict", "not JSON")
    url = (await sqs.get_queue_url(QueueName="jada-strict"))["QueueUrl"]
    first = await sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)
    assert [message["Body"] for message in first["Messages"]] == ["not JSON"]
    assert (await sqs.receive_message(QueueUrl=url)).get("Messages", []) == []
    assert (await received(sqs, "jada-strict-dlq"))["Body"] == "not JSON"


async def test_the_orchestrators_queues_are_there(aws: LocalAws, sqs: SQSClient) -> None:
    """Requests, their dead letters, outcomes, replies, and a dead-letter queue for each worker's."""
    names = QueueNames()
    wanted = {names.requests, names.dead_letter, names.outcomes, names.replies, "jada-toy-tasks", "jada-toy-tasks-dlq"}
    urls = (await sqs.list_queues())["QueueUrls"]
    assert wanted <= {url.rsplit("/", 1)[1] for url in urls}


async def test_a_process_that_dies_is_noticed(tmp_path: Path) -> None:
    """Whoever watches hears which process ended by itself; leaving the context afterwards is in order."""
    async with LocalAws(tmp_path) as aws:
        dying = asyncio.create_task(aws.processes.died())
        os.kill(aws.processes.pids()["ministack"], signal.SIGKILL)
        assert "ministack ended with status -9" in await dying


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """A stand-in that cannot start says why, and leaves nothing running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxUnavailable, match="already in use"):
            async with LocalAws(tmp_path, port=port):
                pytest.fail("two servers on one port")


async def test_a_killed_parent_leaves_no_process(tmp_path: Path) -> None:
    """After a kill -9 of the parent, stand-in, worker and a function in the middle of a call are all gone."""
    program = (sys.executable, str(HERE / "orphan.py"), str(tmp_path))
    parent = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pids = json.loads(await parent.stdout.readline())
    watched = [os.pidfd_open(pid) for pid in pids]
    parent.kill()
    await parent.wait()
    assert len(pids) >= 4, "supervisor, stand-in, worker and function"
    try:
        for descriptor in watched:
            readable, _, _ = await asyncio.to_thread(select.select, [descriptor], [], [], 10)
            assert readable, "a process outlived its parent"
    finally:
        for descriptor in watched:
            os.close(descriptor)
