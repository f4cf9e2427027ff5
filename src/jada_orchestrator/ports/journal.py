"""The journal: where records become durable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.model_calls import ModelCall
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.template import Template


class JournalError(Exception):
    """The journal did not do what was asked. Raised by every journal adapter, in one of the classes below.

    Nothing of the batch is durable unless the class says otherwise; the message names the store and what to do.
    """


class JournalUnavailableError(JournalError):
    """The store cannot be written or read now: disk full, I/O error, locked, connection lost.

    Raised by the journal adapter. The runtime stops accepting, keeps the batch and tries again; the operator frees
    space or repairs the store, and the daemon goes on by itself.
    """


class JournalAmbiguousError(JournalError):
    """The commit may or may not have become durable (the connection was cut while it was under way).

    Raised by the journal adapter. The runtime appends the same batch again: a batch that is already there, entry for
    entry, counts as appended.
    """


class JournalSupersededError(JournalError):
    """Another process has taken over (law 6: every append is conditional on the epoch).

    Raised by the journal adapter. This process must stop writing at once and exit; the operator finds out why two ran.
    """


class JournalLeaseLostError(JournalSupersededError):
    """The lease of this instance ran out, so others may have taken over what it owned (`ports.ownership`).

    Raised by journals that several instances share, and by the runtime when the lease could not be renewed in time.
    This process must act no more as that instance; it may begin anew as another one, which the daemon does by itself.
    """


class JournalInUseError(JournalError):
    """Another process holds this store. Raised when the journal is opened; the message names the process.

    The operator stops one of the two, or gives each a store of its own.
    """


class JournalVersionError(JournalError):
    """The store was written by a newer version, which this one cannot read.

    Raised when the journal is opened, before anything is touched. The operator runs the newer version again.
    """


class JournalCorruptError(JournalError):
    """The store is damaged, or holds what cannot be there.

    Raised by the journal adapter. The daemon stops with exit status 1; the operator restores a backup
    (docs/operations.md).
    """


class Head(Struct, frozen=True, gc=False):
    """What lists show of a workflow without folding it; stored beside its records, in the same commit."""

    request_id: str
    tenant: str
    status: str
    model: str
    created_at: UtcMs
    finished_at: UtcMs | None
    ordering_key: str | None
    catalogue_version: CatalogueVersion
    done: bool
    """Nothing at all is left to do: recovery does not load it."""
    quarantined: bool
    rejected: bool
    """It stands for a message that was turned away, not for an accepted request."""
    retired: bool = False
    """Its records are deleted, and a tombstone stands in their place."""


class Append(Struct, frozen=True, gc=False):
    """The new entries of one workflow: `entries[0].seq` is one more than the last durable one (1 for a new one).

    A new one that is moved from another store may begin with its tombstone, which has a number of its own.
    """

    workflow_id: WorkflowId
    entries: tuple[Entry, ...]
    head: Head


@dataclass(frozen=True, slots=True)
class Stored:
    """A workflow as the journal has it."""

    workflow_id: WorkflowId
    head: Head
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Retirable:
    """How many workflows may be retired, and how many records they have together."""

    workflows: int
    records: int


class Journal(Protocol):
    """The writer's side. One open journal per process; all methods may be called from one event loop only."""

    async def open(self) -> None:
        """Take the store over: check its version, migrate it, raise the epoch, so that its last owner writes no more.

        Raises: JournalInUseError, JournalVersionError, JournalCorruptError, JournalUnavailableError.
        """

    async def append(self, batch: Sequence[Append]) -> None:
        """Make all entries of all workflows durable in one commit, or none.

        Guarantees: when it returns, the batch survives power loss. A batch that is already there entry for entry
        is accepted again without a second copy; so is one that a tombstone stands for by now. When cancelled, the
        commit may or may not have happened.
        Raises: JournalUnavailableError, JournalAmbiguousError, JournalSupersededError, JournalCorruptError.
        """

    async def load(self, workflow_ids: Iterable[WorkflowId]) -> dict[WorkflowId, Stored]:
        """Return those of the workflows that exist, with all their entries in order.

        Raises: JournalUnavailableError, JournalCorruptError.
        """

    def unfinished(self) -> AsyncIterator[Stored]:
        """Yield every workflow whose head is not `done`, in order of acceptance; used once, at start.

        Raises: JournalUnavailableError, JournalCorruptError.
        """

    def everything(self) -> AsyncIterator[Stored]:
        """Yield every workflow there is, in order of acceptance; for moving a store.

        Raises: JournalUnavailableError, JournalCorruptError.
        """

    async def retirable(self, before: UtcMs, workflows_max: int, records_max: int) -> Sequence[Stored]:
        """Return workflows that ended before an instant and may be retired, those first that ended first.

        Left out is what a person has to do with (`needs_attention`, quarantined), and what a live instance has taken
        (`Ownership.take`), and may be acting upon. No more than `records_max` records are returned, but always one
        workflow. None is, while a program shares the store that cannot read a tombstone.
        Raises: JournalUnavailableError, JournalCorruptError.
        """

    async def retire(self, tombstones: Sequence[Append]) -> int:
        """Put each tombstone in the place of all records of its workflow, in one commit, and return how many were put.

        A tombstone has the number of the last record. Nothing happens to a workflow that has another last record by
        now, or that `retirable` would leave out. The caller sees to it that nothing of its own acts upon them.
        Guarantees and raises what `append` does.
        """

    async def put_catalogue(self, catalogue: Catalogue) -> None:
        """Keep a catalogue under its version; one that is there already is left as it is."""

    async def catalogue(self, version: CatalogueVersion) -> Catalogue | None:
        """Return a catalogue that was kept, or None."""

    async def put_template(self, template: Template) -> None:
        """Keep a template under its key, in place of one that is there.

        Guarantees and raises what `append` does: it is conditional on the epoch.
        """

    async def drop_template(self, key: str) -> None:
        """Let a template go; one that is not there is gone already. Conditional on the epoch, as `append`."""

    async def templates(self) -> list[Template]:
        """Return all templates (at most some hundreds), in order of their keys."""

    async def close(self) -> None:
        """Release the store. May be called twice."""


class JournalReader(Protocol):
    """The reader's side: for the CLI, beside a running daemon or without one. Never blocks a writer."""

    async def find(self, prefix: str) -> list[tuple[WorkflowId, Head]]:
        """Return the workflows whose workflow id or request id is `prefix`, or else begins with it (at most 20).

        An exact match wins over prefixes; among equals, accepted requests come before turned-away messages.
        """

    async def heads(
        self,
        *,
        status: str | None = None,
        tenant: str | None = None,
        quarantined: bool = False,
        unsettled: bool = False,
        limit: int = 50,
    ) -> list[tuple[WorkflowId, Head]]:
        """Return the newest workflows first.

        `quarantined` leaves only those that were set aside, `unsettled` only those that need a person's attention and
        were not settled by one (`AttentionSettled`).
        """

    async def history(self, workflow_id: WorkflowId) -> Stored | None:
        """Return one workflow with all its entries."""

    async def model_calls(
        self, *, since: UtcMs | None = None, until: UtcMs | None = None, workflow_id: WorkflowId | None = None
    ) -> list[ModelCall]:
        """Return the model calls that ended in ``[since, until)``, of all workflows or one, by workflow, in order."""

    async def retirable(self, before: UtcMs) -> Retirable:
        """Count what ended before an instant and may be retired."""

    async def templates(self) -> list[Template]:
        """Return all templates, in order of their keys; none of a store that only older programs have written."""

    async def close(self) -> None:
        """Release the store. May be called twice."""
