"""How fast the store takes records: the floor under everything that the daemon does.

    python benchmarks/journal_floor.py [--seconds 3] [--folder DIR]

A "task result" is two records of one workflow in one commit, as a turn writes them: `task_succeeded` of one task and
`attempt_started` of its successor. Batches are spread over `WORKFLOWS` workflows that are all in flight. The figures
depend on the disk: put `--folder` where the store is going to be.

"busy" repeats the measurement while the event loop has short callbacks all the time, which is the worst neighbour that
the writer thread can have: with Python's default switch interval of 5 ms the thread may starve for seconds, because
each of the loop's own brief pauses makes it wait anew. "busy, fair" is the same with `sys.setswitchinterval(60e-6)`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.ids import CatalogueVersion, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import AttemptStarted, Entry, TaskSucceeded
from jada_orchestrator.ports.journal import Append, Head

WORKFLOWS: Final = 2_000
BATCHES: Final = (1, 10, 100, 1_000)
"""Task results in one commit."""

CALLBACK_STEPS: Final = 20_000
"""Work of one callback of a busy loop: about 200 microseconds."""
FAIR_SWITCH_S: Final = 60e-6

HEAD: Final = Head(
    request_id="web-7f3c2a",
    tenant="acme",
    status="running",
    model="claude-sonnet-4-6",
    created_at=UtcMs(1_800_000_000_000),
    finished_at=None,
    ordering_key="customer:c-118",
    catalogue_version=CatalogueVersion("0123456789abcdef"),
    done=False,
    quarantined=False,
    rejected=False,
)
OUTPUT: Final = {
    "hold_id": "h-9",
    "expires_at": "2027-04-01T12:00:00Z",
    "price": {"amount": "120.00", "currency": "USD"},
}


class Load:
    """Makes batches of task results, round and round over all workflows."""

    def __init__(self) -> None:
        self._seqs = dict.fromkeys((WorkflowId(f"wf-{number:026d}") for number in range(WORKFLOWS)), 0)
        self._ids = list(self._seqs)
        self._next = 0

    def batch(self, results: int) -> list[Append]:
        """Return one commit's worth."""
        appends = []
        for _ in range(results):
            workflow_id = self._ids[self._next % WORKFLOWS]
            self._next += 1
            seq = self._seqs[workflow_id]
            self._seqs[workflow_id] = seq + 2
            at = UtcMs(1_800_000_000_000 + seq)
            entries = (
                Entry(seq + 1, at, TaskSucceeded(TaskId("hold_flight"), "call", 1, packed(OUTPUT))),
                Entry(seq + 2, at, AttemptStarted(TaskId("pay"), "do", "call", 1, packed(OUTPUT), UtcMs(at + 20_000))),
            )
            appends.append(Append(workflow_id, entries, HEAD))
        return appends


async def measure(folder: Path, results: int, seconds: float, *, busy: bool) -> list[float]:
    """Return the seconds that each commit took."""
    journal = SqliteJournal(Path(tempfile.mkdtemp(dir=folder)) / "journal.db")
    await journal.open()
    load = Load()
    await journal.append(load.batch(WORKFLOWS))  # all workflows exist: what follows is the steady state
    took: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        batch = load.batch(results)
        begun = time.perf_counter()
        commit = asyncio.ensure_future(journal.append(batch))
        while busy and not commit.done():
            sum(range(CALLBACK_STEPS))
            await asyncio.sleep(0)
        await commit
        took.append(time.perf_counter() - begun)
    await journal.close()
    return took


async def main() -> None:
    """Measure every size of batch and print a table."""
    parser = argparse.ArgumentParser(description="How fast the store takes records.")
    parser.add_argument("--seconds", type=float, default=3.0, help="per row of the table")
    parser.add_argument("--folder", type=Path, default=None, help="where the stores are made")
    arguments = parser.parse_args()
    table = Table(title="Durable task results a second, group-committed (2 records each)")
    for column in ("batch", "loop", "results/s", "records/s", "commits/s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for loop, busy, switch_s in (
            ("idle", False, 0.005),
            ("busy", True, 0.005),
            ("busy, fair", True, FAIR_SWITCH_S),
        ):
            sys.setswitchinterval(switch_s)
            for results in BATCHES:
                took = await measure(Path(folder), results, arguments.seconds, busy=busy)
                total = sum(took)
                table.add_row(
                    f"{results:,}",
                    loop,
                    f"{results * len(took) / total:,.0f}",
                    f"{2 * results * len(took) / total:,.0f}",
                    f"{len(took) / total:,.0f}",
                    f"{statistics.median(took) * 1_000:.2f}",
                    f"{statistics.quantiles(took, n=100)[98] * 1_000:.2f}" if len(took) > 1 else "-",
                )
    console = Console()
    console.print(table)
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, WAL, synchronous=FULL"
    )


if __name__ == "__main__":
    asyncio.run(main())
