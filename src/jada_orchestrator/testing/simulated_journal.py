"""The journal of the simulator: keeps the promises of the real one, fails in every place, and is watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.journal import (
    Append,
    JournalAmbiguousError,
    JournalSupersededError,
    JournalUnavailableError,
    Stored,
)
from jada_orchestrator.testing.journal import MemoryJournal, MemoryStore
from jada_orchestrator.testing.simulated_fate import Fate
from jada_orchestrator.testing.simulated_witness import Witness


class SimulatedJournal(MemoryJournal):
    """One process's view of the store."""

    def __init__(self, store: MemoryStore, fate: Fate, witness: Witness) -> None:
        """Begin closed."""
        super().__init__(store)
        self.superseded_at: float | None = None
        """When this process was told that another one has taken over."""
        self._fate = fate
        self._witness = witness
        self._own_epoch = 0

    async def open(self) -> None:
        """Take the store over."""
        self._stumble()
        await super().open()
        self._own_epoch = self.store.epoch

    async def append(self, batch: Sequence[Append]) -> None:
        """Make the batch durable, or fail before or after that."""
        self._witness.appending(batch)
        if self._fate.strikes("outage"):
            self._go_down()
        self.store.faults.clear()
        if self._fate.strikes("journal_before"):
            self.store.faults.append("before")
        elif self._fate.strikes("journal_after"):
            self.store.faults.append("after")
        try:
            await super().append(batch)
        except JournalSupersededError:
            if self.superseded_at is None:
                self.superseded_at = asyncio.get_running_loop().time()
            raise

    async def retirable(self, before: UtcMs, workflows_max: int, records_max: int) -> Sequence[Stored]:
        """Return workflows that may be retired."""
        self._stumble()
        return await super().retirable(before, workflows_max, records_max)

    async def retire(self, tombstones: Sequence[Append]) -> int:
        """Put tombstones, or fail before or after that."""
        if self._fate.strikes("journal_before"):
            raise JournalUnavailableError("nothing was retired (a planted fault)")
        retired = await super().retire(tombstones)
        if self._fate.strikes("journal_after"):
            raise JournalAmbiguousError("the answer to retiring was lost (a planted fault)")
        return retired

    async def load(self, workflow_ids: Iterable[WorkflowId]) -> dict[WorkflowId, Stored]:
        """Return those of the workflows that exist."""
        self._stumble()
        return await super().load(workflow_ids)

    async def unfinished(self) -> AsyncIterator[Stored]:
        """Yield every workflow that is not done."""
        async for stored in super().unfinished():
            self._stumble()
            yield stored

    async def put_catalogue(self, catalogue: Catalogue) -> None:
        """Keep a catalogue."""
        self._stumble()
        await super().put_catalogue(catalogue)

    async def catalogue(self, version: CatalogueVersion) -> Catalogue | None:
        """Return a catalogue that was kept."""
        self._stumble()
        return await super().catalogue(version)

    def _put_tombstone(self, append: Append) -> None:
        self._witness.retiring(append, superseded=self._own_epoch != self.store.epoch)
        super()._put_tombstone(append)

    def _write(self, batch: Sequence[Append]) -> None:
        self._witness.committing(superseded=self._own_epoch != self.store.epoch)
        super()._write(batch)
        self._witness.committed(batch)

    def _stumble(self) -> None:
        if self._fate.strikes("journal_read"):
            raise JournalUnavailableError("the store cannot be read now (a planted fault)")

    def _go_down(self) -> None:
        store = self.store
        if store.unavailable is not None:
            return
        store.unavailable = "the store is down (a planted fault)"

        def recover() -> None:
            store.unavailable = None

        asyncio.get_running_loop().call_later(self._fate.between(0.2, 3, "outages") ** 3, recover)
