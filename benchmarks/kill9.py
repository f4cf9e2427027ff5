"""Kill the real daemon under load, again and again, and show what was lost, doubled or half-made: nothing may be.

    python -m benchmarks.kill9 --kills 200                      # the long run, about 15 minutes
    python -m benchmarks.kill9 --kills 0 --recovery 100,1000,10000 --repeats 5

Everything around the daemon is the local stand-in (jada sandbox); the daemon is `jada run`, killed by SIGKILL at
moments that it does not choose: right after commits, while it plans, undoes, starts, drains, or whenever. Bookings come
in all the while, two of five with a fault ordered at an agent. Exit status 0 when nothing is lost, doubled, half-made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.kill9_kit.killing import Killing, kill_again_and_again
from benchmarks.kill9_kit.recovery import Recovery, measure_recovery


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1))]


async def killed(folder: Path, kills: int, seed: int, at_once: int, console: Console) -> Killing:
    """Run the killing with progress on the screen."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("ETA"), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("kill -9", total=kills)

        def told(done: int, killing: Killing) -> None:
            progress.update(task, completed=done)
            if not console.is_terminal and done % 20 == 0:
                console.print(f"{done}/{kills} kills, {len(killing.on_the_way)} faults seen so far")

        return await kill_again_and_again(folder, kills, seed=seed, at_once=at_once, progress=told)


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
    rows += [("half-made on the way", len(killing.on_the_way))]
    if killing.recoveries_s:
        middle, high = statistics.median(killing.recoveries_s), percentile(killing.recoveries_s, 0.99)
        rows += [("start to recovered, p50 / p99", f"{middle:.2f} / {high:.2f} s")]
    for what, count in rows:
        table.add_row(what, str(count))
    console.print(table)
    for sentence in [*verdict.lost, *verdict.doubled, *verdict.half_made, *killing.on_the_way][:50]:
        console.print(f"  {sentence}", markup=False)


def show_recovery(console: Console, recoveries: Sequence[Recovery]) -> None:
    """Print how long recovering takes."""
    table = Table(title="Time to recovery: process start until every workflow moves again")
    for column in ("in flight", "starts", "recovered p50", "moving p50", "moving p99", "CPU p50", "RSS after"):
        table.add_column(column, justify="right")
    for each in recoveries:
        table.add_row(
            f"{each.workflows:,}",
            str(len(each.moving_s)),
            f"{statistics.median(each.recovered_s):.2f} s",
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
        "killing": None if killing is None else asdict(killing),
        "recovery": [asdict(each) for each in recoveries],
    }


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
            killing = await killed(folder, arguments.kills, arguments.seed, arguments.at_once, console)
            show_killing(console, killing)
        for workflows in arguments.recovery:
            recoveries.append(await measure_recovery(folder / f"recovery-{workflows}", workflows, arguments.repeats))
            console.print(f"{workflows:,} in flight: {', '.join(f'{s:.2f}' for s in recoveries[-1].moving_s)} s")
        if recoveries:
            show_recovery(console, recoveries)
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(killing, recoveries, arguments), indent=2) + "\n", "utf-8")
    return 0 if killing is None or killing.clean else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
