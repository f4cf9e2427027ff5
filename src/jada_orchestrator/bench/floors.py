"""Floors: the very records that a booking leaves, committed in groups with nothing else around it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.bench.figures import Timed
from jada_orchestrator.bench.stage import Setting, new_folder, open_stage
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.ports.journal import Append, Journal


class RecordingJournal(SqliteJournal):
    """The real journal, which also keeps what it was given."""

    def __init__(self, path: Path) -> None:
        """Begin with nothing kept."""
        super().__init__(path)
        self.commits: list[tuple[Append, ...]] = []

    async def append(self, batch: Sequence[Append]) -> None:
        """Keep the batch and commit it."""
        self.commits.append(tuple(batch))
        await super().append(batch)


async def recorded_booking(folder: Path, setting: Setting) -> list[Append]:
    """Run one booking alone, and return what it committed, commit by commit."""
    journals: list[RecordingJournal] = []

    def make(path: Path) -> SqliteJournal:
        journals.append(RecordingJournal(path))
        return journals[-1]

    alone = replace(setting, bookings=1, at_once=1)
    async with open_stage(new_folder(folder), alone, journal_of=make) as stage:
        await stage.completed(1)
    return [append for commit in journals[0].commits for append in commit]


def copies(pattern: Sequence[Append], number: int) -> list[Append]:
    """Return the commits of one booking under another id."""
    workflow_id = WorkflowId(f"wf-{number:026d}")
    return [structs.replace(append, workflow_id=workflow_id) for append in pattern]


async def group_commit(folder: Path, pattern: Sequence[Append], bookings: int, at_once: int) -> Timed:
    """Commit so many bookings' records into a new file, `at_once` of them side by side, and nothing else."""
    journal = SqliteJournal(new_folder(folder) / "journal.db")
    await journal.open()
    timed = await commit_in_groups(journal, pattern, bookings, at_once)
    await journal.close()
    return timed


async def commit_in_groups(journal: Journal, pattern: Sequence[Append], bookings: int, at_once: int) -> Timed:
    """Commit so many bookings' records, likewise.

    What is committed is made before the clock starts, so that it is the store and its codec alone that are measured.
    """
    groups: list[list[Append]] = []
    for first in range(0, bookings, at_once):
        side_by_side = [copies(pattern, number) for number in range(first, min(first + at_once, bookings))]
        groups += [list(step) for step in zip(*side_by_side, strict=True)]
    began, cpu = time.perf_counter(), time.process_time()
    for group in groups:
        await journal.append(group)
    return Timed(time.perf_counter() - began, time.process_time() - cpu)


async def one_after_another(folder: Path, pattern: Sequence[Append], begin: int, bookings: int) -> list[float]:
    """Commit one booking alone, again for each booking; return the seconds that the steps from `begin` on took."""
    journal = SqliteJournal(new_folder(folder) / "journal.db")
    await journal.open()
    took: list[float] = []
    for number in range(bookings):
        own = copies(pattern, number)
        for step in own[:begin]:
            await journal.append([step])
        began = time.perf_counter()
        for step in own[begin:]:
            await journal.append([step])
        took.append(time.perf_counter() - began)
    await journal.close()
    return took
