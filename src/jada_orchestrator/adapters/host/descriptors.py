"""Descriptors as the operating system has them: limits, and what is in use, by kind."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jada_orchestrator.domain.limits import DESCRIPTORS_LOOK_MS

_NR_OPEN: Final = Path("/proc/sys/fs/nr_open")
_OWN: Final = Path("/proc/self/fd")
_INFINITE: Final = 2**31 - 1
"""What an unlimited hard limit counts as; no kernel gives more than ``fs.nr_open``, which is below this."""


def read_limits() -> tuple[int, int, int | None]:
    """Return soft limit, hard limit, and the kernel's bound on both where it can be read."""
    soft, hard = (_INFINITE if one == resource.RLIM_INFINITY else one for one in _limits())
    try:
        nr_open: int | None = int(_NR_OPEN.read_text("ascii"))
    except (OSError, ValueError):  # hidden by ProcSubset=pid, or no Linux: then nobody knows, and nothing depends on it
        nr_open = None
    return soft, hard, nr_open


def set_soft_limit(soft: int) -> int:
    """Set the soft limit, which may be raised up to the hard one by everybody; return what holds then."""
    before, hard = _limits()
    if soft != before:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return read_limits()[0]


def _limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def count_open() -> int:
    """Return how many files this process has open; 0 where the host hides it."""
    try:
        return len(os.listdir(_OWN)) - 1  # noqa: PTH208 - a quarter of the time of iterdir, and this is looked at often
    except OSError:
        return 0


def count_by_kind() -> dict[str, int]:
    """Return how many files are open by kind: sockets, store, files, pipes, loop."""
    found: Counter[str] = Counter()
    try:
        names = list(_OWN.iterdir())
    except OSError:
        return {}
    for name in names:
        try:
            found[_kind(os.readlink(name))] += 1  # noqa: PTH115 - what it points to is no path
        except OSError:  # closed meanwhile: the listing's own, for one
            continue
    return dict(found)


def _kind(target: str) -> str:
    if target.startswith("socket:"):
        return "sockets"
    if target.startswith("pipe:"):
        return "pipes"
    if target.startswith("anon_inode:"):
        return "loop"
    return "store" if target.endswith((".db", ".db-wal", ".db-shm", ".db.lock", ".lock")) else "files"


class OpenFiles:
    """How many files are open, looked at not more often than every half second."""

    def __init__(self, count: Callable[[], int] = count_open, now: Callable[[], float] = time.monotonic) -> None:
        """Look by `count`; both are given for tests only."""
        self._count = count
        self._now = now
        self._at = float("-inf")
        self._found = 0

    def __call__(self) -> int:
        """Return the count, at most half a second old."""
        now = self._now()
        if (now - self._at) * 1_000 >= DESCRIPTORS_LOOK_MS:
            self._found, self._at = self._count(), now
        return self._found
