"""Heads and entries as rows of the store, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from jada_orchestrator.adapters.journal.codec import KINDS, RecordCodec
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.model_calls import LEDGER_RECORDS, ModelCall, calls_of
from jada_orchestrator.domain.records import Entry, WorkflowRetired
from jada_orchestrator.ports.journal import Append, Head, JournalCorruptError, Stored

Row: TypeAlias = tuple[Any, ...]
"""Values in the order of `statements.HEAD_COLUMNS` or `statements.RECORD_COLUMNS`."""

LEDGER_KINDS: Final = tuple(kind for kind, cls in KINDS.items() if cls in LEDGER_RECORDS)
"""The kinds of records that tell of a call of the model."""
TOMBSTONE: Final = "workflow_retired"
"""The kind of what stands in the place of a workflow's first records, with the number of the last of them."""
FOUND_MAX: Final = 20
"""Workflows that a prefix may name."""
BEYOND_ANY: Final = "\U0010ffff"
"""Sorts after every character that an id may hold."""


def head_row(number: int, workflow_id: WorkflowId, head: Head) -> Row:
    """Return the row of a head. A lone surrogate, which SQLite cannot hold, becomes ``?``: lists only show it."""
    return (
        number,
        workflow_id,
        _storable(head.request_id),
        _storable(head.tenant),
        head.status,
        _storable(head.model),
        head.created_at,
        head.finished_at,
        None if head.ordering_key is None else _storable(head.ordering_key),
        head.catalogue_version,
        int(head.done),
        int(head.quarantined),
        int(head.rejected),
        int(head.retired),
    )


def head_of(row: Row) -> tuple[int, WorkflowId, Head]:
    """Return the number, the id and the head that a row stands for."""
    head = Head(
        request_id=row[2],
        tenant=row[3],
        status=row[4],
        model=row[5],
        created_at=UtcMs(row[6]),
        finished_at=None if row[7] is None else UtcMs(row[7]),
        ordering_key=row[8],
        catalogue_version=CatalogueVersion(row[9]),
        done=bool(row[10]),
        quarantined=bool(row[11]),
        rejected=bool(row[12]),
        retired=bool(row[13]),
    )
    return row[0], WorkflowId(row[1]), head


def entry_row(codec: RecordCodec, number: int, entry: Entry) -> Row:
    """Return the row of an entry of the workflow with that number. Raises: JournalCorruptError."""
    encoded = codec.encode(entry.record)
    return (number, entry.seq, entry.at, encoded.kind, encoded.version, encoded.payload.decode())


def begins_retired(append: Append, last: int) -> bool:
    """Tell whether an append is a workflow's first, `last` being 0, and begins with its tombstone."""
    return last == 0 and bool(append.entries) and isinstance(append.entries[0].record, WorkflowRetired)


def stored_of(codec: RecordCodec, head_rows: Iterable[Row], record_rows: Iterable[Row]) -> list[Stored]:
    """Return workflows with their entries; `record_rows` are in order of workflow, and of seq within each.

    Raises:
        JournalCorruptError: a record is damaged or missing.
        JournalVersionError: a newer program wrote one.
    """
    entries: dict[int, list[Entry]] = {}
    own: list[Entry] = []
    of = expected = 0
    decode = codec.decode
    for number, seq, at, kind, version, payload in record_rows:
        if number != of:
            of, own = number, entries.setdefault(number, [])
            expected = seq - 1 if kind == TOMBSTONE else 0
        expected += 1
        if seq != expected:
            msg = f"record {expected} of workflow number {number} is missing: restore the store from a backup"
            raise JournalCorruptError(msg)
        own.append(Entry(seq, at, decode(kind, version, payload)))
    return [
        Stored(workflow_id, head, tuple(entries.get(number, ())))
        for number, workflow_id, head in map(head_of, head_rows)
    ]


def within(rows: Iterable[Row], records_max: int) -> list[Row]:
    """Return the first rows of heads that have so many records together, but one at least; each row ends by its own."""
    chosen: list[Row] = []
    for row in rows:
        records_max -= row[-1]
        if chosen and records_max < 0:
            break
        chosen.append(row)
    return chosen


def heads_of(rows: Iterable[Row]) -> list[tuple[WorkflowId, Head]]:
    """Return the ids and heads that rows stand for."""
    return [(workflow_id, head) for _, workflow_id, head in map(head_of, rows)]


def model_calls_of(codec: RecordCodec, rows: Iterable[Row]) -> list[ModelCall]:
    """Return the calls of the model that rows of `statements.MODEL_CALLS` stand for, in order.

    Raises: JournalCorruptError, JournalVersionError.
    """
    return [
        call
        for id_, request_id, tenant, model, seq, at, kind, version, payload in rows
        for call in calls_of(
            WorkflowId(id_), request_id, tenant, model, [Entry(seq, UtcMs(at), codec.decode(kind, version, payload))]
        )
    ]


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
