"""The writer's side of the store, without asyncio: everything here runs on the one writer thread."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec import Struct

from jada_orchestrator.adapters.journal import files, statements
from jada_orchestrator.adapters.journal.codec import CATALOGUE_VERSION, RecordCodec, encode_catalogue, encode_template
from jada_orchestrator.adapters.journal.complaints import complaints_of, journal_error_of
from jada_orchestrator.adapters.journal.lock import StoreLock
from jada_orchestrator.adapters.journal.rows import Row, begins_retired, entry_row, head_row
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.template import Template
from jada_orchestrator.ports.journal import (
    Append,
    Head,
    JournalCorruptError,
    JournalError,
    JournalSupersededError,
    JournalUnavailableError,
)

POSITIONS_MAX: Final = 50_000
"""Workflows whose position is remembered (about 25 MB); above that all are forgotten and looked up again."""

_KEEPS_THE_CONNECTION: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""After these a rolled back connection is as good as new; after others it is opened again."""


class _Position(Struct, frozen=True, gc=False):
    """Where a workflow is in the store: its number, its last seq, and its head as it was last written, if known.

    Up to `retired` there are no records but the one with that number, which stands for all of them.
    """

    number: int
    seq: int
    head: Head | None
    retired: int = 0


@dataclass(slots=True)
class _Batch:
    """What one commit writes, and what is known once it has happened."""

    records: list[Row]
    heads: dict[int, Row]
    positions: dict[WorkflowId, _Position]
    next_number: int


class StoreWriter:
    """Appends batches. Holds the lock, the epoch, and the positions of the workflows that it wrote itself.

    What was read before a commit (positions, records that may be there already) still holds in it, because every commit
    checks that the epoch is ours: then nobody else has written since.
    """

    def __init__(self, path: Path, codec: RecordCodec) -> None:
        self._path = path
        self._codec = codec
        self._lock: StoreLock | None = None
        self._connection: sqlite3.Connection | None = None
        self._epoch = 0
        self._inode = (0, 0)
        self._next_number = 0
        self._positions: dict[WorkflowId, _Position] = {}

    def open(self) -> None:
        """Lock the store, check and migrate it, raise its epoch. Raises: JournalError."""
        lock = StoreLock.take(self._path)
        try:
            files.check_version(self._path)
            connection = files.open_for_writing(self._path)
            try:
                files.migrate(self._path, connection)
                with complaints_of(self._path):
                    holder = f"{os.getpid()} on {socket.gethostname()}"
                    self._epoch = int(connection.execute(statements.RAISE_EPOCH, (holder,)).fetchall()[0][0])
                self._use(connection)
            except JournalError:
                connection.close()
                raise
        except JournalError:
            lock.release()
            raise
        status = self._path.stat()
        self._inode = (status.st_dev, status.st_ino)
        self._lock = lock

    def append(self, batch: Sequence[Append]) -> None:
        """Make the batch durable in one commit, or nothing of it. Raises: JournalError.

        A small batch that changes no head, which is what one running booking brings, is one statement instead of a
        transaction of several: a quarter of the times at which this thread must wait for the interpreter.
        """
        connection = self._ready_connection()
        with self._recovering(connection):
            prepared = self._prepare(connection, batch)
        if prepared.records and not prepared.heads and len(prepared.records) <= statements.FENCED_ROWS_MAX:
            with self._recovering(connection, committing=True):
                self._insert_fenced(connection, prepared.records)
        else:
            self._commit(connection, partial(_write, prepared))
        self._remember(prepared)

    def retire(self, tombstones: Sequence[Append]) -> int:
        """Put tombstones in the place of records, in one commit; return how many were put. Raises: JournalError."""
        connection = self._ready_connection()
        wanted = json.dumps([(append.workflow_id, append.entries[0].seq) for append in tombstones])
        prepared = _Batch([], {}, {}, self._next_number)

        def write(connection: sqlite3.Connection) -> None:
            found = json.loads(connection.execute(statements.STILL_TO_RETIRE, (wanted,)).fetchone()[0])
            for place, number in found:
                append = tombstones[place]
                prepared.heads[number] = head_row(number, append.workflow_id, append.head)
                prepared.records.append(entry_row(self._codec, number, append.entries[0]))
            connection.execute(statements.RETIRE, (json.dumps([row[:2] for row in prepared.records]),))
            _write(prepared, connection)

        self._commit(connection, write)
        return len(prepared.records)

    def put_catalogue(self, catalogue: Catalogue) -> None:
        """Keep a catalogue under its version. Raises: JournalError."""
        row = (catalogue.version, CATALOGUE_VERSION, encode_catalogue(catalogue).decode())
        self._commit(self._ready_connection(), lambda connection: connection.execute(statements.PUT_CATALOGUE, row))

    def put_template(self, template: Template) -> None:
        """Keep a template under its key. Raises: JournalError."""
        row = (template.key, encode_template(template))
        self._commit(self._ready_connection(), lambda connection: connection.execute(statements.PUT_TEMPLATE, row))

    def drop_template(self, key: str) -> None:
        """Let a template go. Raises: JournalError."""
        self._commit(self._ready_connection(), lambda connection: connection.execute(statements.DROP_TEMPLATE, (key,)))

    def close(self) -> None:
        """Close the store and let it go. May be called twice."""
        self._drop_connection()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # ------------------------------------------------------------------------------------------------- one transaction

    def _commit(self, connection: sqlite3.Connection, write: Callable[[sqlite3.Connection], object]) -> None:
        """Run `write` in a transaction that is ours by its epoch; whatever goes wrong, the next call can try again."""
        with self._recovering(connection):
            connection.execute("BEGIN IMMEDIATE")
            self._check_epoch(connection)
            write(connection)
        with self._recovering(connection, committing=True):
            connection.execute("COMMIT")

    def _insert_fenced(self, connection: sqlite3.Connection, records: Sequence[Row]) -> None:
        """Insert the records in one statement that does nothing unless the epoch is ours."""
        size = 1 << (len(records) - 1).bit_length()
        values = [*chain.from_iterable(records), *(None,) * (size - len(records)) * len(records[0]), self._epoch]
        if connection.execute(statements.insert_fenced(size), values).rowcount != len(records):
            self._check_epoch(connection)

    @contextmanager
    def _recovering(self, connection: sqlite3.Connection, *, committing: bool = False) -> Iterator[None]:
        """Turn SQLite's errors into the journal's, and leave everything so that the next call can try again."""
        try:
            yield
        except sqlite3.Error as error:
            self._recover(connection, error)
            raise journal_error_of(self._path, error, committing=committing) from error
        except BaseException:
            self._recover(connection, None)
            raise

    def _recover(self, connection: sqlite3.Connection, error: sqlite3.Error | None) -> None:
        """Leave no transaction open, forget what may not be so, and give up a connection that cannot be trusted."""
        self._positions.clear()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if error is not None and code not in _KEEPS_THE_CONNECTION:
            self._drop_connection()
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._next_number = 0
        except sqlite3.Error:
            self._drop_connection()  # it is opened anew by the next call, which then reports what is wrong

    def _check_epoch(self, connection: sqlite3.Connection) -> None:
        row = connection.execute(statements.SELECT_EPOCH).fetchone()
        if row is None:
            msg = f"the store {self._path} has lost its epoch: restore it from a backup"
            raise JournalCorruptError(msg)
        if row[0] != self._epoch:
            msg = (
                f"another process has taken the store {self._path} over (epoch {row[0]}, ours was {self._epoch}): "
                "this one must stop; find out why two ran"
            )
            raise JournalSupersededError(msg)

    def _check_place(self) -> None:
        """See that the file is still where it was: a moved or deleted one would be written to in vain."""
        try:
            status = self._path.stat()
        except OSError as error:
            msg = f"the store {self._path} is gone ({error.strerror}): put the file back, nothing was written meanwhile"
            raise JournalUnavailableError(msg) from error
        if (status.st_dev, status.st_ino) != self._inode:
            msg = f"another file was put in the place of the store {self._path}: this process must stop"
            raise JournalSupersededError(msg)

    def _ready_connection(self) -> sqlite3.Connection:
        self._check_place()
        if self._lock is None:
            msg = f"the store {self._path} is not open"
            raise JournalUnavailableError(msg)
        if self._connection is None:
            self._connection = files.open_for_writing(self._path)
        if self._next_number == 0:
            with complaints_of(self._path):
                self._use(self._connection)
        return self._connection

    def _use(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._next_number = int(connection.execute(statements.NEXT_NUMBER).fetchone()[0])

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        self._positions.clear()
        self._next_number = 0
        if connection is None:
            return
        try:
            connection.close()
        except sqlite3.Error:
            # Closing tries to bring the log into the main file, which a sick disk may refuse; all of it is in the log
            # still, and whoever opens the store next reads it there.
            return

    # -------------------------------------------------------------------------------------------------- what to write

    def _prepare(self, connection: sqlite3.Connection, batch: Sequence[Append]) -> _Batch:
        """Check every append against what is durable and return the rows to write."""
        prepared = _Batch([], {}, self._look_up(connection, batch), self._next_number)
        for append in batch:
            workflow_id = append.workflow_id
            position = prepared.positions.get(workflow_id)
            if position is None:
                position = _Position(prepared.next_number, 0, None)
                prepared.next_number += 1
            last = self._add_entries(connection, prepared, append, position)
            if last < position.seq or last == position.retired:
                continue  # the whole append is an older one that is there already; the head in the store is newer
            if append.head is not position.head and append.head != position.head:
                prepared.heads[position.number] = head_row(position.number, workflow_id, append.head)
            prepared.positions[workflow_id] = _Position(position.number, last, append.head, position.retired)
        return prepared

    def _look_up(self, connection: sqlite3.Connection, batch: Sequence[Append]) -> dict[WorkflowId, _Position]:
        """Return the positions of those workflows of the batch that exist."""
        known = {append.workflow_id: self._positions.get(append.workflow_id) for append in batch}
        positions = {workflow_id: position for workflow_id, position in known.items() if position is not None}
        unknown = [workflow_id for workflow_id, position in known.items() if position is None]
        if unknown:
            text = connection.execute(statements.POSITIONS, (json.dumps(unknown),)).fetchone()[0]
            for workflow_id, number, seq, retired in json.loads(text):
                positions[WorkflowId(workflow_id)] = _Position(number, seq, None, retired)
        return positions

    def _add_entries(
        self, connection: sqlite3.Connection, prepared: _Batch, append: Append, position: _Position
    ) -> int:
        """Add the rows of the entries that are new, and return the seq of the append's last entry."""
        expected = append.entries[0].seq if append.entries else position.seq + 1
        if (expected > position.seq + 1 and not begins_retired(append, position.seq)) or expected < 1:
            msg = (
                f"{append.workflow_id} has {position.seq} records in the store {self._path}, and number {expected} was "
                "to be written: one of the two is wrong, and nothing was written"
            )
            raise JournalCorruptError(msg)
        for entry in append.entries:
            if entry.seq != expected:
                msg = f"the entries of {append.workflow_id} are not in order: {entry.seq} is where {expected} belongs"
                raise JournalCorruptError(msg)
            expected += 1
            row = entry_row(self._codec, position.number, entry)
            if entry.seq > position.seq:
                prepared.records.append(row)
            elif entry.seq > position.retired:
                self._check_same(connection, append.workflow_id, row, entry)
        return expected - 1

    def _check_same(self, connection: sqlite3.Connection, workflow_id: WorkflowId, row: Row, entry: Entry) -> None:
        """See that an entry that is there already is the same one."""
        stored = connection.execute(statements.STORED_ENTRY, row[:2]).fetchone()
        if stored == row[2:]:
            return
        if stored is not None:
            at, kind, version, payload = stored
            if Entry(entry.seq, UtcMs(at), self._codec.decode(kind, version, payload)) == entry:
                return
        msg = (
            f"record {entry.seq} of {workflow_id} in the store {self._path} is another one than the one that was to be "
            "written: nothing was written"
        )
        raise JournalCorruptError(msg)

    def _remember(self, written: _Batch) -> None:
        self._next_number = written.next_number
        if len(self._positions) > POSITIONS_MAX:
            self._positions.clear()
        for workflow_id, position in written.positions.items():
            if position.head is None or position.head.done:
                self._positions.pop(workflow_id, None)
            else:
                self._positions[workflow_id] = position


def _write(prepared: _Batch, connection: sqlite3.Connection) -> None:
    """Write heads and records of a batch."""
    for chunk in statements.by_powers_of_two(list(prepared.heads.values())):
        connection.execute(statements.upsert_heads(len(chunk)), list(chain.from_iterable(chunk)))
    for chunk in statements.by_powers_of_two(prepared.records):
        connection.execute(statements.insert_records(len(chunk)), list(chain.from_iterable(chunk)))
