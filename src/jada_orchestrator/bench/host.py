"""What the figures were measured on, and the flame graph of where the time went."""

from __future__ import annotations

import cProfile
import io
import os
import platform
import pstats
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from jada_orchestrator import __version__

_PACKAGES: Final = ("aiobotocore", "botocore", "aiohttp", "uvloop", "msgspec")
_CPU_INFO: Final = Path("/proc/cpuinfo")
_LINES: Final = 60


def machine() -> dict[str, str]:
    """Return machine and versions, by name."""
    found = {
        "cpu": f"{os.cpu_count()} x {_cpu_name()}",
        "load at start": f"{os.getloadavg()[0]:.1f}",
        "system": platform.platform(terse=True),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": f"{sqlite3.sqlite_version}, WAL, synchronous=FULL",
        "jada-orchestrator": __version__,
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "-"
    return found


def _cpu_name() -> str:
    if not _CPU_INFO.exists():
        return platform.machine()
    names = [line.partition(":")[2] for line in _CPU_INFO.read_text("utf-8").splitlines() if "model name" in line]
    return names[0].strip() if names else platform.machine()


class Profile:
    """A profile of the event loop's thread, written as text and for flame graph viewers (snakeviz, tuna)."""

    def __init__(self, path: Path) -> None:
        """Write to `path` (binary profile) and beside it, with `.txt`, the functions that took longest."""
        self._path = path
        self._profiler = cProfile.Profile()

    def __enter__(self) -> None:
        self._profiler.enable()

    def __exit__(self, *_: object) -> None:
        self._profiler.disable()
        self._profiler.dump_stats(self._path)
        text = io.StringIO()
        pstats.Stats(self._profiler, stream=text).sort_stats("tottime").print_stats(_LINES)
        self._path.with_suffix(".txt").write_text(text.getvalue(), "utf-8")
