"""The demo's surroundings: the sandbox, a daemon as a process of its own, and the requests on the queue."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Final

from jada_orchestrator.cli.demo.scenario import Act, arrange
from jada_orchestrator.cli.failing import FAILED, CommandError
from jada_orchestrator.sandbox.aws_local import LocalAws, ProcessFailed, SandboxUnavailable
from jada_orchestrator.sandbox.booth import DEMO_PACE, Sandbox
from jada_orchestrator.sandbox.inventory import Books
from jada_orchestrator.service import submitting
from jada_orchestrator.service.settings_tiers import load_settings

_DAEMON: Final = "daemon"
_OURS: Final = ("JADA_", "AWS_")
_CALLS_IN_FLIGHT: Final = 4
"""Each call of a function at once is a process of the local Lambda, which then stays for the next call; so many of them
stay within the memory of a small machine (`python -m benchmarks.demo_memory` measures it)."""


@asynccontextmanager
async def staged(state: Path, today: date, *, real_model: bool) -> AsyncIterator[Sandbox]:
    """Start the sandbox and the daemon, and arrange what goes wrong. Raises: CommandError."""
    settings = state / "settings.json"
    settings.write_text(json.dumps({"calls_in_flight": _CALLS_IN_FLIGHT, "log": "json"}), encoding="utf-8")
    try:
        async with Sandbox(state, real_model=real_model, pace=DEMO_PACE) as sandbox:
            assert sandbox.aws is not None
            with closing(Books(sandbox.inventory)) as books:
                arrange(books, today)
            environment = _environment(sandbox, settings)
            await sandbox.aws.processes.start(
                _DAEMON, [sys.executable, "-m", "jada_orchestrator", "run"], environment=environment
            )
            yield sandbox
    except (SandboxUnavailable, ProcessFailed) as error:
        raise CommandError(str(error), status=FAILED) from error


async def submit_all(sandbox: Sandbox, acts: Sequence[Act]) -> None:
    """Put all requests on the queue at once. Raises: QueueError, MisconfiguredError."""
    with _as_environment(_environment(sandbox, sandbox.state / "settings.json")):
        settings = load_settings().settings
        await submitting.send(settings, [act.body() for act in acts])


async def stop_daemon(aws: LocalAws) -> int:
    """Have the daemon drain and end; return its exit status."""
    return await aws.processes.stop(_DAEMON)


async def daemon_died(aws: LocalAws) -> None:
    """Wait until the daemon or a stand-in ends by itself; then raise CommandError with its last words."""
    words = await aws.processes.died()
    raise CommandError(f"something of the demo ended by itself: {words}", status=FAILED)


def _environment(sandbox: Sandbox, settings: Path) -> dict[str, str]:
    """Return an environment in which nothing of the user's own settings, accounts and (unless real) model counts."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**own, **sandbox.environment, "JADA_SETTINGS": str(settings), "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def _as_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Give this process another environment for a while: the clients read theirs from it."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


async def until_first(work: asyncio.Task[None], guard: asyncio.Task[None]) -> None:
    """Wait for the work; what the guard raises ends it."""
    try:
        await asyncio.wait({work, guard}, return_when=asyncio.FIRST_COMPLETED)
        for task in (guard, work):
            if task.done():
                task.result()
    finally:
        for task in (work, guard):
            task.cancel()
        await asyncio.gather(work, guard, return_exceptions=True)
