"""Trouble several daemons on one PostgreSQL, and show what was lost, doubled or half-made: nothing may be.

    python -m benchmarks.instances --troubles 100               # the long run, about an hour
    python -m benchmarks.instances --troubles 20 --instances 2

The database is a real server with full durability on this machine; everything else is the local stand-in (jada
sandbox). Daemons are killed, stopped for longer than their lease, cut off from the database, drained and started anew,
and the database is restarted at once, while bookings come in, two of five with a fault ordered at an agent. Exit status
0 when nothing is lost, doubled or half-made, and nothing ended otherwise than what was ordered for it explains.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.instances_kit.troubling import KINDS, Troubles, trouble
from benchmarks.kill9 import percentile
from jada_orchestrator.testing.postgres_server import PostgresServer


def show(console: Console, found: Troubles) -> None:
    """Print what came of it."""
    table = Table(title=f"{found.instances} instances, {sum(found.troubles.values())} troubles, {found.seconds:.0f} s")
    table.add_column("what")
    table.add_column("how many", justify="right")
    verdict = found.verdict
    rows: list[tuple[str, object]] = [("bookings", found.submitted)]
    rows += [(f"ended {status}", count) for status, count in verdict.outcomes.items()]
    rows += sorted(found.troubles.items())
    rows += [("begun anew after a lost lease", found.rejoined)]
    rows += [("LOST", len(verdict.lost)), ("DOUBLED", len(verdict.doubled)), ("HALF-MADE", len(verdict.half_made))]
    rows += [("half-made on the way", len(found.on_the_way)), ("ended unexplained", len(verdict.unexplained))]
    if found.takeovers_s:
        middle, high = statistics.median(found.takeovers_s), percentile(found.takeovers_s, 0.99)
        rows += [(f"takeover, p50 / p99 of {len(found.takeovers_s)}", f"{middle:.2f} / {high:.2f} s")]
    for what, count in rows:
        table.add_row(what, str(count))
    console.print(table)
    wrong = [*verdict.lost, *verdict.doubled, *verdict.half_made, *found.on_the_way, *verdict.unexplained]
    for sentence in wrong[:50]:
        console.print(f"  {sentence}", markup=False)


async def main() -> int:
    """Do what the arguments ask for; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instances", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--troubles", type=int, default=100, help="how many (default: %(default)s)")
    parser.add_argument("--instances", type=int, default=3, help="daemons (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=8, help="bookings under way at any time")
    parser.add_argument("--only", type=int, help="submit so many bookings first, and none later")
    parser.add_argument("--kinds", default=",".join(KINDS), help="in turn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    arguments = parser.parse_args()
    console = Console()

    def told(done: int, found: Troubles) -> None:
        if done % 10 == 0 or done == arguments.troubles:
            console.print(f"{done}/{arguments.troubles} troubles, {len(found.on_the_way)} faults seen so far")

    with tempfile.TemporaryDirectory(prefix="jada-instances-") as folder, PostgresServer(quick=False) as server:
        found = await trouble(
            Path(folder),
            server,
            arguments.troubles,
            seed=arguments.seed,
            instances=arguments.instances,
            at_once=arguments.at_once,
            only=arguments.only,
            kinds=arguments.kinds.split(","),
            progress=told,
        )
    show(console, found)
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(found), indent=2) + "\n", "utf-8")
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
