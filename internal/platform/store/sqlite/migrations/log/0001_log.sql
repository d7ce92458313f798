-- The log: one row per record, in the order of the tree. seq is the record's index, from 0, without gaps. Every column
-- is part of what leaf commits to. time is in microseconds since 1970, UTC. Where a record's retention is over, content is
-- NULL and digest its SHA-256, which is what leaf commits to.
CREATE TABLE audit_records (
    seq     INTEGER PRIMARY KEY CHECK (seq >= 0),
    time    INTEGER NOT NULL,
    type    TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    call    TEXT    NOT NULL,
    content BLOB,
    leaf    BLOB    NOT NULL,
    digest  BLOB CHECK (digest IS NULL OR length(digest) = 32),
    CHECK ((content IS NULL) = (digest IS NOT NULL))
) STRICT;

-- What was destroyed: content of the tenant's records with first <= seq < until. record is the index of the record that
-- says so, written in the same transaction, and time its time.
CREATE TABLE audit_destroyed (
    n      INTEGER PRIMARY KEY,
    tenant TEXT    NOT NULL,
    first  INTEGER NOT NULL CHECK (first >= 0),
    until  INTEGER NOT NULL CHECK (until > first),
    record INTEGER NOT NULL CHECK (record >= until),
    time   INTEGER NOT NULL
) STRICT;

-- A row changes once, when its content is destroyed, and only while the newest record is the one that says so: SQLite's
-- triggers can not see transactions, and nothing of that range is left once its own has ended. IS compares NULLs too: a
-- condition that is NULL would let everything pass.
CREATE TRIGGER audit_records_no_update BEFORE UPDATE ON audit_records
WHEN NOT (
    NEW.content IS NULL AND OLD.content IS NOT NULL AND OLD.digest IS NULL AND length(NEW.digest) IS 32
    AND NEW.seq IS OLD.seq AND NEW.time IS OLD.time AND NEW.type IS OLD.type AND NEW.tenant IS OLD.tenant
    AND NEW.call IS OLD.call AND NEW.leaf IS OLD.leaf
    AND EXISTS (
        SELECT 1 FROM audit_destroyed d WHERE d.record = (SELECT max(seq) FROM audit_records)
        AND d.tenant = OLD.tenant AND d.first <= OLD.seq AND OLD.seq < d.until
    )
)
BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END;

CREATE TRIGGER audit_records_no_delete BEFORE DELETE ON audit_records
BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END;

-- REPLACE deletes without a DELETE trigger.
CREATE TRIGGER audit_records_no_replace BEFORE INSERT ON audit_records
WHEN NEW.seq <= (SELECT max(seq) FROM audit_records)
BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END;

CREATE TRIGGER audit_destroyed_no_update BEFORE UPDATE ON audit_destroyed
BEGIN SELECT RAISE(ABORT, 'audit_destroyed is append-only'); END;

CREATE TRIGGER audit_destroyed_no_delete BEFORE DELETE ON audit_destroyed
BEGIN SELECT RAISE(ABORT, 'audit_destroyed is append-only'); END;

CREATE TRIGGER audit_destroyed_no_replace BEFORE INSERT ON audit_destroyed
WHEN EXISTS (SELECT 1 FROM audit_destroyed WHERE n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'audit_destroyed is append-only'); END;

-- Only the newest record can be the evidence, and only one that Signalbox made.
CREATE TRIGGER audit_destroyed_evidence BEFORE INSERT ON audit_destroyed
WHEN NOT EXISTS (
    SELECT 1 FROM audit_records WHERE seq = NEW.record AND type = 'admin' AND seq = (SELECT max(seq) FROM audit_records)
)
BEGIN SELECT RAISE(ABORT, 'audit_destroyed is append-only: its record must be the newest, and an admin record'); END;

-- Full tiles of the log's tree (C2SP tlog-tiles): 256 hashes of 32 bytes, written once.
CREATE TABLE audit_tiles (
    level  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    hashes BLOB    NOT NULL,
    PRIMARY KEY (level, n)
) STRICT;

CREATE TRIGGER audit_tiles_no_update BEFORE UPDATE ON audit_tiles
BEGIN SELECT RAISE(ABORT, 'audit_tiles is append-only'); END;

CREATE TRIGGER audit_tiles_no_delete BEFORE DELETE ON audit_tiles
BEGIN SELECT RAISE(ABORT, 'audit_tiles is append-only'); END;

CREATE TRIGGER audit_tiles_no_replace BEFORE INSERT ON audit_tiles
WHEN EXISTS (SELECT 1 FROM audit_tiles WHERE level = NEW.level AND n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'audit_tiles is append-only'); END;

-- Signed checkpoints, newest last.
CREATE TABLE audit_checkpoints (
    n    INTEGER PRIMARY KEY,
    note BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'audit_checkpoints is append-only'); END;

CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'audit_checkpoints is append-only'); END;

CREATE TRIGGER audit_checkpoints_no_replace BEFORE INSERT ON audit_checkpoints
WHEN EXISTS (SELECT 1 FROM audit_checkpoints WHERE n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'audit_checkpoints is append-only'); END;

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
