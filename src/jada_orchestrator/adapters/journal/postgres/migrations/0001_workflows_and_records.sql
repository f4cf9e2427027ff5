-- usable from: 1
-- Applied in one transaction; a released migration is never edited. The line above names the oldest program that may
-- still use the store afterwards: a migration that only adds what older programs do not miss keeps their number.

-- One life of one process each. Its number is its epoch: every commit is conditional on the row not having ended, and
-- whoever ends it needs the row's lock, which a commit under way holds. Only the database's clock measures leases.
CREATE TABLE instances (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    holder      text        NOT NULL,
    version     text        NOT NULL,
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz NOT NULL,
    ended_at    timestamptz,
    ended       text        NOT NULL DEFAULT '' CHECK (ended IN ('', 'drained', 'expired')),
    unclaimed   boolean     NOT NULL DEFAULT false
);
CREATE INDEX instances_that_matter ON instances (number) WHERE ended_at IS NULL OR unclaimed;

-- Workflows in order of acceptance, with what lists show of each. Ids compare byte by byte (collation C), because
-- prefixes are looked up as ranges. A fifth of each page is left free, so that a changed head stays on its page.
-- A row whose status is empty only reserves its id: its owner is deciding the request just now.
CREATE TABLE workflows (
    number            bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow_id       text    COLLATE "C" NOT NULL UNIQUE,
    owner             bigint,
    request_id        text    COLLATE "C" NOT NULL DEFAULT '',
    tenant            text    NOT NULL DEFAULT '',
    status            text    NOT NULL DEFAULT '',
    model             text    NOT NULL DEFAULT '',
    created_at        bigint  NOT NULL DEFAULT 0,
    finished_at       bigint,
    ordering_key      text,
    catalogue_version text    NOT NULL DEFAULT '',
    done              boolean NOT NULL DEFAULT false,
    quarantined       boolean NOT NULL DEFAULT false,
    rejected          boolean NOT NULL DEFAULT false
) WITH (fillfactor = 80);
CREATE INDEX workflows_by_request ON workflows (request_id);
CREATE INDEX workflows_unfinished ON workflows (owner, number) WHERE NOT done;
CREATE INDEX workflows_in_lanes ON workflows (ordering_key) WHERE NOT done AND ordering_key IS NOT NULL;

-- Payloads are text and not jsonb: they come back as they were written, and jsonb refuses NUL and lone surrogates.
CREATE TABLE records (
    workflow bigint  NOT NULL,
    seq      integer NOT NULL,
    at       bigint  NOT NULL,
    kind     text    NOT NULL,
    version  integer NOT NULL,
    payload  text    NOT NULL,
    PRIMARY KEY (workflow, seq)
);

CREATE TABLE catalogues (
    version text    PRIMARY KEY,
    form    integer NOT NULL,
    payload text    NOT NULL
);

-- Who owns an ordering key: all of its workflows are one instance's, which keeps their order.
CREATE TABLE lanes (
    key   text   PRIMARY KEY,
    owner bigint NOT NULL
);
CREATE INDEX lanes_by_owner ON lanes (owner);

-- Messages that were received by one instance and are another's business; almost always empty.
CREATE TABLE mail (
    id            bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text    NOT NULL CHECK (kind IN ('request', 'reply')),
    workflow_id   text    COLLATE "C" NOT NULL,
    lane          text,
    body          text    NOT NULL,
    attributes    text    NOT NULL,
    message_id    text    NOT NULL,
    receive_count integer NOT NULL
);

-- What each instance has spent on models on a day (days since 1970, UTC), by tenant, for budgets that hold for all.
CREATE TABLE spending (
    day      integer NOT NULL,
    instance bigint  NOT NULL,
    tenant   text    NOT NULL,
    usd      numeric NOT NULL,
    PRIMARY KEY (day, instance, tenant)
);

-- Make workflows the instance's that nobody owns, and reserve the ids of those that may begin. Returns who owns each
-- that exists then; a lane that is another's makes its newcomers the other's (number 0: there is no row yet).
CREATE FUNCTION take_1(me bigint, ids text[], may_begin boolean[], keys text[])
RETURNS TABLE (id text, number bigint, owner bigint, reserved boolean) LANGUAGE plpgsql AS $$
DECLARE
    foreign_lanes text[];
BEGIN
    PERFORM FROM instances AS i WHERE i.number = me AND i.ended_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'JA001', MESSAGE = 'this instance has ended';
    END IF;
    UPDATE workflows AS w SET owner = me
    WHERE w.workflow_id = ANY (ids) AND w.owner IS DISTINCT FROM me
      AND (w.owner IS NULL OR (w.done AND EXISTS (
          SELECT FROM instances AS i WHERE i.number = w.owner AND i.ended_at IS NOT NULL)));
    INSERT INTO lanes (key, owner)
    SELECT DISTINCT n.key, me FROM unnest(ids, may_begin, keys) AS n (id, begins, key)
    WHERE n.begins AND n.key IS NOT NULL
      AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.workflow_id = n.id)
      AND NOT EXISTS (SELECT FROM lanes AS l WHERE l.key = n.key)
    ORDER BY n.key
    ON CONFLICT DO NOTHING;
    SELECT coalesce(array_agg(l.key), '{}') INTO foreign_lanes
    FROM lanes AS l WHERE l.key = ANY (keys) AND l.owner <> me;
    INSERT INTO workflows (workflow_id, owner)
    SELECT n.id, me FROM unnest(ids, may_begin, keys) WITH ORDINALITY AS n (id, begins, key, place)
    WHERE n.begins AND (n.key IS NULL OR n.key <> ALL (foreign_lanes))
      AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.workflow_id = n.id)
    ORDER BY n.place
    ON CONFLICT DO NOTHING;
    RETURN QUERY
        SELECT w.workflow_id, w.number, w.owner, w.status = '' FROM workflows AS w WHERE w.workflow_id = ANY (ids)
        UNION ALL
        SELECT n.id, 0::bigint, l.owner, true
        FROM unnest(ids, may_begin, keys) AS n (id, begins, key) JOIN lanes AS l ON l.key = n.key
        WHERE n.begins AND l.owner <> me
          AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.workflow_id = n.id);
END
$$;

-- End instances whose lease ran out more than the margin ago; then make workflows of ended ones the instance's: whole
-- lanes, and up to so many others, oldest first. Returns the numbers of all that were claimed.
CREATE FUNCTION claim_1(me bigint, margin interval, workflows_max integer)
RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    gone      bigint;
    own       text[];
    claimed   bigint[] := '{}';
    moved_now bigint[];
BEGIN
    UPDATE instances SET ended_at = clock_timestamp(), ended = 'expired', unclaimed = true
    WHERE number IN (
        SELECT i.number FROM instances AS i
        WHERE i.ended_at IS NULL AND i.number <> me AND i.lease_until + margin < clock_timestamp()
        FOR UPDATE SKIP LOCKED);
    PERFORM FROM instances AS i WHERE i.number = me AND i.ended_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'JA001', MESSAGE = 'this instance has ended';
    END IF;
    FOR gone IN SELECT i.number FROM instances AS i WHERE i.unclaimed ORDER BY i.number LOOP
        EXIT WHEN cardinality(claimed) >= workflows_max;
        DELETE FROM workflows WHERE owner = gone AND NOT done AND status = '';
        DELETE FROM lanes AS l WHERE l.owner = gone
          AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.ordering_key = l.key AND NOT w.done);
        WITH picked AS (
            SELECT l.key FROM lanes AS l WHERE l.owner = gone ORDER BY l.key
            LIMIT workflows_max - cardinality(claimed) FOR UPDATE SKIP LOCKED
        ), moved AS (
            UPDATE lanes AS l SET owner = me FROM picked WHERE l.key = picked.key RETURNING l.key
        )
        SELECT coalesce(array_agg(key), '{}') INTO own FROM moved;
        WITH moved AS (
            UPDATE workflows SET owner = me WHERE owner = gone AND NOT done AND ordering_key = ANY (own)
            RETURNING number
        )
        SELECT coalesce(array_agg(number), '{}') INTO moved_now FROM moved;
        claimed := claimed || moved_now;
        WITH picked AS (
            SELECT w.number FROM workflows AS w WHERE w.owner = gone AND NOT w.done AND w.status <> ''
              AND (w.ordering_key IS NULL
                   OR NOT EXISTS (SELECT FROM lanes AS l WHERE l.key = w.ordering_key AND l.owner = gone))
            ORDER BY w.number LIMIT greatest(workflows_max - cardinality(claimed), 0) FOR UPDATE SKIP LOCKED
        ), moved AS (
            UPDATE workflows AS w SET owner = me FROM picked WHERE w.number = picked.number RETURNING w.number
        )
        SELECT coalesce(array_agg(number), '{}') INTO moved_now FROM moved;
        claimed := claimed || moved_now;
        UPDATE instances AS i SET unclaimed = false
        WHERE i.number = gone
          AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.owner = gone AND NOT w.done)
          AND NOT EXISTS (SELECT FROM lanes AS l WHERE l.owner = gone);
    END LOOP;
    RETURN QUERY SELECT unnest(claimed) ORDER BY 1;
END
$$;
