"""Move a journal from SQLite to PostgreSQL and back, and compare what came back, record for record.

    python -m benchmarks.moving [--workflows 10000] [--in-flight 3000] [--retired 1000]

The bookings are made by the real runtime on null agents: some have ended, some of these are retired, the others wait
for workers that never answer. Then the command `jada migrate` moves them into a real server with full durability, and
from there into another file. Exit status 0 when every record came back as it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from jada_orchestrator.adapters.journal.opening import open_store
from jada_orchestrator.bench.booking import bench_catalogue, bench_proposal, booking
from jada_orchestrator.bench.scale import holds_wait, until_waiting
from jada_orchestrator.bench.stage import NullWorkers, Setting, open_stage
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.journal import Stored
from jada_orchestrator.runtime.retiring import Retiring
from jada_orchestrator.testing.postgres_server import PostgresServer

AT_ONCE: Final = 500
HOLDS: Final = 4
"""Calls of one booking that wait."""
DISTANT: Final = UtcMs(9_000_000_000_000)


async def make(url: str, folder: Path, ended: int, in_flight: int, retired: int) -> None:
    """Fill a store."""
    setting = Setting(bench_catalogue(), bench_proposal(), ended, AT_ONCE)
    async with open_stage(folder, setting, store=open_store(url)) as stage:
        await stage.completed(ended)
    workers = NullWorkers()
    waiting = Setting(
        holds_wait(),
        bench_proposal(),
        in_flight,
        in_flight,
        booking_of=lambda number, message: booking(ended + number, message=message),
    )
    async with open_stage(folder, waiting, store=open_store(url), workers=workers):
        await until_waiting(workers, HOLDS * in_flight)
    journal = open_store(url).journal
    await journal.open()
    retiring, done = Retiring(journal, _unreadable), 0
    while done < retired:
        done += await retiring.piece(DISTANT, DISTANT, min(100, retired - done), 10_000)
    await journal.close()


def _unreadable(stored: Stored, why: str) -> None:
    raise AssertionError(f"{stored.workflow_id}: {why}")


async def moved(source: str, target: str) -> float:
    """Move by the command, and return the seconds that it took."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("jada"), "migrate", source, target, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise SystemExit(f"jada migrate ended with status {process.returncode}")
    return time.perf_counter() - began


async def contents(url: str) -> list[Stored]:
    """Return everything in a store, in order."""
    journal = open_store(url).journal
    await journal.open()
    found = [stored async for stored in journal.everything()]
    await journal.close()
    return found


async def main() -> int:
    """Do what the arguments ask for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moving", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workflows", type=int, default=10_000, help="in all (default: %(default)s)")
    parser.add_argument("--in-flight", type=int, default=3_000, help="of them (default: %(default)s)")
    parser.add_argument("--retired", type=int, default=1_000, help="of those that ended (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jada-moving-") as name, PostgresServer(quick=False) as server:
        folder = Path(name)
        before, after = f"sqlite://{folder / 'before.db'}", f"sqlite://{folder / 'after.db'}"
        ended = arguments.workflows - arguments.in_flight
        await make(before, folder, ended, arguments.in_flight, arguments.retired)
        there_s, back_s = await moved(before, server.url()), await moved(server.url(), after)
        first, last = await contents(before), await contents(after)
    found = {
        "workflows": len(first),
        "in_flight": sum(not each.head.done for each in first),
        "retired": sum(each.head.retired for each in first),
        "records": sum(len(each.entries) for each in first),
        "there_s": round(there_s, 1),
        "back_s": round(back_s, 1),
        "same": first == last,
    }
    print(json.dumps(found, indent=2))
    return 0 if first == last else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
