"""The journal on PostgreSQL: `ports.journal.Journal` with one connection that writes and one that reads.

A turn is one statement (`statements.APPEND`): one transaction, one journey to the server. Positions of the workflows
that this instance wrote are remembered, because every commit checks that the instance has not ended and that they are
its own: then nobody else has written since. After any trouble they are forgotten and looked up again, and what is there
already is compared and not doubled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final

from jada_orchestrator.adapters.journal.codec import CATALOGUE_VERSION, RecordCodec, encode_catalogue, encode_template
from jada_orchestrator.adapters.journal.postgres import statements
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.batches import (
    Position,
    Prepared,
    arguments,
    check_same,
    prepare,
    tombstone_columns,
)
from jada_orchestrator.adapters.journal.postgres.connecting import Connection, Link, Patience, fetch
from jada_orchestrator.adapters.journal.postgres.ownership import LeaseTerms, PostgresOwnership
from jada_orchestrator.adapters.journal.postgres.reading import StoreReading
from jada_orchestrator.adapters.journal.rows import TOMBSTONE
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.template import Template
from jada_orchestrator.ports.journal import (
    Append,
    JournalUnavailableError,
    Stored,
)

CONNECTIONS: Final = 3
"""Of the descriptors that `capacity.descriptors` keeps for the store."""

CHUNK_WORKFLOWS: Final = 200
"""Workflows read in one go: about 8,000 records of ordinary bookings, a few megabytes."""

POSITIONS_MAX: Final = 50_000
"""Workflows whose position is remembered (about 25 MB); above that all are forgotten and looked up again."""


class PostgresJournal:
    """An instance's journal in a database that others may share; `ports.journal.Journal` says what is promised.

    Opening it begins an instance, closing it ends that. `ownership` says what is this instance's to act upon.
    """

    def __init__(
        self,
        address: Address,
        patience: Patience | None = None,
        terms: LeaseTerms | None = None,
        codec: RecordCodec | None = None,
    ) -> None:
        """Connect to nothing yet. `codec` says which records this program knows; by default, its own."""
        codec = codec or RecordCodec()
        self._address = address
        self._codec = codec
        self._link = Link(address, "journal", _wait_for_disk, patience)
        self._reading = StoreReading(address, codec, "look-ups", patience)
        self.ownership: Final = PostgresOwnership(
            address, self._reading, terms or LeaseTerms(), patience, self._forget, codec.format
        )
        self._positions: dict[WorkflowId, Position] = {}

    async def open(self) -> None:
        """Begin an instance; see `Journal.open`."""
        await self.ownership.join()

    async def append(self, batch: Sequence[Append]) -> None:
        """Make the batch durable; see `Journal.append`."""
        self._check_open()
        async with self._link.use(committing=True) as connection:
            try:
                await self._write(connection, batch)
            except BaseException:
                self._positions.clear()
                raise

    async def load(self, workflow_ids: Iterable[WorkflowId]) -> dict[WorkflowId, Stored]:
        """Return those of the workflows that exist; see `Journal.load`."""
        wanted = list(workflow_ids)
        found: dict[WorkflowId, Stored] = {}
        for start in range(0, len(wanted), CHUNK_WORKFLOWS):
            found |= await self._reading.load(wanted[start : start + CHUNK_WORKFLOWS])
        return found

    async def unfinished(self) -> AsyncIterator[Stored]:
        """Yield every workflow that is not done, `CHUNK_WORKFLOWS` in memory at a time; see `Journal.unfinished`."""
        async for stored in self._in_order(self._reading.unfinished):
            yield stored

    async def everything(self) -> AsyncIterator[Stored]:
        """Yield every workflow, likewise; see `Journal.everything`."""
        async for stored in self._in_order(self._reading.everything):
            yield stored

    async def _in_order(self, read: Callable[[int, int], Awaitable[tuple[int, list[Stored]]]]) -> AsyncIterator[Stored]:
        after = 0
        while True:
            after, chunk = await read(after, CHUNK_WORKFLOWS)
            for stored in chunk:
                yield stored
            if after == 0:
                return

    async def retirable(self, before: UtcMs, workflows_max: int, records_max: int) -> Sequence[Stored]:
        """Return workflows that may be retired; see `Journal.retirable`."""
        needed = self._codec.format_of(TOMBSTONE)
        return await self._reading.to_retire(before, workflows_max, records_max, needed)

    async def retire(self, tombstones: Sequence[Append]) -> int:
        """Put tombstones in the place of records; see `Journal.retire`."""
        self._check_open()
        self._forget(append.workflow_id for append in tombstones)
        needed = self._codec.format_of(TOMBSTONE)
        columns = tombstone_columns(self._codec, tombstones)
        async with self._link.use(committing=True) as connection:
            with self.ownership.ended_told():
                rows = await fetch(connection, statements.RETIRE, self.ownership.number, needed, *columns)
        return len(rows)

    async def put_catalogue(self, catalogue: Catalogue) -> None:
        """Keep a catalogue; see `Journal.put_catalogue`."""
        self._check_open()
        row = (catalogue.version, CATALOGUE_VERSION, encode_catalogue(catalogue).decode())
        async with self._link.use(committing=True) as connection:
            if not await connection.fetchval(statements.PUT_CATALOGUE, self.ownership.number, *row):
                raise self.ownership.superseded()

    async def catalogue(self, version: CatalogueVersion) -> Catalogue | None:
        """Return a catalogue that was kept; see `Journal.catalogue`."""
        return await self._reading.catalogue(version)

    async def put_template(self, template: Template) -> None:
        """Keep a template; see `Journal.put_template`."""
        await self._fenced(statements.PUT_TEMPLATE, template.key, encode_template(template))

    async def drop_template(self, key: str) -> None:
        """Let a template go; see `Journal.drop_template`."""
        await self._fenced(statements.DROP_TEMPLATE, key)

    async def _fenced(self, statement: str, *values: str) -> None:
        self._check_open()
        async with self._link.use(committing=True) as connection:
            if not await connection.fetchval(statement, self.ownership.number, *values, self.ownership.channel):
                raise self.ownership.superseded()

    async def templates(self) -> list[Template]:
        """Return all templates; see `Journal.templates`."""
        return await self._reading.templates()

    async def close(self) -> None:
        """End the instance, after whatever is being written; see `Journal.close`."""
        await self._link.close()
        await self.ownership.leave()
        await self._reading.close()

    # ------------------------------------------------------------------------------------------------- one transaction

    async def _write(self, connection: Connection, batch: Sequence[Append]) -> None:
        me = self.ownership.number
        known = await self._look_up(connection, batch)
        prepared = prepare(self._address, self._codec, batch, known)
        if prepared.repeated:
            places = list(prepared.repeated)
            rows = await fetch(connection, statements.STORED_ENTRIES, [n for n, _ in places], [s for _, s in places])
            check_same(self._address, self._codec, prepared, rows)
        if not prepared.records and not prepared.changed:
            if not await connection.fetchval(statements.IS_OURS, me):
                raise self.ownership.superseded()
            return
        row = await connection.fetchrow(statements.APPEND, me, *arguments(prepared))
        if row is None or not row[0]:
            raise self.ownership.superseded()
        assert tuple(row)[1:] == (len(prepared.changed), len(prepared.records)), "under the fence all of it is written"
        self._remember(prepared)

    async def _look_up(self, connection: Connection, batch: Sequence[Append]) -> dict[WorkflowId, Position]:
        """Return the positions of the batch's workflows; ids that are not there and were not taken are reserved."""
        asked = {append.workflow_id: append.head.ordering_key for append in batch}
        positions = {id_: self._positions[id_] for id_ in asked if id_ in self._positions}
        unknown = [id_ for id_ in asked if id_ not in positions]
        if unknown:
            positions |= await self._positions_of(connection, unknown)
            missing = [id_ for id_ in unknown if id_ not in positions]
            if missing:
                await self.ownership.reserve(connection, [(id_, asked[id_]) for id_ in missing])
                positions |= await self._positions_of(connection, missing)
        return positions

    async def _positions_of(self, connection: Connection, ids: Sequence[WorkflowId]) -> dict[WorkflowId, Position]:
        rows = await fetch(connection, statements.POSITIONS, list(ids))
        return {WorkflowId(id_): Position(number, seq, None, form, gone) for id_, number, seq, form, gone in rows}

    def _remember(self, written: Prepared) -> None:
        if len(self._positions) > POSITIONS_MAX:
            self._positions.clear()
        for workflow_id, position in written.positions.items():
            if position.head is None or position.head.done:
                self._positions.pop(workflow_id, None)
            else:
                self._positions[workflow_id] = position

    def _forget(self, workflows: Iterable[WorkflowId]) -> None:
        for workflow_id in workflows:
            self._positions.pop(workflow_id, None)

    def _check_open(self) -> None:
        if not self.ownership.number:
            raise JournalUnavailableError(f"the store {self._address} is not open")


async def _wait_for_disk(connection: Connection) -> None:
    """Make commits wait for the disk, whatever the database's default is."""
    await connection.execute(statements.WAIT_FOR_DISK)
