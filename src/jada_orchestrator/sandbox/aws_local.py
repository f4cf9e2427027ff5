"""A local AWS stand-in: SQS queues and Lambda functions that are really executed, without an account or Docker.

The service is ministack, a process of its own on a loopback port; this module starts it, and gives it queues, functions
and workers. It is a stand-in: it keeps everything in memory, knows no permissions, and its limits are not all those of
AWS.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import os
import shutil
import signal
import socket
import sys
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from jada_orchestrator.sandbox.processes import Processes, ProcessFailed

if TYPE_CHECKING:
    from types_aiobotocore_lambda import LambdaClient
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.literals import QueueAttributeNameType

REGION: Final = "us-east-1"
_ROLE: Final = "arn:aws:iam::000000000000:role/jada-sandbox"
_START_S_MAX: Final = 30.0
_POLL_S: Final = 0.05
SERVICES: Final = "sqs,lambda,iam,sts,ssm,s3"
_FOREIGN: Final = ("AWS_", "ANTHROPIC_", "JADA_")  # Keys and settings of the developer's shell stay out of the sandbox.

_HANDLER: Final = '''\
"""Written by the sandbox: the function's code is where the sandbox itself is installed."""

import importlib
import pathlib
import sys

# The stand-in's bootstrap imports botocore, for a feature that nobody uses here, at 15 MiB a process; the file beside
# this one refused that. It has done its work: whoever wants botocore now gets the real one.
pathlib.Path(__file__).with_name("botocore.py").unlink(missing_ok=True)
importlib.invalidate_caches()

agent = importlib.import_module({module!r}).{attribute}


def handler(event, context):
    """Calls the agent and ends the log of the call as Lambda does: the stand-in would wait 50 ms for a line of it."""
    try:
        return agent.lambda_handler(event, context)
    finally:
        sys.stderr.write("END RequestId: " + context.aws_request_id + "\\n")
        sys.stderr.flush()
'''
_NO_BOTOCORE: Final = 'raise ImportError("not for the bootstrap of the stand-in")\n'


class SandboxUnavailable(Exception):
    """Raised when the local stand-in cannot run here; the text says what to install or which log to read."""


@dataclass(frozen=True, slots=True)
class WorkerTarget:
    """An agent (`module:app`) and the queue that it works on."""

    app: str
    queue: str


class LocalAws:
    """The stand-in as an asynchronous context: inside it runs, after it everything is gone.

    `folder` takes logs and temporary files; `variables` are set for every function and worker; `import_path` is
    searched for the agents' modules besides what is installed. Without `port` a free one is taken. `grace_s` is how
    long workers may finish what they do at the end.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        variables: Mapping[str, str] | None = None,
        import_path: Sequence[Path] = (),
        grace_s: float = 5.0,
        services: str = SERVICES,
    ) -> None:
        self._folder = folder
        self._services = services
        self._port = port
        self._variables = dict(variables or {})
        self._import_path = import_path
        self._grace_s = grace_s
        self._processes = Processes(folder, grace_s=grace_s)
        self._workers: list[str] = []
        self._exits = AsyncExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """What a client of the stand-in needs in its environment; the credentials are as made up as the account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
        }

    @property
    def endpoint(self) -> str:
        """The stand-in's URL."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def processes(self) -> Processes:
        """The processes behind it: their pids, and `died()` for whoever wants to know when one ends by itself."""
        return self._processes

    async def __aenter__(self) -> Self:
        """Starts the stand-in and waits until it answers. Raises `SandboxUnavailable`."""
        if importlib.util.find_spec("ministack") is None:
            raise SandboxUnavailable("the sandbox needs its extra: pip install 'jada-orchestrator[sandbox]'")
        try:
            await self._exits.enter_async_context(self._processes)
            await self._start_ministack()
            await self._open_clients()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every process: workers first, which finish what runs, for at most the grace."""
        try:
            async with asyncio.timeout(self._grace_s):
                running = self._processes.pids()
                await asyncio.gather(*(self._processes.stop(name) for name in self._workers if name in running))
        except TimeoutError:
            pass  # They have had their time; what is left is killed below.
        finally:
            if "ministack" in self._processes.pids():
                # Nothing of it is kept, so there is nothing to be saved in good order.
                await self._processes.stop("ministack", number=signal.SIGKILL)
            await self._exits.aclose()
        shutil.rmtree(self._folder / "tmp", ignore_errors=True)

    async def create_queue(
        self, name: str, *, dead_letter: str | None = None, receives_max: int = 3, visibility_s: int = 30
    ) -> str:
        """Creates a queue and returns its URL; with `dead_letter` that queue too, for what is received too often."""
        attributes: dict[QueueAttributeNameType, str] = {"VisibilityTimeout": str(visibility_s)}
        if dead_letter is not None:
            url = await self.create_queue(dead_letter)
            answer = await self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
            policy = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": receives_max}
            attributes["RedrivePolicy"] = json.dumps(policy)
        return (await self._sqs.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]

    async def deploy_function(
        self,
        name: str,
        app: str,
        *,
        qualifier: str | None = "live",
        timeout_s: int = 30,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Creates a Lambda function whose handler is `lambda_handler` of the agent at `module:app`."""
        module, _, attribute = app.partition(":")
        await self._lambda.create_function(
            FunctionName=name,
            Runtime="python3.12",  # A label: the stand-in runs the interpreter that it was started with.
            Role=_ROLE,
            Handler="handler.handler",
            Code={"ZipFile": _zipped(_HANDLER.format(module=module, attribute=attribute))},
            Timeout=timeout_s,
            Environment={"Variables": {**self._variables, **(variables or {})}},
        )
        if qualifier is not None:
            version = await self._lambda.publish_version(FunctionName=name)
            await self._lambda.create_alias(FunctionName=name, Name=qualifier, FunctionVersion=version["Version"])

    async def warm(self, name: str, *, qualifier: str | None = "live", at_once: int = 1) -> None:
        """Starts so many of a function's processes, by calls without effect (the agent refuses them as no tasks)."""
        await asyncio.gather(*(self.invoke(name, {}, qualifier=qualifier) for _ in range(at_once)))

    async def invoke(
        self, name: str, payload: Mapping[str, object], *, qualifier: str | None = "live"
    ) -> tuple[Any, str | None]:
        """Calls a function and returns its payload and, when it broke, `FunctionError`; for trying things out."""
        function = name if qualifier is None else f"{name}:{qualifier}"
        answer = await self._lambda.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        return json.loads(await answer["Payload"].read()), answer.get("FunctionError")

    async def start_worker(
        self, name: str, targets: Sequence[WorkerTarget], *, concurrency: int = 8, visibility_s: int = 30
    ) -> None:
        """Starts a process in which agents work on their queues; several in one process save memory."""
        argv = [sys.executable, "-m", "jada_orchestrator.agent"]
        argv += ["--concurrency", str(concurrency), "--visibility", str(visibility_s)]
        argv += [f"{target.app}={target.queue}" for target in targets]
        self._workers.append(name)
        await self._processes.start(name, argv, environment={**self._base(), **self.environment, **self._variables})

    async def _start_ministack(self) -> None:
        temporary = self._folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self._port = self._port or _free_port()
        settings = {
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "LAMBDA_EXECUTOR": "local",
            "LAMBDA_WARM_TTL_SECONDS": "60",  # A burst's processes end a minute later, but for one a function.
            "SERVICES": self._services,
            "STATE_DIR": str(self._folder / "ministack"),
            "TMPDIR": str(temporary),
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "MALLOC_ARENA_MAX": "2",  # It has 64 threads; an arena for each would be paid for in memory.
        }
        environment = {**self._base(), **self.environment, **settings}
        await self._processes.start("ministack", [sys.executable, "-m", "ministack"], environment=environment)
        answering = asyncio.create_task(_answers(self._port))
        dying = asyncio.create_task(self._processes.died("ministack"))
        try:
            await asyncio.wait((answering, dying), timeout=_START_S_MAX, return_when=asyncio.FIRST_COMPLETED)
            if dying.done():
                raise SandboxUnavailable(f"the local AWS stand-in did not start: {dying.result()}")
            if not answering.done():
                log = self._folder / "ministack.log"
                raise SandboxUnavailable(f"the local AWS stand-in is silent after {_START_S_MAX:.0f} s; see {log}")
        finally:
            for task in (answering, dying):
                task.cancel()
            await asyncio.gather(answering, dying, return_exceptions=True)

    async def _open_clients(self) -> None:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        session = get_session()
        config = AioConfig(
            read_timeout=120, max_pool_connections=100, retries={"mode": "standard", "total_max_attempts": 1}
        )
        options: dict[str, Any] = {
            "region_name": REGION,
            "endpoint_url": self.endpoint,
            "aws_access_key_id": "sandbox",
            "aws_secret_access_key": "sandbox",
            "config": config,
        }
        self._sqs: SQSClient = await self._exits.enter_async_context(session.create_client("sqs", **options))
        self._lambda: LambdaClient = await self._exits.enter_async_context(session.create_client("lambda", **options))

    def _base(self) -> dict[str, str]:
        """The environment without what belongs to somebody else, and with the agents' modules on the path."""
        base = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        path = [*map(str, self._import_path), *filter(None, [base.get("PYTHONPATH")])]
        if path:
            base["PYTHONPATH"] = os.pathsep.join(path)
        return {
            **base,
            "PYTHONUNBUFFERED": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _zipped(handler: str) -> bytes:
    """The function's code as Lambda takes it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("handler.py", handler)
        files.writestr("botocore.py", _NO_BOTOCORE)
    return archive.getvalue()


async def _answers(port: int) -> None:
    """Returns when the stand-in answers on its health page."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_POLL_S)
            continue
        try:
            writer.write(b"GET /_ministack/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            status = await reader.readline()
        except OSError:
            status = b""
        finally:
            writer.close()
        if b" 200 " in status:
            return
        await asyncio.sleep(_POLL_S)


__all__ = ["REGION", "LocalAws", "ProcessFailed", "SandboxUnavailable", "WorkerTarget"]
