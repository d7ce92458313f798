package postgres

// migrations are the steps from an empty schema to the newest one. A step that was released is never changed.
var migrations = []string{logSchema + viewsSchema + ledgerSchema}

// logSchema is what this part of the package keeps. Times of the log are in microseconds since 1970, UTC.
const logSchema = `
-- The log: one row per record, in the order of the tree. seq is the record's index, from 0, without gaps. Every column
-- is part of what leaf commits to.
CREATE TABLE audit_records (
    seq     bigint PRIMARY KEY CHECK (seq >= 0),
    time    bigint NOT NULL,
    type    text   NOT NULL,
    tenant  text   NOT NULL,
    call    text   NOT NULL,
    content bytea  NOT NULL,
    leaf    bytea  NOT NULL CHECK (octet_length(leaf) = 32)
);

-- Full tiles of the log's tree (C2SP tlog-tiles): 256 hashes of 32 bytes, written once.
CREATE TABLE audit_tiles (
    level  int    NOT NULL,
    n      bigint NOT NULL,
    hashes bytea  NOT NULL,
    PRIMARY KEY (level, n)
);
ALTER TABLE audit_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL; -- Hashes do not compress.

-- Records that are durable and have no place yet. They leave only for audit_records. The table is always nearly empty
-- and rewritten all the time, so it is swept by how much was written and not by its size.
CREATE TABLE audit_pending (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    replica text   NOT NULL,
    time    bigint NOT NULL,
    type    text   NOT NULL,
    tenant  text   NOT NULL,
    call    text   NOT NULL,
    content bytea  NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_tiles
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit_pending
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Signed checkpoints, newest last.
CREATE TABLE audit_checkpoints (
    n    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    note bytea NOT NULL
);

-- API keys that were created at run time. Secrets are known only as SHA-256. Times as above; revoked is NULL while the
-- key is good. limits is JSON.
CREATE TABLE keys (
    id      text   PRIMARY KEY,
    hash    bytea  NOT NULL UNIQUE,
    hint    text   NOT NULL,
    tenant  text   NOT NULL,
    team    text   NOT NULL,
    agent   text   NOT NULL,
    "user"  text   NOT NULL,
    role    text   NOT NULL,
    limits  text   NOT NULL,
    created bigint NOT NULL,
    revoked bigint
);

-- The processes that share this database. Each transaction of a replica that must not come after its fencing locks its
-- row FOR SHARE and finds fenced to be NULL. Heartbeats are elsewhere, so that they do not wait for those locks.
CREATE TABLE replicas (
    id      text        PRIMARY KEY,
    started timestamptz NOT NULL,
    fenced  timestamptz,
    left_at timestamptz, -- It left by itself; it is then fenced too.
    heir    text         -- Who ends its open calls; see Inherit.
);
CREATE TABLE heartbeats (
    replica text        PRIMARY KEY REFERENCES replicas (id) ON DELETE CASCADE,
    seen    timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The number of the last commit of each replica, by which a commit whose connection broke is looked up.
CREATE TABLE commits (
    replica text   PRIMARY KEY REFERENCES replicas (id) ON DELETE CASCADE,
    n       bigint NOT NULL
) WITH (fillfactor = 50);

-- Who leads, by the backend that holds the lock, and when it last said so. One row.
CREATE TABLE leader (
    one     int         PRIMARY KEY CHECK (one = 1),
    replica text        NOT NULL,
    pid     int         NOT NULL,
    term    bigint      NOT NULL,
    renewed timestamptz NOT NULL
) WITH (fillfactor = 50);

-- How often what replicas keep in memory has changed, by topic.
CREATE TABLE versions (
    topic text   PRIMARY KEY,
    n     bigint NOT NULL
) WITH (fillfactor = 50);
`
