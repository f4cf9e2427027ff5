"""The journal on SQLite: `ports.journal.Journal` with one thread that writes and one that reads.

Reads have a thread and a connection of their own so that a look-up never waits behind a commit. Records are encoded on
the writing thread: it costs the interpreter the same, and the event loop stays free to serve its sockets in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from jada_orchestrator.adapters.journal.codec import RecordCodec
from jada_orchestrator.adapters.journal.reading import StoreReading
from jada_orchestrator.adapters.journal.threads import OneThread
from jada_orchestrator.adapters.journal.writing import StoreWriter
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.template import Template
from jada_orchestrator.ports.journal import Append, Stored

CHUNK_WORKFLOWS: Final = 200
"""Workflows read in one go: about 8,000 records of ordinary bookings, a few megabytes."""


class SqliteJournal:
    """A journal in one file. Opening it takes the file over; `ports.journal.Journal` says what each method promises."""

    def __init__(self, path: Path) -> None:
        codec = RecordCodec()
        self._writer = StoreWriter(path, codec)
        self._reading = StoreReading(path, codec)
        self._writing_thread = OneThread("journal-writer")
        self._reading_thread = OneThread("journal-reader")

    async def open(self) -> None:
        """Take the store over; see `Journal.open`."""
        await self._writing_thread.run(self._writer.open)

    async def append(self, batch: Sequence[Append]) -> None:
        """Make the batch durable; see `Journal.append`."""
        await self._writing_thread.run(partial(self._writer.append, batch))

    async def load(self, workflow_ids: Iterable[WorkflowId]) -> dict[WorkflowId, Stored]:
        """Return those of the workflows that exist; see `Journal.load`."""
        wanted = list(workflow_ids)
        found: dict[WorkflowId, Stored] = {}
        for start in range(0, len(wanted), CHUNK_WORKFLOWS):
            chunk = wanted[start : start + CHUNK_WORKFLOWS]
            found |= await self._reading_thread.run(partial(self._reading.load, chunk))
        return found

    async def unfinished(self) -> AsyncIterator[Stored]:
        """Yield every workflow that is not done, `CHUNK_WORKFLOWS` in memory at a time; see `Journal.unfinished`."""
        async for stored in self._in_order(self._reading.unfinished):
            yield stored

    async def everything(self) -> AsyncIterator[Stored]:
        """Yield every workflow, likewise; see `Journal.everything`."""
        async for stored in self._in_order(self._reading.everything):
            yield stored

    async def _in_order(self, read: Callable[[int, int], tuple[int, list[Stored]]]) -> AsyncIterator[Stored]:
        after = 0
        while True:
            after, chunk = await self._reading_thread.run(partial(read, after, CHUNK_WORKFLOWS))
            for stored in chunk:
                yield stored
            if after == 0:
                return

    async def retirable(self, before: UtcMs, workflows_max: int, records_max: int) -> Sequence[Stored]:
        """Return workflows that may be retired; see `Journal.retirable`."""
        return await self._reading_thread.run(partial(self._reading.to_retire, before, workflows_max, records_max))

    async def retire(self, tombstones: Sequence[Append]) -> int:
        """Put tombstones in the place of records; see `Journal.retire`."""
        return await self._writing_thread.run(partial(self._writer.retire, tombstones))

    async def put_catalogue(self, catalogue: Catalogue) -> None:
        """Keep a catalogue; see `Journal.put_catalogue`."""
        await self._writing_thread.run(partial(self._writer.put_catalogue, catalogue))

    async def catalogue(self, version: CatalogueVersion) -> Catalogue | None:
        """Return a catalogue that was kept; see `Journal.catalogue`."""
        return await self._reading_thread.run(partial(self._reading.catalogue, version))

    async def put_template(self, template: Template) -> None:
        """Keep a template; see `Journal.put_template`."""
        await self._writing_thread.run(partial(self._writer.put_template, template))

    async def drop_template(self, key: str) -> None:
        """Let a template go; see `Journal.drop_template`."""
        await self._writing_thread.run(partial(self._writer.drop_template, key))

    async def templates(self) -> list[Template]:
        """Return all templates; see `Journal.templates`."""
        return await self._reading_thread.run(self._reading.templates)

    async def close(self) -> None:
        """Release the store, after whatever is being written; see `Journal.close`."""
        await self._reading_thread.close(self._reading.close)
        await self._writing_thread.close(self._writer.close)
