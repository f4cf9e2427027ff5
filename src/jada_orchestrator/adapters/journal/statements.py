"""Every SQL statement of the journal, by name.

Batches are inserted many rows a statement rather than with ``executemany``: Python gives the interpreter lock up and
takes it back at every step of a statement, and while the event loop is busy taking it back lasts five milliseconds. A
batch of 1,000 rows inserted row by row beside a busy loop takes three seconds, the same batch in two statements 50 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

ROWS_MAX: Final = 512
"""Rows in one statement: 512 x 14 columns stay well under SQLite's limit of 32,766 variables."""

FENCED_ROWS_MAX: Final = 128
"""Records that are inserted in one fenced statement; with more, waiting for the interpreter matters little."""

_Row = TypeVar("_Row")

SELECT_EPOCH: Final = "SELECT epoch FROM store"
RAISE_EPOCH: Final = "UPDATE store SET epoch = epoch + 1, holder = ? RETURNING epoch"
NEXT_NUMBER: Final = "SELECT coalesce(max(number), 0) + 1 FROM workflows"

RECORD_COLUMNS: Final = "workflow, seq, at, kind, version, payload"
HEAD_COLUMNS: Final = (
    "number, workflow_id, request_id, tenant, status, model, created_at, finished_at, ordering_key, "
    "catalogue_version, done, quarantined, rejected, retired"
)

POSITIONS: Final = """
    SELECT json_group_array(json_array(
        workflow_id, number, (SELECT coalesce(max(seq), 0) FROM records WHERE workflow = number),
        CASE WHEN retired THEN (SELECT min(seq) FROM records WHERE workflow = number) ELSE 0 END))
    FROM workflows WHERE workflow_id IN (SELECT value FROM json_each(?))
"""
"""One row for all workflows asked for (a JSON list of ids), for the reason above."""

STORED_ENTRY: Final = "SELECT at, kind, version, payload FROM records WHERE workflow = ? AND seq = ?"

TO_RETIRE: Final = "done = 1 AND retired = 0 AND quarantined = 0 AND status <> 'needs_attention'"
"""The words of the index `workflows_to_retire`."""
HEADS_TO_RETIRE: Final = (
    f"SELECT {HEAD_COLUMNS}, (SELECT max(seq) FROM records WHERE workflow = number) "  # noqa: S608 - constants
    f"FROM workflows WHERE {TO_RETIRE} AND finished_at < ? ORDER BY finished_at LIMIT ?"
)
COUNT_TO_RETIRE: Final = (
    "SELECT count(*), coalesce(sum((SELECT count(*) FROM records WHERE workflow = number)), 0) "  # noqa: S608 - constants
    f"FROM workflows WHERE {TO_RETIRE} AND finished_at < ?"
)
STILL_TO_RETIRE: Final = f"""
    SELECT json_group_array(json_array(t.key, w.number))
    FROM json_each(?) AS t JOIN workflows AS w ON w.workflow_id = json_extract(t.value, '$[0]')
    WHERE {TO_RETIRE}
      AND json_extract(t.value, '$[1]') = (SELECT max(seq) FROM records WHERE workflow = w.number)
"""  # noqa: S608 - constants
"""Of a JSON list of ids and last numbers: where in it the workflows stand that are still so, and their numbers."""
RETIRE: Final = (
    "DELETE FROM records WHERE id IN (SELECT r.id FROM json_each(?) AS t JOIN records AS r "
    "ON r.workflow = json_extract(t.value, '$[0]') AND r.seq <= json_extract(t.value, '$[1]'))"
)
"""Takes a JSON list of workflows' numbers and last records; what comes in their place is written as anything else."""

HEADS_BY_ID: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows WHERE workflow_id IN (SELECT value FROM json_each(?)) ORDER BY number"  # noqa: S608 - constants
)
HEADS_UNFINISHED: Final = f"SELECT {HEAD_COLUMNS} FROM workflows WHERE done = 0 AND number > ? ORDER BY number LIMIT ?"  # noqa: S608 - constants
HEADS_ALL: Final = f"SELECT {HEAD_COLUMNS} FROM workflows WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608 - constants
HEADS_EXACT: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows WHERE workflow_id = ?1 OR request_id = ?1 "  # noqa: S608 - constants
    "ORDER BY rejected, number DESC LIMIT ?2"
)
HEADS_BY_PREFIX: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows "  # noqa: S608 - constants
    "WHERE (workflow_id >= ?1 AND workflow_id < ?2) OR (request_id >= ?1 AND request_id < ?2) "
    "ORDER BY rejected, number DESC LIMIT ?3"
)
HEADS_NEWEST: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows "  # noqa: S608 - constants
    "WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR tenant = ?2) AND (?3 = 0 OR quarantined = 1) "
    "AND (?4 = 0 OR (status = 'needs_attention' AND NOT EXISTS "
    "(SELECT 1 FROM records WHERE workflow = number AND kind = 'attention_settled'))) "
    "ORDER BY number DESC LIMIT ?5"
)
RECORDS_OF: Final = (
    f"SELECT {RECORD_COLUMNS} FROM records WHERE workflow IN (SELECT value FROM json_each(?)) ORDER BY workflow, seq"  # noqa: S608 - constants
)

MODEL_CALLS: Final = """
    SELECT w.workflow_id, w.request_id, w.tenant, w.model, r.seq, r.at, r.kind, r.version, r.payload
    FROM workflows AS w JOIN records AS r ON r.workflow = w.number
    WHERE (?4 IS NULL OR w.workflow_id = ?4)
      AND (?2 IS NULL OR w.finished_at IS NULL OR w.finished_at >= ?2) AND (?3 IS NULL OR w.created_at < ?3)
      AND r.kind IN (SELECT value FROM json_each(?1))
      AND (?2 IS NULL OR r.at >= ?2) AND (?3 IS NULL OR r.at < ?3)
    ORDER BY w.number, r.seq
"""
"""Calls of a period: what was finished before it, or begun after it, is not even looked into."""

PUT_CATALOGUE: Final = "INSERT INTO catalogues (version, form, payload) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
SELECT_CATALOGUE: Final = "SELECT form, payload FROM catalogues WHERE version = ?"
PUT_TEMPLATE: Final = (
    "INSERT INTO templates (key, payload) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET payload = excluded.payload"
)
DROP_TEMPLATE: Final = "DELETE FROM templates WHERE key = ?"
HAS_TEMPLATES: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'templates'"
SELECT_TEMPLATES: Final = "SELECT payload FROM templates ORDER BY key"


def insert_fenced(rows: int) -> str:
    """Return the statement that inserts up to that many records (padded with nulls), if the epoch is ours."""
    return _INSERT_FENCED[rows]


def insert_records(rows: int) -> str:
    """Return the statement that inserts that many records."""
    return _INSERT_RECORDS[rows]


def upsert_heads(rows: int) -> str:
    """Return the statement that writes that many heads, new or known."""
    return _UPSERT_HEADS[rows]


def by_powers_of_two(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """Cut the rows into chunks of at most `ROWS_MAX`, each a power of two, so that few statements serve every size."""
    start = 0
    while start < len(rows):
        size = min(ROWS_MAX, 1 << ((len(rows) - start).bit_length() - 1))
        yield rows[start : start + size]
        start += size


def _values(columns: str, rows: int) -> str:
    row = "(" + ", ".join("?" * (columns.count(",") + 1)) + ")"
    return ", ".join([row] * rows)


_SIZES: Final = tuple(1 << power for power in range(ROWS_MAX.bit_length()))
_INSERT_RECORDS: Final = {
    size: f"INSERT INTO records ({RECORD_COLUMNS}) VALUES {_values(RECORD_COLUMNS, size)}"  # noqa: S608 - constants
    for size in _SIZES
}
_INSERT_FENCED: Final = {
    size: (
        f"INSERT INTO records ({RECORD_COLUMNS}) SELECT * FROM (VALUES {_values(RECORD_COLUMNS, size)}) "  # noqa: S608 - constants
        f"WHERE column1 IS NOT NULL AND ({SELECT_EPOCH}) = ?"
    )
    for size in _SIZES
    if size <= FENCED_ROWS_MAX
}
_UPDATED: Final = ", ".join(f"{name} = excluded.{name}" for name in HEAD_COLUMNS.split(", ")[2:])
_UPSERT_HEADS: Final = {
    size: (
        f"INSERT INTO workflows ({HEAD_COLUMNS}) VALUES {_values(HEAD_COLUMNS, size)} "  # noqa: S608 - constants
        f"ON CONFLICT (number) DO UPDATE SET {_UPDATED}"
    )
    for size in _SIZES
}
