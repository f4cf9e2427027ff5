-- usable from: 1
-- Whether a tombstone stands in the place of a workflow's records, and which workflows may get one, in order of age.
-- Older programs do not know the column and leave it as it is; they are given no workflow with a tombstone, because that
-- is of a format of records which they do not read (migration 3).
ALTER TABLE workflows ADD COLUMN retired boolean NOT NULL DEFAULT false;
CREATE INDEX workflows_to_retire ON workflows (finished_at)
    WHERE done AND NOT retired AND NOT quarantined AND status <> 'needs_attention';
CREATE INDEX workflows_done_and_owned ON workflows (owner) WHERE done AND owner IS NOT NULL;

-- Put tombstones, which are records of a format, in the place of all records of workflows that have the numbers given
-- as their last, and that no live instance has taken, this one included: what it sent may arrive late. Returns the ids of
-- those that got theirs. Whoever takes one of them meanwhile waits for its row, and finds the tombstone; what is locked
-- already is left for another time.
CREATE FUNCTION retire_1(
    me bigint, format_needed integer, ids text[], seqs integer[], ats bigint[], kinds text[], versions integer[],
    payloads text[])
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    chosen bigint[];
BEGIN
    PERFORM FROM instances AS i WHERE i.number = me AND i.ended_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'JA001', MESSAGE = 'this instance has ended';
    END IF;
    IF EXISTS (SELECT FROM instances AS i WHERE i.ended_at IS NULL AND i.reads < format_needed) THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(l.number), '{}') INTO chosen FROM (
        SELECT w.number FROM workflows AS w
        WHERE w.workflow_id = ANY (ids)
          AND w.done AND NOT w.retired AND NOT w.quarantined AND w.status <> 'needs_attention'
          AND NOT EXISTS (SELECT FROM instances AS i WHERE i.number = w.owner AND i.ended_at IS NULL)
        ORDER BY w.number FOR UPDATE OF w SKIP LOCKED) AS l;
    -- From here on nobody else changes them, and each statement sees what was committed before they were locked.
    SELECT coalesce(array_agg(w.number), '{}') INTO chosen
    FROM workflows AS w JOIN unnest(ids, seqs) AS t (id, seq) ON t.id = w.workflow_id
    WHERE w.number = ANY (chosen) AND t.seq = (SELECT max(r.seq) FROM records AS r WHERE r.workflow = w.number);
    DELETE FROM records AS r
    USING workflows AS w JOIN unnest(ids, seqs) AS t (id, seq) ON t.id = w.workflow_id
    WHERE w.number = ANY (chosen) AND r.workflow = w.number AND r.seq < t.seq;
    UPDATE records AS r SET at = t.at, kind = t.kind, version = t.version, payload = t.payload
    FROM workflows AS w
        JOIN unnest(ids, seqs, ats, kinds, versions, payloads) AS t (id, seq, at, kind, version, payload)
        ON t.id = w.workflow_id
    WHERE w.number = ANY (chosen) AND r.workflow = w.number AND r.seq = t.seq;
    RETURN QUERY
        UPDATE workflows AS w
        SET retired = true, owner = NULL, ordering_key = NULL, catalogue_version = '',
            format = greatest(w.format, format_needed)
        WHERE w.number = ANY (chosen)
        RETURNING w.workflow_id;
END
$$;

-- Forget up to so many instances that ended longer ago than that and of which nothing is left to claim, and what was
-- spent on days before one. Returns how many instances were forgotten. A number is never given twice, so one that is
-- gone is as ended as before.
CREATE FUNCTION forget_1(me bigint, kept interval, spending_since integer, instances_max integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    gone bigint[];
BEGIN
    PERFORM FROM instances AS i WHERE i.number = me AND i.ended_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'JA001', MESSAGE = 'this instance has ended';
    END IF;
    SELECT coalesce(array_agg(l.number), '{}') INTO gone FROM (
        SELECT i.number FROM instances AS i
        WHERE NOT i.unclaimed AND i.ended_at < clock_timestamp() - kept
          AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.owner = i.number AND NOT w.done)
          AND NOT EXISTS (SELECT FROM lanes AS l WHERE l.owner = i.number)
        ORDER BY i.number LIMIT instances_max FOR UPDATE OF i SKIP LOCKED) AS l;
    DELETE FROM spending AS s WHERE s.day < spending_since;
    IF cardinality(gone) > 0 THEN
        UPDATE workflows AS w SET owner = NULL WHERE w.done AND w.owner IS NOT NULL AND w.owner = ANY (gone);
        DELETE FROM instances AS i WHERE i.number = ANY (gone);
    END IF;
    RETURN cardinality(gone);
END
$$;
