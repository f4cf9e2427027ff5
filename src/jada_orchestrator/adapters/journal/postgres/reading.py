"""Questions about the store, each in one snapshot: for the journal's own look-ups and for readers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from jada_orchestrator.adapters.journal.codec import RecordCodec, decode_catalogue, decode_template
from jada_orchestrator.adapters.journal.postgres import statements
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.connecting import Connection, Link, Patience, fetch
from jada_orchestrator.adapters.journal.postgres.schema import check_version
from jada_orchestrator.adapters.journal.rows import (
    BEYOND_ANY,
    FOUND_MAX,
    LEDGER_KINDS,
    Row,
    heads_of,
    model_calls_of,
    stored_of,
    within,
)
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.model_calls import ModelCall
from jada_orchestrator.domain.template import Template
from jada_orchestrator.ports.journal import Head, Retirable, Stored
from jada_orchestrator.ports.ownership import Instance


class StoreReading:
    """Answers questions with a connection of its own, so that a look-up never waits behind a commit."""

    def __init__(self, address: Address, codec: RecordCodec, purpose: str, patience: Patience | None = None) -> None:
        """Connect to nothing yet."""

        async def begin(connection: Connection) -> None:
            await check_version(address, connection)
            await connection.execute("SET default_transaction_read_only = on")

        self._codec = codec
        self._link = Link(address, purpose, begin, patience)

    async def load(self, workflow_ids: Sequence[WorkflowId]) -> dict[WorkflowId, Stored]:
        """Return those of the workflows that exist. Raises: JournalError."""
        async with self._snapshot() as connection:
            heads = await fetch(connection, statements.HEADS_BY_ID, list(workflow_ids))
            found = await self._with_entries(connection, heads)
        return {stored.workflow_id: stored for stored in found}

    async def by_numbers(self, numbers: Sequence[int]) -> list[Stored]:
        """Return workflows by their numbers, oldest first. Raises: JournalError."""
        async with self._snapshot() as connection:
            heads = await fetch(connection, statements.HEADS_BY_NUMBER, list(numbers))
            return await self._with_entries(connection, heads)

    async def instances(self) -> list[Instance]:
        """Return the instances that live, have something unclaimed, or ended within an hour. Raises: JournalError."""
        async with self._link.use() as connection:
            rows = await fetch(connection, statements.INSTANCES)
        return [
            Instance(number, holder, version, UtcMs(since), UtcMs(until), ended, owned)
            for number, holder, version, since, until, ended, owned in rows
        ]

    async def unfinished(self, after: int, workflows_max: int) -> tuple[int, list[Stored]]:
        """Return the next unfinished workflows in order of acceptance, and the number to go on after (0: no more).

        Raises: JournalError.
        """
        return await self._in_order(statements.HEADS_UNFINISHED, after, workflows_max)

    async def everything(self, after: int, workflows_max: int) -> tuple[int, list[Stored]]:
        """Return the next workflows, finished or not, likewise. Raises: JournalError."""
        return await self._in_order(statements.HEADS_ALL, after, workflows_max)

    async def to_retire(self, before: UtcMs, workflows_max: int, records_max: int, needed: int) -> list[Stored]:
        """Return the oldest workflows that may be retired, with their entries. Raises: JournalError.

        None, while an instance lives that does not read the format which is `needed`.
        """
        async with self._snapshot() as connection:
            rows = await fetch(connection, statements.HEADS_TO_RETIRE, before, workflows_max, needed)
            return await self._with_entries(connection, within(rows, records_max))

    async def count_to_retire(self, before: UtcMs) -> Retirable:
        """Count the workflows that may be retired, and their records. Raises: JournalError."""
        async with self._link.use() as connection:
            [row] = await fetch(connection, statements.COUNT_TO_RETIRE, before)
        return Retirable(*row)

    async def templates(self) -> list[Template]:
        """Return all templates; none of a store that only older programs have written. Raises: JournalError."""
        async with self._link.use() as connection:
            if not await connection.fetchval(statements.HAS_TEMPLATES):
                return []
            rows = await fetch(connection, statements.SELECT_TEMPLATES)
        return [decode_template(row[0]) for row in rows]

    async def catalogue(self, version: CatalogueVersion) -> Catalogue | None:
        """Return a catalogue that was kept, or None. Raises: JournalError."""
        async with self._link.use() as connection:
            row = await connection.fetchrow(statements.SELECT_CATALOGUE, version)
        return None if row is None else decode_catalogue(row[0], row[1])

    async def find(self, prefix: str) -> list[tuple[WorkflowId, Head]]:
        """Return the workflows that an exact id, or else a prefix, names. Raises: JournalError."""
        if not prefix.isprintable():
            return []
        async with self._snapshot() as connection:
            rows = await fetch(connection, statements.HEADS_EXACT, prefix, FOUND_MAX)
            if not rows:
                rows = await fetch(connection, statements.HEADS_BY_PREFIX, prefix, prefix + BEYOND_ANY, FOUND_MAX)
        return heads_of(rows)

    async def heads(
        self, status: str | None, tenant: str | None, limit: int, *, quarantined: bool, unsettled: bool
    ) -> list[tuple[WorkflowId, Head]]:
        """Return the newest workflows first. Raises: JournalError."""
        if not (status or "").isprintable() or not (tenant or "").isprintable():
            return []
        async with self._link.use() as connection:
            wanted = (status, tenant, quarantined, unsettled, limit)
            return heads_of(await fetch(connection, statements.HEADS_NEWEST, *wanted))

    async def model_calls(
        self, since: UtcMs | None, until: UtcMs | None, workflow_id: WorkflowId | None
    ) -> list[ModelCall]:
        """Return the model calls that ended in a period, by workflow, in order. Raises: JournalError."""
        async with self._link.use() as connection:
            rows = await fetch(connection, statements.MODEL_CALLS, list(LEDGER_KINDS), since, until, workflow_id)
        return model_calls_of(self._codec, rows)

    async def close(self) -> None:
        """Close the connection. May be called twice."""
        await self._link.close()

    async def _in_order(self, statement: str, after: int, workflows_max: int) -> tuple[int, list[Stored]]:
        async with self._snapshot() as connection:
            heads = await fetch(connection, statement, after, workflows_max)
            return (heads[-1][0] if heads else 0), await self._with_entries(connection, heads)

    async def _with_entries(self, connection: Connection, head_rows: Sequence[Row]) -> list[Stored]:
        if not head_rows:
            return []
        records = await fetch(connection, statements.RECORDS_OF, [row[0] for row in head_rows])
        return stored_of(self._codec, head_rows, records)

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        """One snapshot for all statements of a question."""
        async with self._link.use() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
