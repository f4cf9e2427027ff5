"""Reading a store beside a running daemon, or without one: `ports.journal.JournalReader` on SQLite."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from jada_orchestrator.adapters.journal.codec import RecordCodec
from jada_orchestrator.adapters.journal.reading import StoreReading
from jada_orchestrator.adapters.journal.threads import OneThread
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.model_calls import ModelCall
from jada_orchestrator.domain.template import Template
from jada_orchestrator.ports.journal import Head, Retirable, Stored


class SqliteJournalReader:
    """A read-only view of a store; it never blocks the writer.

    The file is opened by the first question, which raises JournalUnavailableError when there is none,
    JournalVersionError when a newer program wrote it, and JournalCorruptError when it is damaged; so do all others.
    """

    def __init__(self, path: Path) -> None:
        self._reading = StoreReading(path, RecordCodec())
        self._thread = OneThread("journal-reader")

    async def find(self, prefix: str) -> list[tuple[WorkflowId, Head]]:
        """Return the workflows that an id or a prefix names; see `JournalReader.find`."""
        return await self._thread.run(partial(self._reading.find, prefix))

    async def heads(
        self,
        *,
        status: str | None = None,
        tenant: str | None = None,
        quarantined: bool = False,
        unsettled: bool = False,
        limit: int = 50,
    ) -> list[tuple[WorkflowId, Head]]:
        """Return the newest workflows first; see `JournalReader.heads`."""
        return await self._thread.run(
            partial(self._reading.heads, status, tenant, limit, quarantined=quarantined, unsettled=unsettled)
        )

    async def history(self, workflow_id: WorkflowId) -> Stored | None:
        """Return one workflow with all its entries; see `JournalReader.history`."""
        found = await self._thread.run(partial(self._reading.load, [workflow_id]))
        return found.get(workflow_id)

    async def model_calls(
        self, *, since: UtcMs | None = None, until: UtcMs | None = None, workflow_id: WorkflowId | None = None
    ) -> list[ModelCall]:
        """Return the model calls of a period; see `JournalReader.model_calls`."""
        return await self._thread.run(partial(self._reading.model_calls, since, until, workflow_id))

    async def retirable(self, before: UtcMs) -> Retirable:
        """Count what may be retired; see `JournalReader.retirable`."""
        return await self._thread.run(partial(self._reading.count_to_retire, before))

    async def templates(self) -> list[Template]:
        """Return all templates; see `JournalReader.templates`."""
        return await self._thread.run(self._reading.templates)

    async def close(self) -> None:
        """Release the store; see `JournalReader.close`."""
        await self._thread.close(self._reading.close)
