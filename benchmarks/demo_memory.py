"""How much memory the demo takes, with every process that it starts.

    python -m benchmarks.demo_memory [--runs 3]

Runs `jada demo` as a newcomer does and looks ten times a second at it and all of its descendants (Linux's `/proc`). Two
sums, in MiB: the proportional set size (PSS), in which a page that several processes share counts once, and the
resident set size (RSS), in which it counts for each. The first is what the machine must have; the second is what a
monitor that adds up the processes will say. The promise is held against the second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RESIDENT_MIB_MAX: Final = 1000
"""What the product promises."""
_EVERY_S: Final = 0.1
_KIB_A_MIB: Final = 1024
_PROC: Final = Path("/proc")


@dataclass(slots=True)
class Footprint:
    """What a command and its descendants took at their peaks; `processes` is how many there were at most."""

    status: int = -1
    seconds: float = 0.0
    proportional_mib: float = 0.0
    resident_mib: float = 0.0
    processes: int = 0

    def look(self, root: int) -> None:
        """Count what is there now; a process that ends meanwhile is left out."""
        sizes = []
        for pid in descendants(root):
            with contextlib.suppress(OSError):
                sizes.append(_sizes_mib(pid))
        self.processes = max(self.processes, len(sizes))
        self.resident_mib = max(self.resident_mib, sum(resident for resident, _ in sizes))
        self.proportional_mib = max(self.proportional_mib, sum(proportional for _, proportional in sizes))


def descendants(root: int) -> list[int]:
    """Return a process and all that it and its children have started, as far as they are there now."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            # The name of a command may hold anything, so what follows is counted from its closing parenthesis.
            with contextlib.suppress(OSError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], ())
    return found


def _sizes_mib(pid: int) -> tuple[float, float]:
    """Return resident and proportional size; nothing for a process that has ended and was not yet waited for."""
    lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return kib["Rss"] / _KIB_A_MIB, kib["Pss"] / _KIB_A_MIB


async def footprint(arguments: Sequence[str], *, output: Path) -> Footprint:
    """Run a command to its end, its output in a file, and return what it took."""
    taken = Footprint()
    began = time.monotonic()
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*arguments, stdout=file, stderr=asyncio.subprocess.STDOUT)
    ending = asyncio.create_task(process.wait())
    while not ending.done():
        taken.look(process.pid)
        await asyncio.wait({ending}, timeout=_EVERY_S)
    taken.status = ending.result()
    taken.seconds = time.monotonic() - began
    return taken


def demo_command(state: Path) -> tuple[str, ...]:
    """Return the command that runs the demo in a folder that is not there yet."""
    return (sys.executable, "-m", "jada_orchestrator", "demo", "--state", str(state))


def main() -> None:
    """Print a line a run; exit 1 if the demo failed or took more than is promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    found = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="jada-demo-memory-") as folder:
            one = asyncio.run(footprint(demo_command(Path(folder) / "demo"), output=Path(os.devnull)))
        print(
            f"exit {one.status}, {one.seconds:.1f} s, {one.processes} processes at most: "
            f"{one.proportional_mib:.0f} MiB PSS, {one.resident_mib:.0f} MiB RSS"
        )
        found.append(one.status == 0 and one.resident_mib < RESIDENT_MIB_MAX)
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
