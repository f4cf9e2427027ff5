-- The tables of the reference agents' shared inventory. Money is in cents, instants in milliseconds since 1970.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE stock (          -- what differs from the made-up world: rows come into being when something is taken or set
    kind TEXT NOT NULL, item TEXT NOT NULL, day TEXT NOT NULL,
    capacity INTEGER NOT NULL, taken INTEGER NOT NULL DEFAULT 0, price_percent INTEGER NOT NULL DEFAULT 100,
    PRIMARY KEY (kind, item, day)) WITHOUT ROWID;

CREATE TABLE holds (
    hold_id TEXT PRIMARY KEY, kind TEXT NOT NULL, offer_id TEXT NOT NULL, customer_id TEXT,
    total INTEGER NOT NULL, currency TEXT NOT NULL, expires_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'released', 'expired', 'booked')),
    workflow_id TEXT NOT NULL, request_id TEXT NOT NULL);
CREATE INDEX holds_held ON holds (expires_ms) WHERE state = 'held';
CREATE INDEX holds_request ON holds (request_id);

CREATE TABLE bookings (
    booking_id TEXT PRIMARY KEY, kind TEXT NOT NULL, offer_id TEXT NOT NULL, hold_id TEXT NOT NULL UNIQUE,
    authorization_id TEXT NOT NULL, total INTEGER NOT NULL, currency TEXT NOT NULL, fee INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('booked', 'cancelled')), changed INTEGER NOT NULL DEFAULT 0,
    workflow_id TEXT NOT NULL, request_id TEXT NOT NULL);
CREATE INDEX bookings_request ON bookings (request_id);
CREATE INDEX bookings_authorization ON bookings (authorization_id);

CREATE TABLE changes (
    change_id TEXT PRIMARY KEY, booking_id TEXT NOT NULL, from_offer TEXT NOT NULL, to_offer TEXT NOT NULL,
    from_total INTEGER NOT NULL, due INTEGER NOT NULL, authorization_id TEXT, request_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('made', 'reverted')));
CREATE INDEX changes_authorization ON changes (authorization_id);

CREATE TABLE authorizations (
    authorization_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('authorized', 'voided', 'expired', 'captured', 'refunded')),
    workflow_id TEXT NOT NULL, request_id TEXT NOT NULL);
CREATE INDEX authorizations_customer ON authorizations (customer_id);
CREATE INDEX authorizations_request ON authorizations (request_id);

CREATE TABLE captures (
    capture_id TEXT PRIMARY KEY, authorization_id TEXT NOT NULL UNIQUE, customer_id TEXT NOT NULL,
    amount INTEGER NOT NULL, refunded INTEGER NOT NULL DEFAULT 0, currency TEXT NOT NULL, order_id TEXT,
    workflow_id TEXT NOT NULL, request_id TEXT NOT NULL, CHECK (refunded BETWEEN 0 AND amount));
CREATE INDEX captures_customer ON captures (customer_id);
CREATE INDEX captures_request ON captures (request_id);

CREATE TABLE orders (
    number INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, customer_id TEXT NOT NULL, document TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'cancelled')), workflow_id TEXT NOT NULL, request_id TEXT NOT NULL);
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_request ON orders (request_id);

CREATE TABLE messages (
    message_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, template TEXT NOT NULL, document TEXT NOT NULL,
    workflow_id TEXT NOT NULL, request_id TEXT NOT NULL);
CREATE INDEX messages_request ON messages (request_id);

CREATE TABLE answers (        -- the first answer under each idempotency key, written in the transaction of its effect
    key TEXT PRIMARY KEY, action TEXT NOT NULL, fingerprint TEXT NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE under_way (      -- calls that have begun and not ended: what lookup answers `pending` for
    token TEXT PRIMARY KEY, key TEXT NOT NULL, process INTEGER NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX under_way_key ON under_way (key);

CREATE TABLE effects (        -- one row for each effect that was really made; never changed, never deleted
    number INTEGER PRIMARY KEY, action TEXT NOT NULL, key TEXT NOT NULL, workflow_id TEXT NOT NULL, request_id TEXT NOT NULL,
    task_id TEXT NOT NULL, attempt INTEGER NOT NULL, subject TEXT NOT NULL, undoes TEXT, at_ms INTEGER NOT NULL);
CREATE INDEX effects_request ON effects (request_id);

CREATE TABLE faults (
    number INTEGER PRIMARY KEY, action TEXT NOT NULL, mode TEXT NOT NULL, argument TEXT NOT NULL,
    remaining INTEGER NOT NULL, request TEXT NOT NULL);
