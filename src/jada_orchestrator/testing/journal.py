"""A journal in memory that keeps the promises of the real one, and breaks them on order.

What is durable is a `MemoryStore`; a `MemoryJournal` is one process's view of it. A test that "kills" the process
drops the journal and opens another one on the same store.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.model_calls import ModelCall, calls_of
from jada_orchestrator.domain.records import AttentionSettled, WorkflowRetired
from jada_orchestrator.domain.template import Template
from jada_orchestrator.ports.journal import (
    Append,
    Head,
    JournalAmbiguousError,
    JournalCorruptError,
    JournalInUseError,
    JournalSupersededError,
    JournalUnavailableError,
    Retirable,
    Stored,
)

FOUND_MAX: Final = 20

AppendFault: TypeAlias = Literal["before", "after"]
"""Where a commit fails: before it is durable (JournalUnavailableError), or after (JournalAmbiguousError)."""


@dataclass(slots=True)
class MemoryStore:
    """What survives the death of a process: workflows in order of acceptance, catalogues, the epoch.

    The remaining fields make it misbehave. `faults` are taken from the front, one by each append. While `unavailable`
    is a text, every operation fails with it. `exclusive` refuses a second opener, as a file lock does; without it the
    second supersedes the first, as a lease does.
    """

    workflows: dict[WorkflowId, Stored] = field(default_factory=dict)
    catalogues: dict[CatalogueVersion, Catalogue] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    epoch: int = 0
    holder: str | None = None
    exclusive: bool = False
    commits: int = 0
    """Commits so far, those that brought nothing new included."""
    faults: list[AppendFault] = field(default_factory=list)
    unavailable: str | None = None

    def kill_holder(self) -> None:
        """The process that had the store open is dead: its lock is free."""
        self.holder = None


class MemoryJournal:
    """A journal on a `MemoryStore`. `name` stands for the process in messages; `append_delay_s` for the disk."""

    def __init__(self, store: MemoryStore | None = None, *, name: str = "memory", append_delay_s: float = 0.0) -> None:
        self.store: Final = MemoryStore() if store is None else store
        self._name = name
        self._append_delay_s = append_delay_s
        self._epoch = 0

    async def open(self) -> None:
        """Take the store over; see `Journal.open`."""
        self._check_available()
        if self.store.exclusive and self.store.holder is not None:
            msg = f"the store is in use by process {self.store.holder}"
            raise JournalInUseError(msg)
        self.store.epoch += 1
        self.store.holder = self._name
        self._epoch = self.store.epoch

    async def append(self, batch: Sequence[Append]) -> None:
        """Make the batch durable; see `Journal.append`. It takes `append_delay_s` before, and gives way once after."""
        await asyncio.sleep(self._append_delay_s)
        self._check_ours()
        fault = self.store.faults.pop(0) if self.store.faults else None
        if fault == "before":
            msg = "the commit failed before it was durable (a planted fault)"
            raise JournalUnavailableError(msg)
        self._write(batch)
        await asyncio.sleep(0)
        if fault == "after":
            msg = "the commit became durable, but its answer was lost (a planted fault)"
            raise JournalAmbiguousError(msg)

    async def load(self, workflow_ids: Iterable[WorkflowId]) -> dict[WorkflowId, Stored]:
        """Return those of the workflows that exist; see `Journal.load`."""
        wanted = list(workflow_ids)
        await asyncio.sleep(0)
        self._check_available()
        return {found: self.store.workflows[found] for found in wanted if found in self.store.workflows}

    async def unfinished(self) -> AsyncIterator[Stored]:
        """Yield every workflow that is not done; see `Journal.unfinished`."""
        self._check_available()
        for stored in list(self.store.workflows.values()):
            await asyncio.sleep(0)
            self._check_available()
            if not stored.head.done:
                yield stored

    async def everything(self) -> AsyncIterator[Stored]:
        """Yield every workflow; see `Journal.everything`."""
        self._check_available()
        for stored in list(self.store.workflows.values()):
            await asyncio.sleep(0)
            yield stored

    async def retirable(self, before: UtcMs, workflows_max: int, records_max: int) -> Sequence[Stored]:
        """Return workflows that may be retired; see `Journal.retirable`."""
        await asyncio.sleep(0)
        self._check_available()
        found = sorted(
            (
                stored
                for stored in self.store.workflows.values()
                if may_be_retired(stored.head, before) and self._may_retire(stored.workflow_id)
            ),
            key=lambda stored: stored.head.finished_at or 0,
        )
        sums = itertools.accumulate(len(stored.entries) for stored in found)
        fitting = [stored for stored, total in zip(found, sums, strict=True) if total <= records_max]
        return (fitting or found[:1])[:workflows_max]

    async def retire(self, tombstones: Sequence[Append]) -> int:
        """Put tombstones in the place of records; see `Journal.retire`."""
        await asyncio.sleep(self._append_delay_s)
        self._check_ours()
        retired = 0
        for append in tombstones:
            stored = self.store.workflows.get(append.workflow_id)
            is_so = stored is not None and may_be_retired(stored.head) and self._may_retire(append.workflow_id)
            if stored is not None and is_so and stored.entries[-1].seq == append.entries[0].seq:
                self._put_tombstone(append)
                retired += 1
        await asyncio.sleep(0)
        return retired

    async def put_catalogue(self, catalogue: Catalogue) -> None:
        """Keep a catalogue; see `Journal.put_catalogue`."""
        await asyncio.sleep(0)
        self._check_ours()
        self.store.catalogues.setdefault(catalogue.version, catalogue)

    async def catalogue(self, version: CatalogueVersion) -> Catalogue | None:
        """Return a catalogue that was kept; see `Journal.catalogue`."""
        await asyncio.sleep(0)
        self._check_available()
        return self.store.catalogues.get(version)

    async def put_template(self, template: Template) -> None:
        """Keep a template; see `Journal.put_template`."""
        await asyncio.sleep(0)
        self._check_ours()
        self.store.templates[template.key] = template

    async def drop_template(self, key: str) -> None:
        """Let a template go; see `Journal.drop_template`."""
        await asyncio.sleep(0)
        self._check_ours()
        self.store.templates.pop(key, None)

    async def templates(self) -> list[Template]:
        """Return all templates; see `Journal.templates`."""
        await asyncio.sleep(0)
        self._check_available()
        return [self.store.templates[key] for key in sorted(self.store.templates)]

    async def close(self) -> None:
        """Release the store; see `Journal.close`."""
        if self._epoch and self._epoch == self.store.epoch:
            self.store.holder = None
        self._epoch = 0

    def _write(self, batch: Sequence[Append]) -> None:
        """Check everything, then change the store at once."""
        changed: dict[WorkflowId, Stored] = {}
        for append in batch:
            before = changed.get(append.workflow_id, self.store.workflows.get(append.workflow_id))
            after = _appended(before, append)
            if after is not None:
                changed[append.workflow_id] = after
        self.store.workflows.update(changed)
        self.store.commits += 1

    def _may_retire(self, workflow_id: WorkflowId) -> bool:
        """Tell whether nobody else can be acting upon a workflow, or be unable to read a tombstone."""
        del workflow_id
        return True

    def _put_tombstone(self, append: Append) -> None:
        self.store.workflows[append.workflow_id] = Stored(append.workflow_id, append.head, append.entries)

    def _check_available(self) -> None:
        if self.store.unavailable is not None:
            raise JournalUnavailableError(self.store.unavailable)

    def _check_ours(self) -> None:
        self._check_available()
        if self._epoch == 0:
            msg = "the journal is not open"
            raise JournalUnavailableError(msg)
        if self._epoch != self.store.epoch:
            msg = f"process {self.store.holder} has taken the store over: this one must stop"
            raise JournalSupersededError(msg)


class MemoryJournalReader:
    """Reads a `MemoryStore` as the command line reads a store."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def find(self, prefix: str) -> list[tuple[WorkflowId, Head]]:
        """Return the workflows that an id or a prefix names; see `JournalReader.find`."""
        newest = self._newest()
        exact = [found for found in newest if prefix in {found[0], found[1].request_id}]
        found = exact or [
            found for found in newest if found[0].startswith(prefix) or found[1].request_id.startswith(prefix)
        ]
        return sorted(found, key=lambda each: each[1].rejected)[:FOUND_MAX]

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
        return [
            (workflow_id, head)
            for workflow_id, head in self._newest()
            if status in {None, head.status} and tenant in {None, head.tenant} and (head.quarantined or not quarantined)
            if not unsettled or self._needs_a_person(workflow_id, head)
        ][:limit]

    async def history(self, workflow_id: WorkflowId) -> Stored | None:
        """Return one workflow with all its entries; see `JournalReader.history`."""
        self._check_available()
        return self._store.workflows.get(workflow_id)

    async def model_calls(
        self, *, since: UtcMs | None = None, until: UtcMs | None = None, workflow_id: WorkflowId | None = None
    ) -> list[ModelCall]:
        """Return the model calls of a period; see `JournalReader.model_calls`."""
        self._check_available()
        return [
            call
            for stored in self._store.workflows.values()
            if workflow_id in {None, stored.workflow_id}
            for call in calls_of(
                stored.workflow_id, stored.head.request_id, stored.head.tenant, stored.head.model, stored.entries
            )
            if (since is None or call.at >= since) and (until is None or call.at < until)
        ]

    async def retirable(self, before: UtcMs) -> Retirable:
        """Count what may be retired; see `JournalReader.retirable`."""
        self._check_available()
        found = [stored for stored in self._store.workflows.values() if may_be_retired(stored.head, before)]
        return Retirable(len(found), sum(len(stored.entries) for stored in found))

    async def templates(self) -> list[Template]:
        """Return all templates; see `JournalReader.templates`."""
        self._check_available()
        return [self._store.templates[key] for key in sorted(self._store.templates)]

    async def close(self) -> None:
        """Release the store; see `JournalReader.close`."""

    def _needs_a_person(self, workflow_id: WorkflowId, head: Head) -> bool:
        entries = self._store.workflows[workflow_id].entries
        settled = any(isinstance(entry.record, AttentionSettled) for entry in entries)
        return head.status == "needs_attention" and not settled

    def _newest(self) -> list[tuple[WorkflowId, Head]]:
        self._check_available()
        return [(stored.workflow_id, stored.head) for stored in reversed(self._store.workflows.values())]

    def _check_available(self) -> None:
        if self._store.unavailable is not None:
            raise JournalUnavailableError(self._store.unavailable)


def may_be_retired(head: Head, before: UtcMs | None = None) -> bool:
    """Tell whether a workflow may be retired by what its head says, and ended before an instant."""
    ended = head.done and not head.retired and not head.quarantined and head.status != "needs_attention"
    return ended and (before is None or (head.finished_at is not None and head.finished_at < before))


def _appended(before: Stored | None, append: Append) -> Stored | None:
    """Return the workflow with the new entries, or None when all of them are there already and the head is older."""
    durable = {entry.seq: entry for entry in before.entries} if before is not None else {}
    last = max(durable, default=0)
    retired = min(durable) if before is not None and before.head.retired else 0
    expected = append.entries[0].seq if append.entries else last + 1
    is_tombstone = not durable and append.entries and isinstance(append.entries[0].record, WorkflowRetired)
    if expected < 1 or (expected > last + 1 and not is_tombstone):
        msg = f"{append.workflow_id} has {last} records, and number {expected} was to be written"
        raise JournalCorruptError(msg)
    for place, entry in enumerate(append.entries, start=expected):
        if entry.seq != place:
            msg = f"the entries of {append.workflow_id} are not in order: {entry.seq} is where {place} belongs"
            raise JournalCorruptError(msg)
        if retired < place <= last and durable[place] != entry:
            msg = f"record {place} of {append.workflow_id} is another one than the one that was to be written"
            raise JournalCorruptError(msg)
    end = expected + len(append.entries) - 1
    if end < last or (durable and end == retired):
        return None
    new = [entry for entry in append.entries if entry.seq > last]
    return Stored(append.workflow_id, append.head, (*durable.values(), *new))
