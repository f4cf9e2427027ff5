-- Version 1. Applied in one transaction; a released migration is never edited.

-- One row: who may write. Every append is conditional on the epoch, which whoever opens the store raises.
CREATE TABLE store (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    epoch  INTEGER NOT NULL,
    holder TEXT    NOT NULL
) STRICT;
INSERT INTO store (one, epoch, holder) VALUES (1, 0, '');

-- Workflows in order of acceptance, with what lists show of each. Records name a workflow by its number,
-- because eight bytes instead of thirty make the one index of records a third of its size.
CREATE TABLE workflows (
    number            INTEGER PRIMARY KEY,
    workflow_id       TEXT    NOT NULL UNIQUE,
    request_id        TEXT    NOT NULL,
    tenant            TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    model             TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    finished_at       INTEGER,
    ordering_key      TEXT,
    catalogue_version TEXT    NOT NULL,
    done              INTEGER NOT NULL,
    quarantined       INTEGER NOT NULL,
    rejected          INTEGER NOT NULL
) STRICT;
CREATE INDEX workflows_by_request ON workflows (request_id);
CREATE INDEX workflows_unfinished ON workflows (number) WHERE done = 0;

-- Records in the order in which they became durable. A table that only grows at its end and a narrow index beside it
-- take twice the records a second of a table clustered by workflow (measured: benchmarks/journal_floor.py).
CREATE TABLE records (
    id       INTEGER PRIMARY KEY,
    workflow INTEGER NOT NULL REFERENCES workflows (number),
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    payload  TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_by_workflow ON records (workflow, seq);

CREATE TABLE catalogues (
    version TEXT    PRIMARY KEY,
    form    INTEGER NOT NULL,
    payload TEXT    NOT NULL
) STRICT;
