-- usable from: 1
-- The function is that of migration 3, but that rows are locked in the order of their ids, whatever the order in which
-- they are asked for: two instances that take the same ones at once wait for one another in turn, and never in a ring.
-- Numbers are still given in the order in which requests came.
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
    WITH free AS MATERIALIZED (
        SELECT w.number FROM workflows AS w
        WHERE w.workflow_id = ANY (ids) AND w.owner IS DISTINCT FROM me AND w.format <= readable
          AND (w.owner IS NULL OR (w.done AND EXISTS (
              SELECT FROM instances AS i WHERE i.number = w.owner AND i.ended_at IS NOT NULL)))
        ORDER BY w.workflow_id FOR NO KEY UPDATE
    )
    UPDATE workflows AS w SET owner = me FROM free WHERE w.number = free.number;
    INSERT INTO lanes (key, owner)
    SELECT DISTINCT n.key, me FROM unnest(ids, may_begin, keys) AS n (id, begins, key)
    WHERE n.begins AND n.key IS NOT NULL
      AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.workflow_id = n.id)
      AND NOT EXISTS (SELECT FROM lanes AS l WHERE l.key = n.key)
    ORDER BY n.key
    ON CONFLICT DO NOTHING;
    SELECT coalesce(array_agg(l.key), '{}') INTO foreign_lanes
    FROM lanes AS l WHERE l.key = ANY (keys) AND l.owner <> me;
    INSERT INTO workflows (number, workflow_id, owner) OVERRIDING SYSTEM VALUE
    SELECT numbered.number, numbered.id, me
    FROM (
        SELECT nextval(pg_get_serial_sequence('workflows', 'number')) AS number, came.id
        FROM (
            SELECT n.id FROM unnest(ids, may_begin, keys) WITH ORDINALITY AS n (id, begins, key, place)
            WHERE n.begins AND (n.key IS NULL OR n.key <> ALL (foreign_lanes))
              AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.workflow_id = n.id)
            ORDER BY n.place
        ) AS came
    ) AS numbered
    ORDER BY numbered.id COLLATE "C"
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
