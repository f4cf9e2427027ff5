"""A batch of appends as what one statement writes: checked against what is known to be in the store, and encoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from jada_orchestrator.adapters.journal.codec import RecordCodec
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.rows import begins_retired, head_row
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.ports.journal import Append, Head, JournalCorruptError

Columns: TypeAlias = list[list[Any]]
_HEAD_WIDTH = 14
_FLAGS = 4
"""Of a head's values so many are booleans, at the end."""
_RECORD_WIDTH = 6
_KIND = 3
"""The place of the kind in a record's row."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a workflow is in the store: its number, its last seq (0: only its id is reserved), its head if known.

    `format` is the newest of its records'. Up to `retired` there are no records but the one with that number, which
    stands for all of them.
    """

    number: int
    seq: int
    head: Head | None
    format: int = 1
    retired: int = 0


@dataclass(slots=True)
class Prepared:
    """What one commit writes, and what is known once it has happened."""

    changed: dict[WorkflowId, Head] = field(default_factory=dict)
    records: list[tuple[Any, ...]] = field(default_factory=list)
    """Number, seq, at, kind, version, payload."""
    repeated: dict[tuple[int, int], tuple[WorkflowId, Entry]] = field(default_factory=dict)
    """By number and seq: entries that are there already, and have to be the same."""
    positions: dict[WorkflowId, Position] = field(default_factory=dict)


def prepare(
    address: Address, codec: RecordCodec, batch: Sequence[Append], known: Mapping[WorkflowId, Position]
) -> Prepared:
    """Return what is to be written; `known` has the positions of all workflows of the batch.

    Raises: JournalCorruptError, when an append does not follow on what is there.
    """
    prepared = Prepared()
    for append in batch:
        workflow_id = append.workflow_id
        position = prepared.positions.get(workflow_id) or known[workflow_id]
        before = len(prepared.records)
        last = _add_entries(address, codec, prepared, append, position)
        if last < position.seq or last == position.retired:
            continue  # all of it is there already, and the head beside it is newer
        needed = max([codec.format_of(row[_KIND]) for row in prepared.records[before:]], default=1)
        if position.head != append.head or needed > position.format:
            prepared.changed[workflow_id] = append.head
        newest = max(needed, position.format)
        prepared.positions[workflow_id] = Position(position.number, last, append.head, newest, position.retired)
    return prepared


def arguments(prepared: Prepared) -> Columns:
    """Return the arrays of `statements.APPEND`, without the instance."""
    heads = (_storable(head_row(prepared.positions[id_].number, id_, head)) for id_, head in prepared.changed.items())
    numbers = [position.number for position in prepared.positions.values()]
    formats = [prepared.positions[id_].format for id_ in prepared.changed]
    return [numbers, *_columns(heads, _HEAD_WIDTH), *_columns(prepared.records, _RECORD_WIDTH), formats]


def tombstone_columns(codec: RecordCodec, tombstones: Sequence[Append]) -> Columns:
    """Return the arrays of `statements.RETIRE`: ids, seqs, instants, kinds, versions and payloads of tombstones."""
    rows = []
    for append in tombstones:
        [entry] = append.entries
        encoded = codec.encode(entry.record)
        payload = encoded.payload.decode()
        rows.append((append.workflow_id, entry.seq, entry.at, encoded.kind, encoded.version, payload))
    return _columns(rows, _RECORD_WIDTH)


def check_same(address: Address, codec: RecordCodec, prepared: Prepared, stored: Iterable[Sequence[Any]]) -> None:
    """See that entries that are there already are the same ones. Raises: JournalCorruptError."""
    there = {(row[0], row[1]): Entry(row[1], UtcMs(row[2]), codec.decode(row[3], row[4], row[5])) for row in stored}
    for place, (workflow_id, entry) in prepared.repeated.items():
        if there.get(place) != entry:
            raise JournalCorruptError(
                f"record {entry.seq} of {workflow_id} in the store {address} is another one than the one that was to "
                "be written: nothing was written"
            )


def _add_entries(address: Address, codec: RecordCodec, prepared: Prepared, append: Append, position: Position) -> int:
    """Add the rows of the entries that are new, and return the seq of the append's last entry."""
    expected = append.entries[0].seq if append.entries else position.seq + 1
    if (expected > position.seq + 1 and not begins_retired(append, position.seq)) or expected < 1:
        raise JournalCorruptError(
            f"{append.workflow_id} has {position.seq} records in the store {address}, and number {expected} was to be "
            "written: one of the two is wrong, and nothing was written"
        )
    for entry in append.entries:
        if entry.seq != expected:
            raise JournalCorruptError(
                f"the entries of {append.workflow_id} are not in order: {entry.seq} is where {expected} belongs"
            )
        expected += 1
        if entry.seq > position.seq:
            encoded = codec.encode(entry.record)
            prepared.records.append(
                (
                    position.number,
                    entry.seq,
                    entry.at,
                    encoded.kind,
                    encoded.version,
                    encoded.payload.decode(),
                )
            )
        elif entry.seq > position.retired:
            prepared.repeated[position.number, entry.seq] = (append.workflow_id, entry)
    return expected - 1


def _columns(rows: Iterable[Sequence[Any]], width: int) -> Columns:
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]


def _storable(row: Sequence[Any]) -> list[Any]:
    """Return a head's row as PostgreSQL takes it: booleans at the end, and no NUL in a text, which lists only show."""
    values, flags = row[:-_FLAGS], row[-_FLAGS:]
    texts = [value.replace("\0", "?") if isinstance(value, str) else value for value in values]
    return [*texts, *map(bool, flags)]
