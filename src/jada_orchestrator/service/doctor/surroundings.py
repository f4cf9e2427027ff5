"""What the checks ask the host: gathered in one place, so that tests can describe any host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

NR_OPEN = Path("/proc/sys/fs/nr_open")
COMMAND_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended; `status` is None where it could not be run or took too long."""

    status: int | None
    output: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The host, as functions."""

    limits: Callable[[], tuple[int, int]]
    """Soft and hard limit of open files, of this process."""
    nr_open: Callable[[], int | None]
    """The kernel's bound of every such limit; None where it is hidden."""
    disk: Callable[[Path], tuple[int, int]]
    """Total and free bytes of the file system below a folder."""
    now: Callable[[], float]
    """Seconds since 1970."""
    run: Callable[[Sequence[str]], Awaitable[Ran]]
    """Run a program that only tells something."""


def real_surroundings() -> Surroundings:
    """Return this host."""
    return Surroundings(_limits, _nr_open, _disk, time.time, run_program)


def _limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _nr_open() -> int | None:
    try:
        return int(NR_OPEN.read_text())
    except (OSError, ValueError):
        return None


def _disk(folder: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(folder)
    return usage.total, usage.free


async def run_program(argv: Sequence[str]) -> Ran:
    """Run a program for a bounded time, without a shell; ended when this is cancelled."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
        )
    except OSError as error:
        return Ran(None, str(error))
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return Ran(None, f"{argv[0]} did not end within {COMMAND_TIMEOUT_S:g} s")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return Ran(process.returncode, output.decode("utf-8", "replace"))
