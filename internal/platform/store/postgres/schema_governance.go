package postgres

// governanceSchema is approvals and what else people decide.
const governanceSchema = `
-- Approvals in the order in which they were asked for. What is not looked for is in doc, as JSON. content is sealed under
-- the subject's key sealed_by, and removed with that key. Times are in microseconds since 1970, UTC, here and below; NULL
-- is none.
CREATE TABLE approvals (
    n         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text   NOT NULL UNIQUE,
    tenant    text   NOT NULL,
    hash      bytea  NOT NULL CHECK (octet_length(hash) = 32),
    state     text   NOT NULL,
    used      bigint,
    run       text   NOT NULL,
    agent     text   NOT NULL,
    tool      text   NOT NULL,
    sealed_by text   NOT NULL,
    content   bytea,
    doc       text   NOT NULL
);
CREATE INDEX approvals_tenant ON approvals (tenant, n);
CREATE INDEX approvals_run ON approvals (run, n) WHERE run <> '';
CREATE INDEX approvals_pending ON approvals (n) WHERE state = 'pending';
CREATE INDEX approvals_live ON approvals (hash) WHERE state = 'pending' OR state = 'approved' AND used IS NULL;
CREATE INDEX approvals_sealed ON approvals (sealed_by) WHERE sealed_by <> '';

-- Break-glass grants in the order in which they were given.
CREATE TABLE grants (
    n      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id     text   NOT NULL UNIQUE,
    tenant text   NOT NULL,
    doc    text   NOT NULL
);
CREATE INDEX grants_tenant ON grants (tenant, n);

-- Policies that were in force, in the order in which they first were.
CREATE TABLE policy_versions (
    n       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version text   NOT NULL UNIQUE,
    time    bigint NOT NULL,
    text    text   NOT NULL
);

-- Incidents in the order in which they were reported. closed is NULL while one is open.
CREATE TABLE incidents (
    n      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id     text   NOT NULL UNIQUE,
    tenant text   NOT NULL,
    closed bigint,
    doc    text   NOT NULL
);
CREATE INDEX incidents_tenant ON incidents (tenant, n);
CREATE INDEX incidents_open ON incidents (n) WHERE closed IS NULL;

-- Sessions of people. hash is the SHA-256 of what the cookie holds. They are removed some time after they have expired.
CREATE TABLE sessions (
    id      text   COLLATE "C" PRIMARY KEY,
    hash    bytea  NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    opened  bigint NOT NULL,
    expires bigint NOT NULL,
    ended   bigint,
    doc     text   NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);

-- Who may change what right now. A claim is good while its replica is not fenced. A replica that is forgotten leaves none,
-- so that a claim always has a replica to ask about.
CREATE TABLE claims (
    name    text COLLATE "C" PRIMARY KEY,
    replica text NOT NULL REFERENCES replicas (id) ON DELETE CASCADE,
    holder  text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX claims_replica ON claims (replica);
`

// approvalsOfACall finds the newest approval of a call whatever became of it: a denial counts for a while.
const approvalsOfACall = `
DROP INDEX approvals_live;
CREATE INDEX approvals_hash ON approvals (hash, n);
`
