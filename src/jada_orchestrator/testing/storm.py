"""Many simulated runs over several processes: ``python -m jada_orchestrator.testing.storm --seeds N``.

Ends with 0 when every law held in every run, else with 1 and the shrunk stories of the first failing seeds. Ctrl-C
ends it early with what there was until then, and 130.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.testing.garbage import collected_afterwards, settle_down
from jada_orchestrator.testing.simulated_report import Report
from jada_orchestrator.testing.simulated_shrink import shrink
from jada_orchestrator.testing.simulator import simulate

_CHUNK: Final = 50
"""Seeds that a process takes at once: about a second's work. Garbage is collected between chunks only."""
_SHOWN_MAX: Final = 3
"""Failing seeds that are shrunk and shown; the numbers of all of them are."""
_TELL_EVERY_S: Final = 30.0
"""How often progress is told where there is no terminal to draw it on."""
_INTERRUPTED: Final = 130
"""What shells report of a command that SIGINT ended."""


@dataclass(slots=True)
class Storm:
    """What many runs came to."""

    seeds: int = 0
    seconds: float = 0.0
    virtual_s: float = 0.0
    rounds: int = 0
    ends: int = 0
    """How often a process was ended: killed, stopped or overtaken."""
    outcomes: Counter[str] = field(default_factory=Counter)
    revisions: Counter[str] = field(default_factory=Counter)
    mishaps: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    """What was decided: a feature of the engine that does not occur here was not tried."""
    failing: list[int] = field(default_factory=list)

    def add(self, other: Storm) -> None:
        """Take another's runs into account (all but the time that passed)."""
        self.seeds += other.seeds
        self.virtual_s += other.virtual_s
        self.rounds += other.rounds
        self.ends += other.ends
        self.outcomes.update(other.outcomes)
        self.revisions.update(other.revisions)
        self.mishaps.update(other.mishaps)
        self.records.update(other.records)
        self.failing += other.failing

    def to_json(self) -> JsonObject:
        """Return everything as JSON."""
        return {
            "seeds": self.seeds,
            "seconds": round(self.seconds, 1),
            "seeds_per_second": round(self.seeds / max(self.seconds, 0.001), 1),
            "virtual_days": round(self.virtual_s / 86_400, 1),
            "rounds": self.rounds,
            "process_ends": self.ends,
            "outcomes": dict(sorted(self.outcomes.items())),
            "revisions": dict(sorted(self.revisions.items())),
            "mishaps": dict(sorted(self.mishaps.items())),
            "mishaps_total": self.mishaps.total(),
            "records": dict(sorted(self.records.items())),
            "failing_seeds": sorted(self.failing),
        }


def run_seeds(seeds: Sequence[int]) -> Storm:
    """Run some seeds in this process."""
    storm = Storm()
    with collected_afterwards():
        for seed in seeds:
            _add(storm, simulate(seed))
    return storm


def _add(storm: Storm, report: Report) -> None:
    storm.seeds += 1
    storm.virtual_s += report.virtual_s
    storm.rounds += report.rounds
    storm.ends += report.kills
    storm.outcomes.update(report.outcomes)
    storm.revisions.update(report.revisions)
    storm.mishaps.update(report.mishaps)
    storm.records.update(report.records)
    if report.broken:
        storm.failing.append(report.seed)


def storms(seeds: int, start: int, jobs: int) -> Iterator[Storm]:
    """Run seeds over several processes, and yield what each chunk of them came to, as they end."""
    chunks = [range(at, min(at + _CHUNK, start + seeds)) for at in range(start, start + seeds, _CHUNK)]
    if jobs == 1:
        yield from map(run_seeds, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=settle_down) as pool:
        yield from pool.imap_unordered(run_seeds, chunks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = _parser().parse_args(arguments)
    total = Storm()
    interrupted = False
    try:
        _run(total, given)
    except KeyboardInterrupt:
        interrupted = True
    stories = [shrink(seed) for seed in sorted(total.failing)[:_SHOWN_MAX]]
    if given.json:
        sys.stdout.write(json.dumps({**total.to_json(), "stories": [s.to_json() for s in stories]}, indent=2) + "\n")
    else:
        _show(total, stories, given.jobs)
    if total.failing:
        return 1
    return _INTERRUPTED if interrupted else 0


def _run(total: Storm, given: argparse.Namespace) -> None:
    """Add up what the seeds come to, and show how far it is: a bar on a terminal, a line now and then elsewhere."""
    on_terminal = sys.stderr.isatty()
    settle_down()
    began = told_at = time.monotonic()
    with _progress(quiet=given.json or not on_terminal) as progress:
        bar = progress.add_task("seeds", total=given.seeds, rate="", failing=0)
        for storm in storms(given.seeds, given.start, given.jobs):
            total.add(storm)
            now = time.monotonic()
            total.seconds = now - began
            rate = f"{total.seeds / max(total.seconds, 0.001):.0f}/s"
            progress.update(bar, completed=total.seeds, rate=rate, failing=len(total.failing))
            if not on_terminal and (storm.failing or now - told_at >= _TELL_EVERY_S):
                told_at = now
                failing = f"failing: {total.failing}" if total.failing else "none failing"
                sys.stderr.write(f"{total.seeds}/{given.seeds} seeds, {rate}, {failing}\n")
                sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jada_orchestrator.testing.storm", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, metavar="N", help="how many seeds to run (1000)")
    parser.add_argument("--from", type=int, default=0, dest="start", metavar="K", help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="processes (one a core)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    return parser


def _progress(*, quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("[red]{task.fields[failing]} failing"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )


def _show(total: Storm, stories: list[Report], jobs: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    numbers = total.to_json()
    console.print(
        f"{total.seeds} seeds in {total.seconds:.0f} s ({numbers['seeds_per_second']}/s on {jobs} processes), "
        f"{numbers['virtual_days']} days of virtual time, {total.ends} ends of the process, "
        f"{total.mishaps.total()} mishaps"
    )
    for title, counts in (
        ("outcome", total.outcomes),
        ("revision", total.revisions),
        ("mishap", total.mishaps),
        ("record", total.records),
    ):
        table = Table(title, "count", box=None)
        for name, count in counts.most_common():
            table.add_row(name, str(count))
        console.print(table)
    if total.failing:
        seeds = ", ".join(map(str, sorted(total.failing)[:50]))
        console.print(f"[bold red]{len(total.failing)} seeds broke a law:[/] {seeds}")
    else:
        console.print("[bold green]Every law held in every run.")
    for story in stories:
        console.print(story.render(), markup=False)


if __name__ == "__main__":
    sys.exit(main())
