-- Projections of the log. Nothing here is the truth; `DELETE` of all of it and a new fold of the log gives the same.
-- Times are microseconds since 1970, UTC; hours are hours since 1970. Text that does not apply is ''.

-- One row: the index of the next record to project, the time of the last one, and its leaf hash, which tells whether the
-- file belongs to this log.
CREATE TABLE progress (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    cursor INTEGER NOT NULL,
    as_of  INTEGER NOT NULL,
    leaf   BLOB    NOT NULL
) STRICT;
INSERT INTO progress VALUES (1, 0, 0, x'');

-- One row per call. first is the index of its first record: lists are ordered by it, and every index ends with it.
CREATE TABLE calls (
    first           INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL,
    time            INTEGER NOT NULL,
    tenant          TEXT    NOT NULL,
    team            TEXT    NOT NULL,
    key_id          TEXT    NOT NULL,
    user            TEXT    NOT NULL,
    request_id      TEXT    NOT NULL,
    run_id          TEXT    NOT NULL,
    agent_id        TEXT    NOT NULL,
    agent_role      TEXT    NOT NULL,
    parent_agent_id TEXT    NOT NULL,
    step_index      INTEGER,
    kind            TEXT    NOT NULL,
    protocol        TEXT    NOT NULL,
    tool_name       TEXT    NOT NULL,
    model_name      TEXT    NOT NULL,
    provider        TEXT    NOT NULL,
    upstream_model  TEXT    NOT NULL,
    flags           INTEGER NOT NULL, -- 1 stream, 2 simulated, 4 has an intent.
    latency_ms      INTEGER NOT NULL,
    first_byte_ms   INTEGER NOT NULL,
    input_tokens    INTEGER,          -- NULL where nothing was consumed.
    output_tokens   INTEGER,
    cache_read      INTEGER,
    cache_write     INTEGER,
    cost            INTEGER,          -- Nano-dollars.
    cost_basis      TEXT    NOT NULL,
    risk_level      TEXT    NOT NULL,
    outcome         TEXT    NOT NULL, -- 'running' while there is none.
    error_code      TEXT    NOT NULL,
    attempts        INTEGER NOT NULL,
    trace_id        TEXT    NOT NULL,
    span_id         TEXT    NOT NULL,
    parent_span_id  TEXT    NOT NULL,
    outcome_index   INTEGER
) STRICT;
CREATE UNIQUE INDEX calls_id ON calls (id);
CREATE INDEX calls_trace ON calls (trace_id);
CREATE INDEX calls_tenant ON calls (tenant);
CREATE INDEX calls_team ON calls (team) WHERE team <> '';
CREATE INDEX calls_agent ON calls (agent_id) WHERE agent_id <> '';
CREATE INDEX calls_model ON calls (model_name) WHERE model_name <> '';
CREATE INDEX calls_tool ON calls (tool_name) WHERE tool_name <> '';
CREATE INDEX calls_run ON calls (run_id) WHERE run_id <> '';
-- The outcomes that people look for are the rare ones; running calls are among them.
CREATE INDEX calls_outcome ON calls (outcome) WHERE outcome <> 'ok';

CREATE TABLE rollups (
    hour        INTEGER NOT NULL,
    tenant      TEXT    NOT NULL,
    team        TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    tool        TEXT    NOT NULL,
    provider    TEXT    NOT NULL,
    calls       INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    refusals    INTEGER NOT NULL,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cost        INTEGER NOT NULL,
    unpriced    INTEGER NOT NULL,
    PRIMARY KEY (hour, tenant, team, agent, model, tool, provider)
) STRICT, WITHOUT ROWID;

-- The same by day, so that months are not added up out of hours; hour is the first one of the day.
CREATE TABLE rollup_days (
    hour        INTEGER NOT NULL,
    tenant      TEXT    NOT NULL,
    team        TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    tool        TEXT    NOT NULL,
    provider    TEXT    NOT NULL,
    calls       INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    refusals    INTEGER NOT NULL,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cost        INTEGER NOT NULL,
    unpriced    INTEGER NOT NULL,
    PRIMARY KEY (hour, tenant, team, agent, model, tool, provider)
) STRICT, WITHOUT ROWID;

CREATE TABLE latencies (
    hour   INTEGER NOT NULL,
    tenant TEXT    NOT NULL,
    sketch BLOB    NOT NULL,
    PRIMARY KEY (hour, tenant)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    tenant      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    first       INTEGER NOT NULL,
    team        TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    started     INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    running     INTEGER NOT NULL,
    calls       INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    refusals    INTEGER NOT NULL,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cost        INTEGER NOT NULL,
    unpriced    INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_first ON runs (first);

CREATE TABLE facets (
    field  TEXT NOT NULL,
    tenant TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (field, tenant, value)
) STRICT, WITHOUT ROWID;
