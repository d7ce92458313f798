-- Approvals in the order in which they were asked for. What is not looked for is in doc, as JSON. content is sealed under
-- the subject's key sealed_by, and removed with that key. Times are microseconds since 1970, UTC, here and below; NULL is
-- none.
CREATE TABLE approvals (
    n         INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    tenant    TEXT    NOT NULL,
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    state     TEXT    NOT NULL,
    used      INTEGER,
    run       TEXT    NOT NULL,
    agent     TEXT    NOT NULL,
    tool      TEXT    NOT NULL,
    sealed_by TEXT    NOT NULL,
    content   BLOB,
    doc       TEXT    NOT NULL
) STRICT;
CREATE INDEX approvals_tenant ON approvals (tenant);
CREATE INDEX approvals_run ON approvals (run) WHERE run <> '';
CREATE INDEX approvals_pending ON approvals (n) WHERE state = 'pending';
CREATE INDEX approvals_live ON approvals (hash) WHERE state = 'pending' OR state = 'approved' AND used IS NULL;
CREATE INDEX approvals_sealed ON approvals (sealed_by) WHERE sealed_by <> '';

-- Break-glass grants in the order in which they were given.
CREATE TABLE grants (
    n      INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    tenant TEXT    NOT NULL,
    doc    TEXT    NOT NULL
) STRICT;
CREATE INDEX grants_tenant ON grants (tenant);

-- Policies that were in force, in the order in which they first were.
CREATE TABLE policy_versions (
    n       INTEGER PRIMARY KEY,
    version TEXT    NOT NULL UNIQUE,
    time    INTEGER NOT NULL,
    text    TEXT    NOT NULL
) STRICT;

-- Incidents in the order in which they were reported. closed is NULL while one is open.
CREATE TABLE incidents (
    n      INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    tenant TEXT    NOT NULL,
    closed INTEGER,
    doc    TEXT    NOT NULL
) STRICT;
CREATE INDEX incidents_tenant ON incidents (tenant);
CREATE INDEX incidents_open ON incidents (n) WHERE closed IS NULL;

-- Sessions of people. hash is the SHA-256 of what the cookie holds. They are removed some time after they have expired.
CREATE TABLE sessions (
    id      TEXT    PRIMARY KEY,
    hash    BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    opened  INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ended   INTEGER,
    doc     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_expires ON sessions (expires);
