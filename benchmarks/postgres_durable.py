"""Durable task results a second on PostgreSQL: one instance beside its floors, and one, two and three side by side.

    python -m benchmarks.postgres_durable                       # a server of its own, fully durable, on this machine
    python -m benchmarks.postgres_durable --url postgresql://…  # a database of yours; uses its schema `bench`

The floor is the same records committed in the same groups with nothing around it, on PostgreSQL and, to compare, on
SQLite. Agents and queues are null: what is measured is the turn loop and the store. Each instance is a process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from jada_orchestrator.adapters.journal.opening import Store, open_store
from jada_orchestrator.bench.booking import TASKS, booking
from jada_orchestrator.bench.durable import booking_setting
from jada_orchestrator.bench.floors import commit_in_groups, group_commit, recorded_booking
from jada_orchestrator.bench.stage import new_folder, open_stage
from jada_orchestrator.testing.postgres_server import PostgresServer

_APART: Final = 1_000_000
"""Between the numbers of two instances' bookings: each has requests of its own, as from a queue."""


async def run_one(url: str, bookings: int, at_once: int, first: int) -> dict[str, float]:
    """Run bookings in this process; return how long they took and the processor time of it."""
    setting = replace(
        booking_setting(bookings, at_once),
        booking_of=lambda number, message: booking(first + number, message=message),
    )
    with tempfile.TemporaryDirectory() as folder:
        async with open_stage(new_folder(Path(folder)), setting, store=open_store(url)) as stage:
            began, cpu = time.perf_counter(), time.process_time()
            await stage.completed(bookings)
            return {"wall_s": stage.outcomes.at - began, "cpu_s": time.process_time() - cpu}


async def run_several(url: str, instances: int, bookings: int, at_once: int) -> list[dict[str, float]]:
    """Run so many processes at once, each with bookings of its own, and return what each took."""
    command = [sys.executable, "-m", "benchmarks.postgres_durable", "--url", url, "--child"]

    async def child(number: int) -> dict[str, float]:
        sized = ["--bookings", str(bookings), "--at-once", str(at_once), "--first", str((number + 1) * _APART)]
        process = await asyncio.create_subprocess_exec(*command, *sized, stdout=asyncio.subprocess.PIPE)
        printed, _ = await process.communicate()
        found: dict[str, float] = json.loads(printed)
        return found

    return list(await asyncio.gather(*(child(number) for number in range(instances))))


async def floor(url: str, bookings: int, at_once: int) -> tuple[float, float]:
    """Return results a second of the same records, group-committed: on the database, and on SQLite here."""
    with tempfile.TemporaryDirectory() as folder:
        pattern = await recorded_booking(Path(folder), booking_setting(1, 1))
        sqlite = await group_commit(Path(folder), pattern, bookings, at_once)
    store: Store = open_store(url)
    await store.journal.open()
    timed = await commit_in_groups(store.journal, pattern, bookings, at_once)
    await store.journal.close()
    return bookings * TASKS / timed.wall_s, bookings * TASKS / sqlite.wall_s


async def measure(url: str, bookings: int, at_once: int, instances: list[int]) -> None:
    """Print everything, a line each."""
    ours, sqlite = await floor(f"{url}schema=floor", bookings, at_once)
    sys.stdout.write(f"floor, {at_once} at once: PostgreSQL {ours:,.0f}/s, SQLite {sqlite:,.0f}/s\n")
    for count in instances:
        took = await run_several(f"{url}schema=bench{count}", count, bookings, at_once)
        results = count * bookings * TASKS
        wall_s, cpu_us = max(each["wall_s"] for each in took), sum(each["cpu_s"] for each in took) / results * 1e6
        sys.stdout.write(
            f"{count} instances, {at_once} bookings at once each: {results / wall_s:,.0f} durable task results/s, "
            f"{cpu_us:.0f} us of Python's processor time a result\n"
        )


def main() -> None:
    """Do what the arguments ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", help="a database (default: a server of its own)")
    parser.add_argument("--bookings", type=int, default=1_000, help="for each instance (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--instances", default="1,2,3", help="how many, each a run (default: %(default)s)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        took = asyncio.run(run_one(arguments.url, arguments.bookings, arguments.at_once, arguments.first))
        sys.stdout.write(json.dumps(took))
        return
    with contextlib.ExitStack() as stack:
        url = arguments.url or stack.enter_context(PostgresServer(quick=False)).url()
        url += "&" if "?" in url else "?"
        counts = [int(count) for count in arguments.instances.split(",")]
        asyncio.run(measure(url, arguments.bookings, arguments.at_once, counts))


if __name__ == "__main__":
    main()
