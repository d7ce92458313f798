-- The log: one row per record, in the order of the tree. seq is the record's index, from 0, without gaps. Every column
-- is part of what leaf commits to. time is in microseconds since 1970, UTC.
CREATE TABLE audit_records (
    seq     INTEGER PRIMARY KEY CHECK (seq >= 0),
    time    INTEGER NOT NULL,
    type    TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    call    TEXT    NOT NULL,
    content BLOB    NOT NULL,
    leaf    BLOB    NOT NULL
) STRICT;

CREATE TRIGGER audit_records_no_update BEFORE UPDATE ON audit_records
BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END;

CREATE TRIGGER audit_records_no_delete BEFORE DELETE ON audit_records
BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END;

-- Full tiles of the log's tree (C2SP tlog-tiles): 256 hashes of 32 bytes, written once.
CREATE TABLE audit_tiles (
    level  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    hashes BLOB    NOT NULL,
    PRIMARY KEY (level, n)
) STRICT;

-- Signed checkpoints, newest last.
CREATE TABLE audit_checkpoints (
    n    INTEGER PRIMARY KEY,
    note BLOB NOT NULL
) STRICT;

-- API keys that were created at run time. Secrets are known only as SHA-256. Times as above; revoked is NULL while the
-- key is good. limits is JSON.
CREATE TABLE keys (
    id      TEXT PRIMARY KEY,
    hash    BLOB    NOT NULL UNIQUE,
    hint    TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    team    TEXT    NOT NULL,
    agent   TEXT    NOT NULL,
    user    TEXT    NOT NULL,
    role    TEXT    NOT NULL,
    limits  TEXT    NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER
) STRICT;
