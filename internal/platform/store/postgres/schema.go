package postgres

// migrations are the steps from an empty schema to the newest one. A step that was released is never changed.
var migrations = []string{
	logSchema + viewsSchema + ledgerSchema, subjectsSchema, governanceSchema, approvalsOfACall, tasksSchema, pinsSchema, toolViewsSchema,
	idempotencySchema, taskKindsSchema,
}

// logSchema is what this part of the package keeps. Times of the log are in microseconds since 1970, UTC.
const logSchema = `
-- The log: one row per record, in the order of the tree. seq is the record's index, from 0, without gaps. Every column
-- is part of what leaf commits to. Where a record's retention is over, content is NULL and digest its SHA-256, which is
-- what leaf commits to.
CREATE TABLE audit_records (
    seq     bigint PRIMARY KEY CHECK (seq >= 0),
    time    bigint NOT NULL,
    type    text   NOT NULL,
    tenant  text   NOT NULL,
    call    text   NOT NULL,
    content bytea,
    leaf    bytea  NOT NULL CHECK (octet_length(leaf) = 32),
    digest  bytea  CHECK (octet_length(digest) = 32),
    CHECK ((content IS NULL) = (digest IS NOT NULL))
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

-- What was destroyed: content of the tenant's records with first <= seq < until, by the transaction tx. The record that
-- says so is committed by the same transaction, but has its index only once the leader has placed it, so that it is found
-- by its time, which is time, and by the range it names.
CREATE TABLE audit_destroyed (
    n      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text   NOT NULL,
    first  bigint NOT NULL CHECK (first >= 0),
    until  bigint NOT NULL CHECK (until > first),
    time   bigint NOT NULL,
    tx     xid8   NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX audit_destroyed_tx ON audit_destroyed (tx);

-- Signed checkpoints, newest last.
CREATE TABLE audit_checkpoints (
    n    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    note bytea NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- A record changes once, when its content is destroyed, and only in the transaction that has said what it destroys. The
-- search path is that of this schema, whoever is connected.
CREATE FUNCTION refuse_unless_destroyed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM audit_destroyed WHERE tx = pg_current_xact_id()) THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION destroy_only() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.content IS NULL AND OLD.content IS NOT NULL AND NEW.digest IS NOT DISTINCT FROM sha256(OLD.content)
        AND (NEW.seq, NEW.time, NEW.type, NEW.tenant, NEW.call, NEW.leaf)
            IS NOT DISTINCT FROM (OLD.seq, OLD.time, OLD.type, OLD.tenant, OLD.call, OLD.leaf)
        AND EXISTS (SELECT FROM audit_destroyed WHERE tx = pg_current_xact_id() AND tenant = OLD.tenant
            AND first <= OLD.seq AND OLD.seq < until)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER update_only_to_destroy BEFORE UPDATE ON audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_destroyed();
CREATE TRIGGER destroy_only BEFORE UPDATE ON audit_records
    FOR EACH ROW EXECUTE FUNCTION destroy_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_destroyed
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_tiles
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit_pending
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

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
