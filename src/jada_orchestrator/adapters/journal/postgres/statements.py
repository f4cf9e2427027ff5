"""Every SQL statement of the PostgreSQL journal, by name. What is of many rows travels as one array a column."""

from __future__ import annotations

from typing import Final

WAIT_FOR_DISK: Final = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
JOIN: Final = """
    INSERT INTO instances (holder, version, lease_until, reads) VALUES ($1, $2, clock_timestamp() + $3::interval, $4)
    RETURNING number
"""
LEAVE: Final = """
    UPDATE instances SET ended_at = clock_timestamp(), ended = 'drained', unclaimed = true
    WHERE number = $1 AND ended_at IS NULL
"""
NOTIFY: Final = "SELECT pg_notify($1, $2)"
RENEW: Final = """
    UPDATE instances SET lease_until = clock_timestamp() + $2::interval
    WHERE number = $1 AND ended_at IS NULL
    RETURNING
        EXISTS (SELECT FROM instances AS i WHERE i.unclaimed OR (
            i.ended_at IS NULL AND i.number <> $1 AND i.lease_until + $3::interval < clock_timestamp())),
        EXISTS (SELECT FROM mail)
"""
RELEASE: Final = """
    WITH fence AS MATERIALIZED (SELECT FROM instances WHERE number = $1 AND ended_at IS NULL FOR KEY SHARE),
    gone AS (
        INSERT INTO instances (holder, version, since, lease_until, ended_at, ended, unclaimed)
        SELECT $3, $4, now(), now(), now(), 'drained', true FROM fence
        RETURNING number
    ),
    lanes_moved AS (
        UPDATE lanes AS l SET owner = gone.number FROM gone
        WHERE l.owner = $1 AND EXISTS (
            SELECT FROM workflows AS w
            WHERE w.workflow_id = ANY ($2::text[]) AND w.ordering_key = l.key AND w.owner = $1 AND NOT w.done)
    ),
    moved AS (
        UPDATE workflows AS w SET owner = gone.number FROM gone
        WHERE w.workflow_id = ANY ($2::text[]) AND w.owner = $1 AND NOT w.done
    ),
    told AS (SELECT pg_notify($5, 'claims') FROM gone)
    SELECT count(*) FROM told
"""
"""Workflows change hands by way of an instance that has ended: whoever claims finds them as those of any other."""
TAKE: Final = "SELECT id, number, owner, reserved FROM take_1($1, $2, $3, $4)"
CLAIM: Final = "SELECT * FROM claim_1($1, $2, $3)"
LEFT: Final = """
    SELECT count(*) FROM workflows AS w JOIN instances AS i ON i.number = w.owner
    WHERE i.unclaimed AND NOT w.done AND w.status <> '' AND w.format > $1
"""
INSTANCES: Final = """
    SELECT number, holder, version, (extract(epoch FROM since) * 1000)::bigint,
        (extract(epoch FROM lease_until) * 1000)::bigint, ended,
        (SELECT count(*) FROM workflows AS w WHERE w.owner = i.number AND NOT w.done AND w.status <> '')
    FROM instances AS i
    WHERE ended_at IS NULL OR unclaimed
        OR (ended_at > clock_timestamp() - interval '1 hour' AND lease_until > since)
    ORDER BY number
"""

SHARE_SPENDING: Final = """
    WITH told AS (
        INSERT INTO spending (day, instance, tenant, usd)
        SELECT $1, $2, t.tenant, t.usd FROM unnest($3::text[], $4::numeric[]) AS t (tenant, usd)
        ON CONFLICT (day, instance, tenant) DO UPDATE SET usd = excluded.usd
    )
    SELECT tenant, sum(usd) FROM spending WHERE day = $1 AND instance <> $2 GROUP BY tenant
"""

PUT_MAIL: Final = """
    WITH put AS (
        INSERT INTO mail (kind, workflow_id, lane, body, attributes, message_id, receive_count)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
    )
    SELECT pg_notify($8, 'mail')
"""
GET_MAIL: Final = """
    SELECT m.id, m.body, m.attributes, m.message_id, m.receive_count, 0
    FROM mail AS m LEFT JOIN workflows AS w USING (workflow_id) LEFT JOIN lanes AS l ON l.key = m.lane
    WHERE m.kind = $2 AND m.id <> ALL ($3::bigint[]) AND $1 = coalesce(
        CASE
            WHEN w.number IS NULL THEN l.owner
            WHEN NOT w.done OR EXISTS (SELECT FROM instances AS i WHERE i.number = w.owner AND i.ended_at IS NULL)
                THEN w.owner
        END, $1) AND coalesce(w.format, 1) <= $5
    ORDER BY m.id LIMIT $4
"""
"""What is for a workflow or a lane of this instance, or for one that nobody owns and that it can read."""
DELETE_MAIL: Final = "DELETE FROM mail WHERE id = ANY ($1::bigint[])"
COUNT_MAIL: Final = "UPDATE mail SET receive_count = receive_count + 1 WHERE id = ANY ($1::bigint[])"

_FENCE: Final = "fence AS MATERIALIZED (SELECT FROM instances WHERE number = $1 AND ended_at IS NULL{} FOR KEY SHARE)"
"""Nobody can end the instance between this look at it and the commit: ending needs the row that is locked here."""
_OURS: Final = " AND NOT EXISTS (SELECT FROM workflows WHERE number = ANY ($2::bigint[]) AND owner <> $1)"
IS_OURS: Final = "SELECT count(*) FROM instances WHERE number = $1 AND ended_at IS NULL"

HEAD_COLUMNS: Final = (
    "number, workflow_id, request_id, tenant, status, model, created_at, finished_at, ordering_key, "
    "catalogue_version, done, quarantined, rejected, retired"
)
RECORD_COLUMNS: Final = "workflow, seq, at, kind, version, payload"

_CHANGED: Final = ", ".join(f"{name} = c.{name}" for name in HEAD_COLUMNS.split(", ")[2:])

APPEND: Final = f"""
    WITH {_FENCE.format(_OURS)},
    changed AS (
        UPDATE workflows AS w SET {_CHANGED}, owner = CASE WHEN c.done THEN NULL ELSE $1 END,
            format = greatest(w.format, c.format)
        FROM fence, unnest(
            $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[],
            $11::text[], $12::text[], $13::boolean[], $14::boolean[], $15::boolean[], $16::boolean[], $23::integer[]
        ) AS c ({HEAD_COLUMNS}, format)
        WHERE w.number = c.number
        RETURNING 1
    ),
    written AS (
        INSERT INTO records ({RECORD_COLUMNS})
        SELECT r.workflow, r.seq, r.at, r.kind, r.version, r.payload
        FROM fence, unnest(
            $17::bigint[], $18::integer[], $19::bigint[], $20::text[], $21::integer[], $22::text[]
        ) AS r ({RECORD_COLUMNS})
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM fence), (SELECT count(*) FROM changed), (SELECT count(*) FROM written)
"""  # noqa: S608 - constants
"""A whole turn in one statement, which is one transaction and one journey to the server and back.

The instance is $1, the numbers of all workflows of the batch $2, $3 to $16 and $23 are heads, $17 to $22 records.
Without a fence, or with a workflow of another instance, nothing is written.
"""

PUT_CATALOGUE: Final = f"""
    WITH {_FENCE.format("")},
    put AS (
        INSERT INTO catalogues (version, form, payload)
        SELECT $2::text, $3::integer, $4::text FROM fence ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM fence
"""  # noqa: S608 - constants
SELECT_CATALOGUE: Final = "SELECT form, payload FROM catalogues WHERE version = $1"

PUT_TEMPLATE: Final = f"""
    WITH {_FENCE.format("")},
    put AS (
        INSERT INTO templates (key, payload) SELECT $2::text, $3::text FROM fence
        ON CONFLICT (key) DO UPDATE SET payload = excluded.payload
    ),
    told AS (SELECT pg_notify($4, 'templates') FROM fence)
    SELECT count(*) FROM told
"""  # noqa: S608 - constants
DROP_TEMPLATE: Final = f"""
    WITH {_FENCE.format("")},
    dropped AS (DELETE FROM templates WHERE key = $2::text AND EXISTS (SELECT 1 FROM fence)),
    told AS (SELECT pg_notify($3, 'templates') FROM fence)
    SELECT count(*) FROM told
"""  # noqa: S608 - constants
HAS_TEMPLATES: Final = "SELECT to_regclass('templates') IS NOT NULL"
SELECT_TEMPLATES: Final = 'SELECT payload FROM templates ORDER BY key COLLATE "C"'

POSITIONS: Final = """
    SELECT workflow_id, number, (SELECT coalesce(max(seq), 0) FROM records WHERE workflow = number), format,
        CASE WHEN retired THEN (SELECT min(seq) FROM records WHERE workflow = number) ELSE 0 END
    FROM workflows WHERE workflow_id = ANY($1::text[])
"""
STORED_ENTRIES: Final = f"""
    SELECT {RECORD_COLUMNS} FROM records
    WHERE (workflow, seq) IN (SELECT * FROM unnest($1::bigint[], $2::integer[]))
"""  # noqa: S608 - constants

_TO_RETIRE: Final = "done AND NOT retired AND NOT quarantined AND status <> 'needs_attention'"
"""The words of the index `workflows_to_retire`."""
HEADS_TO_RETIRE: Final = f"""
    SELECT {HEAD_COLUMNS}, (SELECT max(seq) FROM records WHERE workflow = w.number)
    FROM workflows AS w
    WHERE {_TO_RETIRE} AND finished_at < $1
      AND NOT EXISTS (SELECT FROM instances AS i WHERE i.number = w.owner AND i.ended_at IS NULL)
      AND NOT EXISTS (SELECT FROM instances AS i WHERE i.ended_at IS NULL AND i.reads < $3)
    ORDER BY finished_at LIMIT $2
"""  # noqa: S608 - constants
COUNT_TO_RETIRE: Final = f"""
    SELECT count(*), coalesce(sum((SELECT count(*) FROM records WHERE workflow = w.number)), 0)::bigint
    FROM workflows AS w WHERE {_TO_RETIRE} AND finished_at < $1
"""  # noqa: S608 - constants
RETIRE: Final = "SELECT * FROM retire_1($1, $2, $3, $4, $5, $6, $7, $8)"
FORGET: Final = "SELECT forget_1($1, $2, $3, $4)"

HEADS_BY_ID: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows WHERE workflow_id = ANY($1::text[]) AND status <> '' ORDER BY number"  # noqa: S608 - constants
)
HEADS_BY_NUMBER: Final = f"SELECT {HEAD_COLUMNS} FROM workflows WHERE number = ANY($1::bigint[]) ORDER BY number"  # noqa: S608 - constants
NUMBERS_OWNED: Final = "SELECT number FROM workflows WHERE owner = $1 AND NOT done AND status <> '' ORDER BY number"
HEADS_UNFINISHED: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows WHERE NOT done AND status <> '' AND number > $1 ORDER BY number LIMIT $2"  # noqa: S608 - constants
)
HEADS_ALL: Final = f"SELECT {HEAD_COLUMNS} FROM workflows WHERE status <> '' AND number > $1 ORDER BY number LIMIT $2"  # noqa: S608 - constants
HEADS_EXACT: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows WHERE status <> '' AND (workflow_id = $1 OR request_id = $1) "  # noqa: S608 - constants
    "ORDER BY rejected, number DESC LIMIT $2"
)
HEADS_BY_PREFIX: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows "  # noqa: S608 - constants
    "WHERE status <> '' AND ((workflow_id >= $1 AND workflow_id < $2) OR (request_id >= $1 AND request_id < $2)) "
    "ORDER BY rejected, number DESC LIMIT $3"
)
HEADS_NEWEST: Final = (
    f"SELECT {HEAD_COLUMNS} FROM workflows "  # noqa: S608 - constants
    "WHERE status <> '' AND ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR tenant = $2) "
    "AND (NOT $3 OR quarantined) "
    "AND (NOT $4 OR (status = 'needs_attention' AND NOT EXISTS "
    "(SELECT 1 FROM records WHERE workflow = number AND kind = 'attention_settled'))) "
    "ORDER BY number DESC LIMIT $5"
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


def storable(text: str) -> str:
    """Return a text as PostgreSQL takes it: a lone surrogate and NUL become ``?``."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
