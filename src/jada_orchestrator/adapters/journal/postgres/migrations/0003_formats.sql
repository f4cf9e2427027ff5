-- usable from: 1
-- Which format of records an instance reads, and which one a workflow's records need. Older programs write neither
-- column, and mean format 1 by that. The two functions are those of migration 1, but that an instance is given nothing
-- which it cannot read: also programs from before this migration are kept from it by them.
ALTER TABLE instances ADD COLUMN reads integer NOT NULL DEFAULT 1;
ALTER TABLE workflows ADD COLUMN format integer NOT NULL DEFAULT 1;

CREATE OR REPLACE FUNCTION take_1(me bigint, ids text[], may_begin boolean[], keys text[])
RETURNS TABLE (id text, number bigint, owner bigint, reserved boolean) LANGUAGE plpgsql AS $$
DECLARE
    foreign_lanes text[];
    readable      integer;
BEGIN
    SELECT i.reads INTO readable FROM instances AS i WHERE i.number = me AND i.ended_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'JA001', MESSAGE = 'this instance has ended';
    END IF;
    UPDATE workflows AS w SET owner = me
    WHERE w.workflow_id = ANY (ids) AND w.owner IS DISTINCT FROM me AND w.format <= readable
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

CREATE OR REPLACE FUNCTION claim_1(me bigint, margin interval, workflows_max integer)
RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    gone      bigint;
    own       text[];
    claimed   bigint[] := '{}';
    moved_now bigint[];
    readable  integer;
BEGIN
    UPDATE instances SET ended_at = clock_timestamp(), ended = 'expired', unclaimed = true
    WHERE number IN (
        SELECT i.number FROM instances AS i
        WHERE i.ended_at IS NULL AND i.number <> me AND i.lease_until + margin < clock_timestamp()
        FOR UPDATE SKIP LOCKED);
    SELECT i.reads INTO readable FROM instances AS i WHERE i.number = me AND i.ended_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'JA001', MESSAGE = 'this instance has ended';
    END IF;
    FOR gone IN SELECT i.number FROM instances AS i WHERE i.unclaimed ORDER BY i.number LOOP
        EXIT WHEN cardinality(claimed) >= workflows_max;
        DELETE FROM workflows WHERE owner = gone AND NOT done AND status = '';
        DELETE FROM lanes AS l WHERE l.owner = gone
          AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.ordering_key = l.key AND NOT w.done);
        WITH picked AS (
            SELECT l.key FROM lanes AS l
            WHERE l.owner = gone AND NOT EXISTS (
                SELECT FROM workflows AS w WHERE w.ordering_key = l.key AND NOT w.done AND w.format > readable)
            ORDER BY l.key LIMIT workflows_max - cardinality(claimed) FOR UPDATE SKIP LOCKED
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
            SELECT w.number FROM workflows AS w
            WHERE w.owner = gone AND NOT w.done AND w.status <> '' AND w.format <= readable
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
