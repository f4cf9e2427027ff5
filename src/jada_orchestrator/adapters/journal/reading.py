"""The reader's side of the store, without asyncio: everything here runs on one reading thread.

Every question is one short read transaction whose rows are taken at once, so that no reader ever holds the
write-ahead log back while somebody thinks.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from jada_orchestrator.adapters.journal import files, statements
from jada_orchestrator.adapters.journal.codec import RecordCodec, decode_catalogue, decode_template
from jada_orchestrator.adapters.journal.complaints import journal_error_of
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

_Result = TypeVar("_Result")


class StoreReading:
    """Answers questions about the store. The connection is opened by the first one, and again after an error."""

    def __init__(self, path: Path, codec: RecordCodec) -> None:
        self._path = path
        self._codec = codec
        self._connection: sqlite3.Connection | None = None

    def load(self, workflow_ids: Sequence[WorkflowId]) -> dict[WorkflowId, Stored]:
        """Return those of the workflows that exist. Raises: JournalError."""

        def read(connection: sqlite3.Connection) -> list[Stored]:
            rows = connection.execute(statements.HEADS_BY_ID, (json.dumps(workflow_ids),)).fetchall()
            return self._with_entries(connection, rows)

        return {stored.workflow_id: stored for stored in self._read(read)}

    def unfinished(self, after: int, workflows_max: int) -> tuple[int, list[Stored]]:
        """Return the next unfinished workflows in order of acceptance, and the number to go on after (0: no more).

        Raises: JournalError.
        """
        return self._in_order(statements.HEADS_UNFINISHED, after, workflows_max)

    def everything(self, after: int, workflows_max: int) -> tuple[int, list[Stored]]:
        """Return the next workflows, finished or not, likewise. Raises: JournalError."""
        return self._in_order(statements.HEADS_ALL, after, workflows_max)

    def to_retire(self, before: UtcMs, workflows_max: int, records_max: int) -> list[Stored]:
        """Return the oldest workflows that may be retired, with their entries. Raises: JournalError."""

        def read(connection: sqlite3.Connection) -> list[Stored]:
            rows = connection.execute(statements.HEADS_TO_RETIRE, (before, workflows_max)).fetchall()
            return self._with_entries(connection, within(rows, records_max))

        return self._read(read)

    def count_to_retire(self, before: UtcMs) -> Retirable:
        """Count the workflows that may be retired, and their records. Raises: JournalError."""
        row = self._read(lambda connection: connection.execute(statements.COUNT_TO_RETIRE, (before,)).fetchone())
        return Retirable(*row)

    def catalogue(self, version: CatalogueVersion) -> Catalogue | None:
        """Return a catalogue that was kept, or None. Raises: JournalError."""
        row = self._read(lambda connection: connection.execute(statements.SELECT_CATALOGUE, (version,)).fetchone())
        return None if row is None else decode_catalogue(row[0], row[1])

    def templates(self) -> list[Template]:
        """Return all templates; none of a store that only older programs have written. Raises: JournalError."""

        def read(connection: sqlite3.Connection) -> list[Row]:
            if connection.execute(statements.HAS_TEMPLATES).fetchone() is None:
                return []
            return connection.execute(statements.SELECT_TEMPLATES).fetchall()

        return [decode_template(row[0]) for row in self._read(read)]

    def find(self, prefix: str) -> list[tuple[WorkflowId, Head]]:
        """Return the workflows that an exact id, or else a prefix, names. Raises: JournalError."""

        def read(connection: sqlite3.Connection) -> list[Row]:
            exact = connection.execute(statements.HEADS_EXACT, (prefix, FOUND_MAX)).fetchall()
            if exact:
                return exact
            return connection.execute(statements.HEADS_BY_PREFIX, (prefix, prefix + BEYOND_ANY, FOUND_MAX)).fetchall()

        return heads_of(self._read(read)) if prefix.isprintable() else []

    def heads(
        self, status: str | None, tenant: str | None, limit: int, *, quarantined: bool, unsettled: bool
    ) -> list[tuple[WorkflowId, Head]]:
        """Return the newest workflows first. Raises: JournalError."""
        wanted = (status, tenant, int(quarantined), int(unsettled), limit)
        return heads_of(self._read(lambda connection: connection.execute(statements.HEADS_NEWEST, wanted).fetchall()))

    def model_calls(self, since: UtcMs | None, until: UtcMs | None, workflow_id: WorkflowId | None) -> list[ModelCall]:
        """Return the model calls that ended in a period, by workflow, in order. Raises: JournalError."""
        wanted = (json.dumps(LEDGER_KINDS), since, until, workflow_id)
        rows = self._read(lambda connection: connection.execute(statements.MODEL_CALLS, wanted).fetchall())
        return model_calls_of(self._codec, rows)

    def close(self) -> None:
        """Close the connection. May be called twice; the next question opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _in_order(self, statement: str, after: int, workflows_max: int) -> tuple[int, list[Stored]]:
        def read(connection: sqlite3.Connection) -> tuple[int, list[Stored]]:
            rows = connection.execute(statement, (after, workflows_max)).fetchall()
            return (rows[-1][0] if rows else 0), self._with_entries(connection, rows)

        return self._read(read)

    def _with_entries(self, connection: sqlite3.Connection, head_rows: list[Row]) -> list[Stored]:
        numbers = json.dumps([row[0] for row in head_rows])
        return stored_of(self._codec, head_rows, connection.execute(statements.RECORDS_OF, (numbers,)).fetchall())

    def _read(self, question: Callable[[sqlite3.Connection], _Result]) -> _Result:
        if self._connection is None:
            self._connection = files.open_for_reading(self._path)
        try:
            with _transaction(self._connection):
                return question(self._connection)
        except sqlite3.Error as error:
            self.close()
            raise journal_error_of(self._path, error) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One snapshot for all of a question's statements."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
