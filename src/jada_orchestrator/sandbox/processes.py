"""Child processes that never outlive this one: the parent's side of `supervisor.py`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
_LOG_TAIL_BYTES: Final = 2000


class ProcessFailed(Exception):
    """Raised when a process of the sandbox cannot be started, or ended by itself; the text has the end of its log.

    The operator reads the log that the text names; a port in use and a missing package are the usual causes.
    """


@dataclass(slots=True)
class _Child:
    log: Path
    pid: asyncio.Future[int]
    status: asyncio.Future[int]
    stopping: bool = False


class Processes:
    """Starts processes by name, each with its log in a folder; leaving the context ends all of them.

    Guarantees: when this process ends in whatever way, all of them and all that they started are gone.
    """

    def __init__(self, folder: Path, *, grace_s: float = 5.0) -> None:
        self._folder = folder
        self._grace_s = grace_s
        self._children: dict[str, _Child] = {}
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Starts the supervisor."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "supervisor.log").open("ab") as log:
            self._supervisor = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(_SUPERVISOR),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Asks everything to end, and kills what has not ended after the grace; at once when cancelled meanwhile."""
        try:
            async with asyncio.timeout(self._grace_s):
                await asyncio.gather(*(self.stop(name) for name in self.pids()))
        except TimeoutError:
            pass  # What is left is killed with the rest of the group now.
        finally:
            self._kill_group()
            await self._supervisor.wait()
            await self._listening

    async def start(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str]) -> int:
        """Starts a process that writes to `NAME.log` in the folder, and returns its pid. Raises `ProcessFailed`."""
        loop = asyncio.get_running_loop()
        child = _Child(self._folder / f"{name}.log", loop.create_future(), loop.create_future())
        self._children[name] = child
        await self._order(
            do="start", name=name, argv=list(argv), env=dict(environment), cwd=str(self._folder), log=str(child.log)
        )
        return await child.pid

    async def stop(self, name: str, *, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends a process by a signal, waits until it has gone, and returns its exit status."""
        child = self._children[name]
        child.stopping = True
        await self._order(do="signal", name=name, number=int(number))
        return await child.status

    def pids(self) -> dict[str, int]:
        """The processes that run now, by name; what they started themselves is not in it."""
        return {
            name: child.pid.result()
            for name, child in self._children.items()
            if child.pid.done() and child.pid.exception() is None and not child.status.done()
        }

    def group(self) -> int:
        """The process group of all of them and of all that they start."""
        return self._supervisor.pid

    async def died(self, name: str | None = None) -> str:
        """Waits until a process (that one, or any) ends by itself, and says which, how, and its last words."""
        while True:
            for each, child in self._children.items():
                if name in (None, each) and child.status.done() and not child.stopping:
                    return (
                        f"{each} ended with status {child.status.result()}; the end of {child.log}:\n{_tail(child.log)}"
                    )
            self._ended.clear()
            await self._ended.wait()

    async def _order(self, **command: object) -> None:
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.write(json.dumps(command).encode() + b"\n")
        await self._supervisor.stdin.drain()

    async def _listen(self) -> None:
        assert self._supervisor.stdout is not None
        async for line in self._supervisor.stdout:
            event = json.loads(line)
            child = self._children[event["name"]]
            if event["event"] == "started":
                child.pid.set_result(event["pid"])
            elif event["event"] == "failed":
                child.pid.set_exception(ProcessFailed(f"{event['name']} could not be started: {event['error']}"))
            else:
                child.status.set_result(event["status"])
                self._ended.set()
        self._supervisor_gone()

    def _supervisor_gone(self) -> None:
        """Without a supervisor nobody would end the rest, so the rest ends now."""
        self._kill_group()
        for name, child in self._children.items():
            if not child.pid.done():
                child.pid.set_exception(ProcessFailed(f"{name} could not be started: the supervisor has ended"))
            if not child.status.done():
                child.status.set_result(-signal.SIGKILL)
        self._ended.set()

    def _kill_group(self) -> None:
        # Usually the whole group has gone already.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._supervisor.pid, signal.SIGKILL)


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
        return file.read().decode(errors="replace").strip()
