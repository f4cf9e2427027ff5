"""The real daemon as a child process: started as an operator does, watched by its log, killed, started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.kill9_kit.waiting import until

_FOREIGN: Final = ("AWS_", "ANTHROPIC_", "JADA_")
"""Keys and settings of the developer's own shell, which must not reach the daemon."""
_LINE_BYTES_MAX: Final = 4 * 1024 * 1024

Line = dict[str, Any]
"""One event of the log, under the contract's names."""


def daemon_environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a daemon that sees nothing of this machine's own settings."""
    settings = folder / "settings.json"
    if not settings.exists():
        settings.write_text("{}", "utf-8")
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {
        **own,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "JADA_SETTINGS": str(settings),
        "JADA_LOG": "json",
        **given,
    }


class Daemon:
    """`jada run` as a child process; leaving the context kills it, if it still runs.

    `folder` keeps its settings and its whole log (`daemon.log`, appended to by every start).
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *arguments: str) -> None:
        """Take what to start; nothing runs yet."""
        self._folder = folder
        self._environment = daemon_environment(folder, environment)
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.lines: list[Line] = []
        """Every line of this start's log, in order."""
        self.raw: list[str] = []
        """The lines that were no JSON: what a crash or a refusal leaves on stderr."""
        self.started_at = 0.0
        """When the process was started, by `time.monotonic`."""
        self.seen_at: list[float] = []
        """When each of `lines` was read, by `time.monotonic`."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.runs:
            self.signal(signal.SIGKILL)
        await self.ended()

    @property
    def runs(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None, "start it first"
        return self._process.pid

    async def start(self) -> None:
        """Start it (again); the log of an earlier start is forgotten here and kept in the file."""
        assert not self.runs, "it runs already"
        self.lines, self.raw, self.seen_at = [], [], []
        self.started_at = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jada_orchestrator", "run", *self._arguments,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_BYTES_MAX,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._reading = asyncio.create_task(self._read(self._process.stdout))

    async def ready(self, *, within_s: float = 60.0) -> None:
        """Wait until it accepts requests."""
        await self.told("daemon.ready", within_s=within_s)

    async def told(self, event: str, *, within_s: float = 60.0, count: int = 1, **fields: object) -> Line:
        """Wait until the log tells of an event so many times, with these fields (``request_id=...``); return the last.

        Raises: WaitedInVain, also as soon as the process has ended without telling.
        """
        wanted = {f"jada_{name}": value for name, value in fields.items()}

        def look() -> Line | None:
            found = [line for line in self.lines if line["jada_event"] == event and wanted.items() <= line.items()]
            if len(found) < count and not self.runs and self._reading is not None and self._reading.done():
                raise AssertionError(f"the daemon ended before it told of {event}: {self.story()}")
            return found[count - 1] if len(found) >= count else None

        return await until(look, f"{count} x {event} {fields}", within_s=within_s, otherwise=self.story)

    def events(self, event: str) -> list[Line]:
        """Return the lines of one kind."""
        return [line for line in self.lines if line["jada_event"] == event]

    def story(self) -> str:
        """Return the end of the log, for a failing test's reader."""
        told = [f"{line['jada_event']} {line.get('jada_request_id', '')}: {line['message']}" for line in self.lines]
        return "its last words:\n  " + "\n  ".join([*told[-25:], *self.raw[-25:]])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        assert self._process is not None, "start it first"
        self._process.send_signal(number)

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self, *, within_s: float = 60.0) -> int:
        """Ask it to end, and return its exit status."""
        self.signal(signal.SIGTERM)
        return await self.ended(within_s=within_s)

    async def ended(self, *, within_s: float = 60.0) -> int:
        """Wait until it has ended and its log is read to the end; return its exit status."""
        assert self._process is not None, "start it first"
        async with asyncio.timeout(within_s):
            status = await self._process.wait()
            if self._reading is not None:
                await self._reading
        return status

    async def _read(self, stream: asyncio.StreamReader) -> None:
        with (self._folder / "daemon.log").open("ab") as file:
            async for raw in stream:
                file.write(raw)
                file.flush()
                text = raw.decode("utf-8", "replace").rstrip("\n")
                try:
                    line = json.loads(text)
                except ValueError:
                    self.raw.append(text)
                    continue
                if isinstance(line, dict) and "jada_event" in line:
                    self.seen_at.append(time.monotonic())
                    self.lines.append(line)
                else:
                    self.raw.append(text)
