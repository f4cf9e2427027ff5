-- usable from: 1
-- Skeletons of plans by what they are for; there is no value of any request in them (domain/template.py).
CREATE TABLE templates (
    key     text PRIMARY KEY,
    payload text NOT NULL
);
