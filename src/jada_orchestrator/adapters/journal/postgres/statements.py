"""Every SQL statement of the PostgreSQL journal, by name. What is of many rows travels as one array a column."""

from __future__ import annotations

from typing import Final

WAIT_FOR_DISK: Final = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
TAKE_STORE: Final = "SELECT pg_try_advisory_lock($1, hashtext($2))"
HOLDER: Final = "SELECT holder FROM store"
RAISE_EPOCH: Final = "UPDATE store SET epoch = epoch + 1, holder = $1 RETURNING epoch"
IS_OURS: Final = "SELECT epoch = $1 FROM store"

_FENCE: Final = "fence AS MATERIALIZED (SELECT one FROM store WHERE epoch = $1 FOR SHARE)"
"""Nobody can raise the epoch between this look at it and the commit: raising needs the row that is locked here."""

HEAD_COLUMNS: Final = (
    "number, workflow_id, request_id, tenant, status, model, created_at, finished_at, ordering_key, "
    "catalogue_version, done, quarantined, rejected"
)
RECORD_COLUMNS: Final = "workflow, seq, at, kind, version, payload"

_HEAD_ARRAYS: Final = (
    "${}::text[], ${}::text[], ${}::text[], ${}::text[], ${}::text[], ${}::bigint[], ${}::bigint[], ${}::text[], "
    "${}::text[], ${}::boolean[], ${}::boolean[], ${}::boolean[]"
)
_NEW_COLUMNS: Final = HEAD_COLUMNS.removeprefix("number, ")
_CHANGED: Final = ", ".join(f"{name} = c.{name}" for name in _NEW_COLUMNS.split(", ")[1:])

APPEND: Final = f"""
    WITH {_FENCE},
    new AS (
        INSERT INTO workflows ({_NEW_COLUMNS})
        SELECT {_NEW_COLUMNS}
        FROM fence, unnest({_HEAD_ARRAYS.format(*range(2, 14))}) WITH ORDINALITY AS n ({_NEW_COLUMNS}, place)
        ORDER BY place
        RETURNING number, workflow_id
    ),
    changed AS (
        UPDATE workflows AS w SET {_CHANGED}
        FROM fence, unnest($14::bigint[], {_HEAD_ARRAYS.format(*range(15, 27))}) AS c ({HEAD_COLUMNS})
        WHERE w.number = c.number
    ),
    written AS (
        INSERT INTO records ({RECORD_COLUMNS})
        SELECT coalesce(r.workflow, new.number), r.seq, r.at, r.kind, r.version, r.payload
        FROM fence, unnest(
            $27::bigint[], $28::text[], $29::integer[], $30::bigint[], $31::text[], $32::integer[], $33::text[]
        ) AS r (workflow, workflow_id, seq, at, kind, version, payload)
        LEFT JOIN new ON new.workflow_id = r.workflow_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM fence), (SELECT count(*) FROM written),
        (SELECT array_agg(workflow_id) FROM new), (SELECT array_agg(number) FROM new)
"""  # noqa: S608 - constants
"""A whole turn in one statement, which is one transaction and one journey to the server and back.

The epoch is $1; $2 to $13 are new heads, $14 to $26 changed ones, $27 to $33 records, which name their workflow by its
number or, for a new one, by its id. Without a fence nothing is written.
"""

PUT_CATALOGUE: Final = f"""
    WITH {_FENCE},
    put AS (
        INSERT INTO catalogues (version, form, payload)
        SELECT $2::text, $3::integer, $4::text FROM fence ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM fence
"""  # noqa: S608 - constants
SELECT_CATALOGUE: Final = "SELECT form, payload FROM catalogues WHERE version = $1"

POSITIONS: Final = """
    SELECT workflow_id, number, (SELECT coalesce(max(seq), 0) FROM records WHERE workflow = number)
    FROM workflows WHERE workflow_id = ANY($1::text[])
"""
STORED_ENTRIES: Final = f"""
    SELECT {RECORD_COLUMNS} FROM records
    WHERE (workflow, seq) IN (SELECT * FROM unnest($1::bigint[], $2::integer[]))
"""  # noqa: S608 - constants

HEADS_BY_ID: Final = f"SELECT {HEAD_COLUMNS} FROM workflows WHERE workflow_id = ANY($1::text[]) ORDER BY number"  # noqa: S608 - constants
HEADS_UNFINISHED: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows WHERE NOT done AND number > $1 ORDER BY number LIMIT $2"  # noqa: S608 - constants
)
HEADS_EXACT: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows WHERE workflow_id = $1 OR request_id = $1 "  # noqa: S608 - constants
    "ORDER BY rejected, number DESC LIMIT $2"
)
HEADS_BY_PREFIX: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows "  # noqa: S608 - constants
    "WHERE (workflow_id >= $1 AND workflow_id < $2) OR (request_id >= $1 AND request_id < $2) "
    "ORDER BY rejected, number DESC LIMIT $3"
)
HEADS_NEWEST: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows "  # noqa: S608 - constants
    "WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR tenant = $2) AND (NOT $3 OR quarantined) "
    "ORDER BY number DESC LIMIT $4"
)
RECORDS_OF: Final = f"SELECT {RECORD_COLUMNS} FROM records WHERE workflow = ANY($1::bigint[]) ORDER BY workflow, seq"  # noqa: S608 - constants

MODEL_CALLS: Final = """
    SELECT w.workflow_id, w.request_id, w.tenant, w.model, r.seq, r.at, r.kind, r.version, r.payload
    FROM workflows AS w JOIN records AS r ON r.workflow = w.number
    WHERE ($4::text IS NULL OR w.workflow_id = $4)
      AND ($2::bigint IS NULL OR w.finished_at IS NULL OR w.finished_at >= $2)
      AND ($3::bigint IS NULL OR w.created_at < $3)
      AND r.kind = ANY($1::text[])
      AND ($2::bigint IS NULL OR r.at >= $2) AND ($3::bigint IS NULL OR r.at < $3)
    ORDER BY w.number, r.seq
"""
