"""The real daemon with a bucket: large inputs, outputs and an outcome by reference, and a kill in the middle."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import pytest
import pytest_asyncio
from aiobotocore.session import get_session as get_async_session
from botocore.session import get_session

from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mail import Mailbox, Post, open_post
from jada_orchestrator.sandbox.aws_local import LocalAws
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel
from jada_orchestrator.sandbox.stack import QueueNames, SandboxAgent, local_stack

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

HERE: Final = Path(__file__).parent / "local_aws"
README: Final = Path(__file__).parents[2] / "docs" / "messages" / "README.md"
AGENTS: Final = (
    SandboxAgent("maker", "lambda", "jada-maker", "bulky_agent:maker"),
    SandboxAgent("scales", "sqs", "jada-scales", "bulky_agent:scales"),
)
QUEUES: Final = QueueNames()
BUCKET: Final = "jada-payloads-daemon"
COUNT: Final = 1_500_000
"""Letters of two bytes: more than SQS carries, twice in one outcome, and less than a payload may have."""
CATALOGUE: Final = {
    "maker": """\
agent: maker
description: Makes letters.
transport: {kind: lambda, function: jada-maker, qualifier: live}
actions:
  maker.make:
    description: Makes so many letters.
    effect: read
    input: {type: object, required: [count], properties: {count: {type: integer}}, additionalProperties: false}
    output: {type: object, required: [letters], properties: {letters: {type: string}}}
    timeout: 60s
""",
    "scales": """\
agent: scales
description: Weighs letters.
transport: {kind: sqs, queue: jada-scales}
actions:
  scales.weigh:
    description: Weighs letters.
    effect: read
    input:
      type: object
      required: [letters, gate]
      properties: {letters: {type: string}, gate: {type: integer}}
      additionalProperties: false
    output:
      type: object
      required: [letters, bytes]
      properties: {letters: {type: string}, bytes: {type: integer}}
    timeout: 60s
""",
}


def plan(gate: int) -> str:
    """Make letters, and weigh them; both are the result."""

    def task(name: str, action: str, *args: tuple[str, str, str]) -> dict[str, Any]:
        written = [dict(zip(("name", "kind", "value"), arg, strict=True)) for arg in args]
        return {"id": name, "action": action, "after": [], "optional": False, "args": written}

    tasks = [
        task("make", "maker.make", ("count", "const", str(COUNT))),
        task("weigh", "scales.weigh", ("letters", "ref", "make.letters"), ("gate", "const", str(gate))),
    ]
    result = [{"name": name, "value": value} for name, value in RESULT.items()]
    return json.dumps({"outcome": "plan", "reason": "", "questions": [], "tasks": tasks, "result": result})


RESULT: Final = {"made": "make.letters", "weighed": "weigh.letters", "bytes": "weigh.bytes"}


@dataclass(slots=True)
class Gate:
    """Where the scales say that they have begun, and wait until they are let go on."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    async def pass_through(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let one call wait."""
        self.begun.set()
        await self.opened.wait()
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        """Listen on a port of this machine."""
        async with await asyncio.start_server(self.pass_through, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
            self.opened.set()


@dataclass(slots=True)
class Scene:
    """Everything around the daemon."""

    folder: Path
    aws: LocalAws
    model: ScriptedModel
    post: Post
    outcomes: Mailbox
    objects: Any

    def daemon(self) -> Daemon:
        """A daemon with the bucket, not started yet."""
        agents = self.folder / "agents"
        agents.mkdir(exist_ok=True)
        for name, text in CATALOGUE.items():
            (agents / f"{name}.yaml").write_text(text, "utf-8")
        environment = {
            **self.aws.environment,
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": "stand-in",
            "JADA_STORE": f"sqlite://{self.folder / 'journal.db'}",
            "JADA_CATALOGUE": str(agents),
            "JADA_REQUEST_QUEUE": QUEUES.requests,
            "JADA_DEAD_LETTER_QUEUE": QUEUES.dead_letter,
            "JADA_OUTCOME_QUEUE": QUEUES.outcomes,
            "JADA_REPLY_QUEUE": QUEUES.replies,
            "JADA_OFFLOAD__BUCKET": BUCKET,
            "JADA_FAST_INVOKE": "true",
        }
        return Daemon(self.folder, environment)

    async def keys(self) -> set[str]:
        """What lies in the bucket."""
        found = await self.objects.list_objects_v2(Bucket=BUCKET)
        return {each["Key"] for each in found.get("Contents", ())}

    async def data_of(self, event: dict[str, Any]) -> Any:
        """What a frontend reads by the way that docs/messages shows."""
        [snippet] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        namespace: dict[str, Any] = {}
        exec(snippet, namespace)  # noqa: S102 - it is our own page
        client = get_session().create_client("s3", **access(self.aws))
        try:
            return await asyncio.to_thread(namespace["data_of"], event, client)
        finally:
            await asyncio.to_thread(client.close)


def access(aws: LocalAws) -> dict[str, Any]:
    """What a client of the stand-in needs."""
    keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
    return {"region_name": "us-east-1", "endpoint_url": aws.endpoint, **keys}


@pytest_asyncio.fixture(loop_scope="module")
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The stand-in with both agents and the bucket, and the model."""
    creating: Any = get_async_session().create_client
    async with (
        ScriptedModel() as model,
        local_stack(tmp_path / "aws", AGENTS, queues=QUEUES, import_path=[HERE]) as aws,
        open_post(aws.environment) as post,
        post.mailbox(QUEUES.outcomes) as outcomes,
        creating("s3", **access(aws)) as objects,
    ):
        await objects.create_bucket(Bucket=BUCKET)
        yield Scene(tmp_path, aws, model, post, outcomes, objects)


async def test_a_kill_amid_large_payloads_costs_nothing(scene: Scene) -> None:
    """Killed while a worker has a large input, it takes the large answer when it is back, and tells it all once."""
    async with Gate().listening() as gate, scene.daemon() as daemon:
        scene.model.faults.order(Fault(FaultKind.TEXT, count=0, text=plan(gate.port)))
        await scene.post.send(QUEUES.requests, {"request_id": "large-1", "text": "Weigh many letters"})
        async with asyncio.timeout(60):
            await gate.begun.wait()
        before = await scene.keys()
        assert len(before) == 2, "the function's output, and the worker's input"
        await daemon.kill()
        gate.opened.set()
        await daemon.start()
        event = await scene.outcomes.outcome("large-1", within_s=100)

        assert event["data"]["status"] == "completed", event
        assert "omitted" in event["data"]["result"]
        whole = await scene.data_of(event)
        letters = "é" * COUNT
        assert whole["result"] == {"made": letters, "weighed": letters, "bytes": 2 * COUNT}
        assert {name: value for name, value in event["data"].items() if name not in {"result", "data_ref"}} == {
            name: value for name, value in whole.items() if name != "result"
        }
        kept = [key for key in await scene.keys() if key.startswith("jada/outcomes/")]
        assert kept == [event["data"]["data_ref"]["key"]]
        assert await daemon.stop() == 0
    assert len(scene.outcomes.about("large-1")) == 1
