"""Appends for ever and prints the seq of every acknowledged commit: `python acknowledging_writer.py STORE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.domain.ids import CatalogueVersion, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import CallDue, Entry
from jada_orchestrator.ports.journal import Append, Head

HEAD = Head("web", "t", "running", "m", UtcMs(1), None, None, CatalogueVersion("c"), False, False, False)
WIDTH = 20


async def main() -> None:
    """Append one entry to each of `WIDTH` workflows a commit, until killed."""
    journal = SqliteJournal(Path(sys.argv[1]))
    await journal.open()
    seq = 0
    while True:
        seq += 1
        entry = Entry(seq, UtcMs(seq), CallDue(TaskId(f"t{seq}"), "do"))
        await journal.append([Append(WorkflowId(f"wf-{number}"), (entry,), HEAD) for number in range(WIDTH)])
        sys.stdout.write(f"{seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
