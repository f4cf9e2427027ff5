-- Version 3. Applied in one transaction; a released migration is never edited.

-- Whether a tombstone stands in the place of a workflow's records, and which workflows may get one, in order of age.
ALTER TABLE workflows ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;
CREATE INDEX workflows_to_retire ON workflows (finished_at)
    WHERE done = 1 AND retired = 0 AND quarantined = 0 AND status <> 'needs_attention';
