-- Version 2. Applied in one transaction; a released migration is never edited.

-- Skeletons of plans by what they are for; there is no value of any request in them (domain/template.py).
CREATE TABLE templates (
    key     TEXT PRIMARY KEY,
    payload TEXT NOT NULL
) STRICT;
