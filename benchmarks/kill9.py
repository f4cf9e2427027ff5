"""Kill the real daemon under load, again and again, and show what was lost, doubled or half-made: nothing may be.

    python -m benchmarks.kill9 --kills 200                      # the long run: about ten minutes on a quiet machine
    python -m benchmarks.kill9 --kills 0 --recovery 100,1000,10000 --repeats 5

Everything around the daemon is the local stand-in (jada sandbox); the daemon is `jada run`, killed by SIGKILL at
moments that it does not choose: right after commits, while it plans, undoes, starts, drains, or whenever. Bookings come
in all the while, two of five with a fault ordered at an agent. Afterwards the inventory's own books are compared with
what the frontend was told.

Exit status 0 when nothing is lost, doubled, half-made, or ended otherwise than what was ordered explains; 1 when
something is. Ctrl-C ends the killing early: what is under way is let end and judged. A second Ctrl-C, or one while
recoveries are timed, ends at once with the figures so far (status 130). With --json they are written as they come.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.kill9_kit.killing import Killing, kill_again_and_again
from benchmarks.kill9_kit.recovery import Recovery, measure_recovery

_TELL_EVERY_KILLS: Final = 10
_INTERRUPTED: Final = 130
"""What shells make of a program that Ctrl-C ended."""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1))]


async def killed(arguments: argparse.Namespace, folder: Path, console: Console) -> Killing:
    """Run the killing with progress on the screen."""
    kills: int = arguments.kills
    enough = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, _cut_short, enough, console)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("ETA"), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("kill -9", total=kills)

        def told(killing: Killing) -> None:
            done = killing.kills.total()
            progress.update(task, completed=done)
            if not console.is_terminal and done % _TELL_EVERY_KILLS == 0:
                console.print(
                    f"{done}/{kills} kills in {killing.seconds:.0f} s; {killing.ended} of {killing.submitted} bookings "
                    f"have ended; {len(killing.on_the_way)} half-made seen so far"
                )
            write_json(arguments, killing, [])

        try:
            return await kill_again_and_again(
                folder, kills, seed=arguments.seed, at_once=arguments.at_once, progress=told, enough=enough
            )
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)


def _cut_short(enough: asyncio.Event, console: Console) -> None:
    """End the killing early; the next Ctrl-C is an ordinary one again."""
    asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
    console.print("No more kills; what is under way is let end (up to five minutes). Ctrl-C once more ends at once.")
    enough.set()


def show_killing(console: Console, killing: Killing) -> None:
    """Print what came of the killing."""
    verdict = killing.verdict
    table = Table(title=f"{killing.kills.total()} kills under load, seed {killing.seed}, {killing.seconds:.0f} s")
    table.add_column("what")
    table.add_column("how many", justify="right")
    rows: list[tuple[str, object]] = [("bookings", killing.submitted), ("with a fault", sum(killing.doomed.values()))]
    rows += [(f"ended {status}", count) for status, count in verdict.outcomes.items()]
    rows += [(f"killed {moment}", count) for moment, count in sorted(killing.kills.items())]
    rows += [("dead letters", killing.dead_letters)]
    rows += [("LOST", len(verdict.lost)), ("DOUBLED", len(verdict.doubled)), ("HALF-MADE", len(verdict.half_made))]
    rows += [("half-made on the way", len(killing.on_the_way)), ("ended unexplained", len(verdict.unexplained))]
    if killing.recoveries_s:
        middle, high = statistics.median(killing.recoveries_s), percentile(killing.recoveries_s, 0.99)
        rows += [("start to recovered, p50 / p99", f"{middle:.2f} / {high:.2f} s")]
    for what, count in rows:
        table.add_row(what, str(count))
    console.print(table)
    wrong = [*verdict.lost, *verdict.doubled, *verdict.half_made, *killing.on_the_way, *verdict.unexplained]
    for sentence in wrong[:50]:
        console.print(f"  {sentence}", markup=False)


def show_recovery(console: Console, recoveries: Sequence[Recovery]) -> None:
    """Print how long recovering takes."""
    table = Table(
        title="Time to recovery, from the start of the process",
        caption="recovered: every workflow moves again, which is that what was lost is durably known, and each call is "
        "under way or in line for a slot. heard: the first call of the last workflow has arrived at its agent.",
    )
    columns = ("in flight", "starts", "recovered p50", "p99", "heard p50", "p99", "CPU to recovered p50", "RSS after")
    for column in columns:
        table.add_column(column, justify="right")
    for each in recoveries:
        table.add_row(
            f"{each.workflows:,}",
            str(len(each.moving_s)),
            f"{statistics.median(each.recovered_s):.2f} s",
            f"{percentile(each.recovered_s, 0.99):.2f} s",
            f"{statistics.median(each.moving_s):.2f} s",
            f"{percentile(each.moving_s, 0.99):.2f} s",
            f"{statistics.median(each.cpu_s):.2f} s",
            f"{max(each.rss_mib):.0f} MiB",
        )
    console.print(table)


def as_json(killing: Killing | None, recoveries: Sequence[Recovery], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return everything as JSON."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "arguments": {name: str(value) for name, value in vars(arguments).items()},
        # `asdict` takes a Counter for a plain sequence of pairs.
        "killing": None if killing is None else {**asdict(killing), "kills": dict(killing.kills)},
        "recovery": [asdict(each) for each in recoveries],
    }


def write_json(arguments: argparse.Namespace, killing: Killing | None, recoveries: Sequence[Recovery]) -> None:
    """Write the figures that there are so far, where a file for them was named."""
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(killing, recoveries, arguments), indent=2) + "\n", "utf-8")


def _numbers(text: str) -> list[int]:
    return [int(part.replace("_", "")) for part in text.split(",") if part]


async def main() -> int:
    """Do what the arguments ask for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill9", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="how often (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=8, help="bookings under way at any time")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--recovery", type=_numbers, default=[], help="also time recoveries: 100,1000,10000")
    parser.add_argument("--repeats", type=int, default=5, help="starts for each size of recovery")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument("--folder", type=Path, help="where to work; kept afterwards (default: a temporary one)")
    arguments = parser.parse_args()
    console = Console()
    killing: Killing | None = None
    recoveries: list[Recovery] = []
    with tempfile.TemporaryDirectory(prefix="jada-kill9-") as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.kills:
            killing = await killed(arguments, folder, console)
            show_killing(console, killing)
            write_json(arguments, killing, recoveries)

        def told(line: str) -> None:
            console.print(line)
            write_json(arguments, killing, recoveries)

        try:
            for workflows in arguments.recovery:
                recoveries.append(Recovery(workflows))
                await measure_recovery(recoveries[-1], folder / f"recovery-{workflows}", arguments.repeats, told)
        finally:
            measured = [each for each in recoveries if each.moving_s]
            if measured:
                show_recovery(console, measured)
    return 0 if killing is None or killing.clean else 1


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
