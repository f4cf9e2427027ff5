"""Everything around the orchestrator: the local AWS with its queues, and every agent of a catalogue running in it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from jada_orchestrator.sandbox.aws_local import LocalAws, WorkerTarget

_REQUEST_RECEIVES_MAX: Final = 10  # The orchestrator moves bad requests itself; this is for what kills it each time.
_TASK_RECEIVES_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class SandboxAgent:
    """An agent to run: `resource` names its function (kind `lambda`) or queue (kind `sqs`), `app` is `module:app`."""

    name: str
    kind: Literal["lambda", "sqs"]
    resource: str
    app: str
    qualifier: str | None = "live"
    timeout_s: int = 30


def replies_queue() -> str:
    """`jada-replies-<hostname>`, with what a queue's name cannot hold replaced."""
    host = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in socket.gethostname()
    )
    return f"jada-replies-{host}"[:80]


@dataclass(frozen=True, slots=True)
class QueueNames:
    """The orchestrator's own queues, by their default names."""

    requests: str = "jada-requests"
    dead_letter: str = "jada-requests-dlq"
    outcomes: str = "jada-outcomes"
    replies: str = field(default_factory=replies_queue)


@asynccontextmanager
async def local_stack(
    folder: Path,
    agents: Sequence[SandboxAgent],
    *,
    queues: QueueNames | None = None,
    variables: Mapping[str, str] | None = None,
    import_path: Sequence[Path] = (),
    port: int | None = None,
    warm: bool = True,
) -> AsyncIterator[LocalAws]:
    """Runs the whole surroundings for as long as the context lasts.

    `variables` are set for every agent (the sandbox's `JADA_SANDBOX_INVENTORY`). With `warm` each function has a
    process before the context begins, so that no first call waits for a start.

    Raises `SandboxUnavailable` and `ProcessFailed`.
    """
    names = queues or QueueNames()
    async with LocalAws(folder, port=port, variables=variables, import_path=import_path) as aws:
        await asyncio.gather(
            aws.create_queue(names.requests, dead_letter=names.dead_letter, receives_max=_REQUEST_RECEIVES_MAX),
            aws.create_queue(names.outcomes),
            aws.create_queue(names.replies),
            *(_make(aws, agent) for agent in agents),
        )
        workers = [WorkerTarget(agent.app, agent.resource) for agent in agents if agent.kind == "sqs"]
        if workers:
            await aws.start_worker("workers", workers)
        if warm:
            await asyncio.gather(
                *(aws.warm(agent.resource, qualifier=agent.qualifier) for agent in agents if agent.kind == "lambda")
            )
        yield aws


async def _make(aws: LocalAws, agent: SandboxAgent) -> None:
    if agent.kind == "lambda":
        await aws.deploy_function(agent.resource, agent.app, qualifier=agent.qualifier, timeout_s=agent.timeout_s)
    else:
        await aws.create_queue(agent.resource, dead_letter=f"{agent.resource}-dlq", receives_max=_TASK_RECEIVES_MAX)
