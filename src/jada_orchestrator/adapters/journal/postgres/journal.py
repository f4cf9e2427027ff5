"""The journal on PostgreSQL: `ports.journal.Journal` with one connection that writes and one that reads.

A turn is one statement (`statements.APPEND`): one transaction, one journey to the server. Positions of the workflows
that this process wrote are remembered, because every commit checks that the epoch is ours: then nobody else has written
since. After any trouble they are forgotten and looked up again, and what is there already is compared and not doubled.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from jada_orchestrator.adapters.journal.codec import CATALOGUE_VERSION, RecordCodec, encode_catalogue
from jada_orchestrator.adapters.journal.postgres import statements
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.batches import Position, Prepared, arguments, check_same, prepare
from jada_orchestrator.adapters.journal.postgres.connecting import Connection, Link, Patience, fetch
from jada_orchestrator.adapters.journal.postgres.reading import StoreReading
from jada_orchestrator.adapters.journal.postgres.schema import migrate
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.ports.journal import (
    Append,
    JournalInUseError,
    JournalSupersededError,
    JournalUnavailableError,
    Stored,
)

CONNECTIONS: Final = 2
"""Of the descriptors that `capacity.descriptors` keeps for the store."""

CHUNK_WORKFLOWS: Final = 200
"""Workflows read in one go: about 8,000 records of ordinary bookings, a few megabytes."""

POSITIONS_MAX: Final = 50_000
"""Workflows whose position is remembered (about 25 MB); above that all are forgotten and looked up again."""

_LOCK: Final = 0x4A414442
"""The advisory lock of the one who writes; with the schema's name as its second half."""


class PostgresJournal:
    """A journal in a database. Opening it takes the store over; `ports.journal.Journal` says what each method promises.

    While its session lives it holds an advisory lock, so that a second daemon is refused; what keeps one that was cut
    off and superseded from writing is the epoch alone.
    """

    def __init__(self, address: Address, patience: Patience | None = None) -> None:
        """Connect to nothing yet."""
        codec = RecordCodec()
        self._address = address
        self._codec = codec
        self._link = Link(address, "journal", self._hold, patience)
        self._reading = StoreReading(address, codec, "look-ups", patience)
        self._epoch = 0
        self._positions: dict[WorkflowId, Position] = {}

    async def open(self) -> None:
        """Take the store over; see `Journal.open`."""
        try:
            await self._open()
        except BaseException:
            await self._link.disconnect()
            raise

    async def _open(self) -> None:
        async with self._link.use() as connection:
            await migrate(self._address, connection)
            if not await self._take(connection):
                holder = await connection.fetchval(statements.HOLDER)
                raise JournalInUseError(
                    f"the store {self._address} is in use by process {holder}: stop that daemon, or give this one a "
                    "store of its own (JADA_STORE)"
                )
            me = f"{os.getpid()} on {socket.gethostname()}"
            self._epoch = await connection.fetchval(statements.RAISE_EPOCH, me)

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
        after = 0
        while True:
            after, chunk = await self._reading.unfinished(after, CHUNK_WORKFLOWS)
            for stored in chunk:
                yield stored
            if after == 0:
                return

    async def put_catalogue(self, catalogue: Catalogue) -> None:
        """Keep a catalogue; see `Journal.put_catalogue`."""
        self._check_open()
        row = (catalogue.version, CATALOGUE_VERSION, encode_catalogue(catalogue).decode())
        async with self._link.use(committing=True) as connection:
            if not await connection.fetchval(statements.PUT_CATALOGUE, self._epoch, *row):
                raise self._superseded()

    async def catalogue(self, version: CatalogueVersion) -> Catalogue | None:
        """Return a catalogue that was kept; see `Journal.catalogue`."""
        return await self._reading.catalogue(version)

    async def close(self) -> None:
        """Release the store, after whatever is being written; see `Journal.close`."""
        await self._reading.close()
        await self._link.close()

    # ------------------------------------------------------------------------------------------------- one transaction

    async def _write(self, connection: Connection, batch: Sequence[Append]) -> None:
        known = await self._look_up(connection, batch)
        prepared = prepare(self._address, self._codec, batch, known)
        if prepared.repeated:
            places = list(prepared.repeated)
            rows = await fetch(connection, statements.STORED_ENTRIES, [n for n, _ in places], [s for _, s in places])
            check_same(self._address, self._codec, prepared, rows)
        if not prepared.records and not prepared.changed:
            if not await connection.fetchval(statements.IS_OURS, self._epoch):
                raise self._superseded()
            return
        row = await connection.fetchrow(statements.APPEND, self._epoch, *arguments(prepared, known))
        if row is None or not row[0]:
            raise self._superseded()
        assert row[1] == len(prepared.records), "a statement under the fence writes all of its records"
        self._remember(prepared, dict(zip(row[2] or (), row[3] or (), strict=True)))

    async def _look_up(self, connection: Connection, batch: Sequence[Append]) -> dict[WorkflowId, Position]:
        """Return the positions of those workflows of the batch that exist."""
        asked = {append.workflow_id for append in batch}
        positions = {id_: self._positions[id_] for id_ in asked if id_ in self._positions}
        unknown = [id_ for id_ in asked if id_ not in positions]
        if unknown:
            for workflow_id, number, seq in await fetch(connection, statements.POSITIONS, unknown):
                positions[WorkflowId(workflow_id)] = Position(number, seq, None)
        return positions

    def _remember(self, written: Prepared, numbers: dict[WorkflowId, int]) -> None:
        if len(self._positions) > POSITIONS_MAX:
            self._positions.clear()
        for workflow_id, position in written.positions.items():
            number = numbers.get(workflow_id, position.number)
            if position.head is None or position.head.done or number is None:
                self._positions.pop(workflow_id, None)
            else:
                self._positions[workflow_id] = Position(number, position.seq, position.head)

    # --------------------------------------------------------------------------------------------------- who may write

    async def _hold(self, connection: Connection) -> None:
        """Make commits wait for the disk, whatever the database's default is, and take the lock again if it was ours.

        If somebody else has it by now, the epoch tells: it alone decides who may write.
        """
        await connection.execute(statements.WAIT_FOR_DISK)
        if self._epoch:
            await self._take(connection)

    async def _take(self, connection: Connection) -> bool:
        return bool(await connection.fetchval(statements.TAKE_STORE, _LOCK, self._address.schema))

    def _check_open(self) -> None:
        if not self._epoch:
            raise JournalUnavailableError(f"the store {self._address} is not open")

    def _superseded(self) -> JournalSupersededError:
        return JournalSupersededError(
            f"another process has taken the store {self._address} over (our epoch was {self._epoch}): this one must "
            "stop; find out why two ran"
        )
