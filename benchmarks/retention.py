"""Whether turns are held up while what ended long ago is retired.

    python -m benchmarks.retention [--finished 10000] [--rate 20] [--phases 10] [--folder DIR]

The real runtime on null agents and a SQLite file. First it makes so many bookings and has them end. Then bookings come
at a steady rate, and the finished ones are retired in as many phases, each followed by one of the same length in which
nothing is retired: both see the same machine. What is measured is how long each turn waits for its commit, which is all
that a turn waits for, and how late the event loop comes round.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.bench.booking import bench_catalogue, bench_proposal, booking
from jada_orchestrator.bench.stage import Setting, Stage, open_stage
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.journal import Append

NEW_FROM: Final = 1_000_000
"""The number of the first booking that comes while others are retired."""
TICK_S: Final = 0.005


@dataclass(slots=True)
class Waits:
    """What was waited for in one kind of phase, in seconds."""

    commits: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> dict[str, object]:
        """Return quantiles in milliseconds."""
        return {
            "seconds": round(self.seconds, 1),
            "commits": len(self.commits),
            "commit_ms": _quantiles(self.commits),
            "loop_late_ms": _quantiles(self.late),
        }


class TimedJournal(SqliteJournal):
    """Notes how long each commit of a turn took."""

    waits = Waits()
    """Of the present phase."""

    async def append(self, batch: Sequence[Append]) -> None:
        """Make the batch durable."""
        began = time.perf_counter()
        await super().append(batch)
        if batch:
            TimedJournal.waits.commits.append(time.perf_counter() - began)


async def main() -> int:
    """Measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=20.0, help="bookings a second that come meanwhile")
    parser.add_argument("--phases", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=None, help="where the store is made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        here = Path(folder)
        setting = Setting(bench_catalogue(), bench_proposal(), arguments.finished, 1_000)
        async with open_stage(here, setting) as stage:
            await stage.completed(arguments.finished)
        records = _count(here)
        setting = Setting(
            bench_catalogue(),
            bench_proposal(),
            0,
            1_000,
            booking_of=lambda number, message: booking(NEW_FROM + number, message=message),
        )
        without, during = Waits(), Waits()
        async with open_stage(here, setting, journal_of=TimedJournal) as stage:
            await stage.orchestrator.ready()
            beside = [asyncio.create_task(_come(stage, arguments.rate)), asyncio.create_task(_tick())]
            await asyncio.sleep(1)
            for before, retired in _pieces(here, arguments.finished, arguments.phases):
                stage.orchestrator.prune(before)
                seconds = await _phase(during, partial(_has_retired, stage, retired))
                await _phase(without, partial(_is_after, time.perf_counter() + seconds))
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            retired = stage.orchestrator.snapshot().retired
        found = {
            "finished": arguments.finished,
            "records_before": records,
            "retired": retired,
            "retired_a_second": round(retired / during.seconds),
            "without": without.to_json(),
            "while_retiring": during.to_json(),
            "commit_p99_ratio": round(_quantile(during.commits, 99) / _quantile(without.commits, 99), 2),
        }
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


async def _phase(waits: Waits, is_over: Callable[[], bool]) -> float:
    """Measure into `waits` until something is so; return for how long."""
    TimedJournal.waits = waits
    began = time.perf_counter()
    while not is_over():  # noqa: ASYNC110 - numbers are read, nobody tells
        await asyncio.sleep(0.02)
    seconds = time.perf_counter() - began
    waits.seconds += seconds
    return seconds


def _has_retired(stage: Stage, count: int) -> bool:
    return stage.orchestrator.snapshot().retired >= count


def _is_after(instant: float) -> bool:
    return time.perf_counter() >= instant


async def _come(stage: Stage, rate: float) -> None:
    """Have bookings come, one after another."""
    while True:
        stage.requests.add(1)
        await asyncio.sleep(1 / rate)


async def _tick() -> None:
    """Note how late the loop comes round."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK_S)
        TimedJournal.waits.late.append(time.perf_counter() - began - TICK_S)


def _pieces(folder: Path, finished: int, phases: int) -> list[tuple[UtcMs, int]]:
    """Return instants between the ends of bookings, so many a phase, and how many ended before each."""
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        statement = "SELECT finished_at FROM workflows WHERE number <= ? ORDER BY finished_at"
        ends = [at for (at,) in connection.execute(statement, (finished,))]
    wanted = [ends[min(len(ends) - 1, finished * number // phases)] for number in range(1, phases)]
    instants = [*dict.fromkeys(wanted), ends[-1] + 1]
    return [(UtcMs(at), sum(end < at for end in ends)) for at in instants]


def _count(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])


def _quantile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": round(_quantile(values, percent) * 1e3, 2) for percent in (50, 90, 99)} | {
        "max": round(max(itertools.chain(values, [0.0])) * 1e3, 2)
    }


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
