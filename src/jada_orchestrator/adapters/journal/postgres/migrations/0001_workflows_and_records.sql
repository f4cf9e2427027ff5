-- usable from: 1
-- Applied in one transaction; a released migration is never edited. The line above names the oldest program that may
-- still use the store afterwards: a migration that only adds what older programs do not miss keeps their number.

-- One row: who may write. Every append is conditional on the epoch, which whoever opens the store raises.
CREATE TABLE store (
    one    boolean PRIMARY KEY CHECK (one),
    epoch  bigint  NOT NULL,
    holder text    NOT NULL
);
INSERT INTO store (one, epoch, holder) VALUES (true, 0, '');

-- Workflows in order of acceptance, with what lists show of each. Ids compare byte by byte (collation C), because
-- prefixes are looked up as ranges. A fifth of each page is left free, so that a changed head stays on its page.
CREATE TABLE workflows (
    number            bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow_id       text    COLLATE "C" NOT NULL UNIQUE,
    request_id        text    COLLATE "C" NOT NULL,
    tenant            text    NOT NULL,
    status            text    NOT NULL,
    model             text    NOT NULL,
    created_at        bigint  NOT NULL,
    finished_at       bigint,
    ordering_key      text,
    catalogue_version text    NOT NULL,
    done              boolean NOT NULL,
    quarantined       boolean NOT NULL,
    rejected          boolean NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX workflows_by_request ON workflows (request_id);
CREATE INDEX workflows_unfinished ON workflows (number) WHERE NOT done;

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
