package postgres

// viewsSchema is what the projections keep. Nothing here is the truth: without all of it, a new fold of the log gives
// the same. Times are microseconds since 1970, UTC; hours are hours since 1970. Text that does not apply is empty; text is
// compared byte by byte, so that lists have the same order everywhere.
const viewsSchema = `
-- One row: the index of the next record to project, the time of the last one, and its leaf hash, which tells whether the
-- projections belong to this log. Whoever changes projections holds its lock.
CREATE TABLE progress (
    one    int    PRIMARY KEY CHECK (one = 1),
    cursor bigint NOT NULL,
    as_of  bigint NOT NULL,
    leaf   bytea  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO progress VALUES (1, 0, 0, '');

-- One row per call. first is the index of its first record: lists are ordered by it, and every index ends with it.
CREATE TABLE calls (
    first           bigint PRIMARY KEY,
    id              text   COLLATE "C" NOT NULL,
    time            bigint NOT NULL,
    tenant          text   COLLATE "C" NOT NULL,
    team            text   COLLATE "C" NOT NULL,
    key_id          text   COLLATE "C" NOT NULL,
    user_id         text   COLLATE "C" NOT NULL,
    request_id      text   COLLATE "C" NOT NULL,
    run_id          text   COLLATE "C" NOT NULL,
    agent_id        text   COLLATE "C" NOT NULL,
    agent_role      text   COLLATE "C" NOT NULL,
    parent_agent_id text   COLLATE "C" NOT NULL,
    step_index      bigint,
    kind            text   COLLATE "C" NOT NULL,
    protocol        text   COLLATE "C" NOT NULL,
    tool_name       text   COLLATE "C" NOT NULL,
    trace_id        text   COLLATE "C" NOT NULL,
    span_id         text   COLLATE "C" NOT NULL,
    parent_span_id  text   COLLATE "C" NOT NULL,
    model_name      text   COLLATE "C" NOT NULL,
    provider        text   COLLATE "C" NOT NULL,
    upstream_model  text   COLLATE "C" NOT NULL,
    flags           bigint NOT NULL, -- 1 stream, 2 simulated, 4 has an intent.
    latency_ms      bigint NOT NULL,
    first_byte_ms   bigint NOT NULL,
    input_tokens    bigint,          -- NULL where nothing was consumed.
    output_tokens   bigint,
    cache_read      bigint,
    cache_write     bigint,
    cost            bigint,          -- Nano-dollars.
    cost_basis      text   COLLATE "C" NOT NULL,
    risk_level      text   COLLATE "C" NOT NULL,
    outcome         text   COLLATE "C" NOT NULL, -- 'running' while there is none.
    error_code      text   COLLATE "C" NOT NULL,
    attempts        bigint NOT NULL,
    outcome_index   bigint,
    sealed_by       text   COLLATE "C" NOT NULL -- Which key seals user_id, which is removed when that key is destroyed.
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX calls_id ON calls (id);
CREATE INDEX calls_trace ON calls (trace_id, first);
CREATE INDEX calls_tenant ON calls (tenant, first);
CREATE INDEX calls_team ON calls (team, first) WHERE team <> '';
CREATE INDEX calls_agent ON calls (agent_id, first) WHERE agent_id <> '';
CREATE INDEX calls_model ON calls (model_name, first) WHERE model_name <> '';
CREATE INDEX calls_tool ON calls (tool_name, first) WHERE tool_name <> '';
CREATE INDEX calls_run ON calls (run_id, first) WHERE run_id <> '';
-- The outcomes that people look for are the rare ones; running calls are among them.
CREATE INDEX calls_outcome ON calls (outcome, first) WHERE outcome <> 'ok';

CREATE TABLE rollups (
    hour     bigint NOT NULL,
    tenant   text   COLLATE "C" NOT NULL,
    team     text   COLLATE "C" NOT NULL,
    agent    text   COLLATE "C" NOT NULL,
    model    text   COLLATE "C" NOT NULL,
    tool     text   COLLATE "C" NOT NULL,
    provider text   COLLATE "C" NOT NULL,
` + totalsDDL + `    PRIMARY KEY (hour, tenant, team, agent, model, tool, provider)
) WITH (fillfactor = 70);

-- The same by day, so that months are not added up out of hours; hour is the first one of the day.
CREATE TABLE rollup_days (LIKE rollups INCLUDING ALL) WITH (fillfactor = 70);

CREATE TABLE latencies (
    hour   bigint NOT NULL,
    tenant text   COLLATE "C" NOT NULL,
    sketch bytea  NOT NULL,
    PRIMARY KEY (hour, tenant)
) WITH (fillfactor = 50);

CREATE TABLE run_totals (
    tenant  text   COLLATE "C" NOT NULL,
    id      text   COLLATE "C" NOT NULL,
    first   bigint NOT NULL,
    team    text   COLLATE "C" NOT NULL,
    agent   text   COLLATE "C" NOT NULL,
    started bigint NOT NULL,
    last    bigint NOT NULL,
    running bigint NOT NULL,
` + totalsDDL + `    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 70);
CREATE INDEX run_totals_first ON run_totals (first);
CREATE INDEX run_totals_tenant ON run_totals (tenant, first);

-- Totals of runs by hour, so that the costs of all runs in a range add up to those of its rollups; hour is the one in
-- which the calls came in, and run '' is the calls of no run.
CREATE TABLE run_hours (
    tenant text   COLLATE "C" NOT NULL,
    run    text   COLLATE "C" NOT NULL,
    hour   bigint NOT NULL,
` + totalsDDL + `    PRIMARY KEY (tenant, run, hour)
) WITH (fillfactor = 80);
CREATE INDEX run_hours_hour ON run_hours (hour, tenant, run);
CREATE INDEX run_hours_tenant ON run_hours (tenant, hour, run);

CREATE TABLE facets (
    field  text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    value  text COLLATE "C" NOT NULL,
    PRIMARY KEY (field, tenant, value)
);

-- Which keys of data subjects seal records with seq / 256 = block. All records about a subject are found by its keys.
CREATE TABLE subject_blocks (
    key   text   COLLATE "C" NOT NULL,
    block bigint NOT NULL,
    PRIMARY KEY (key, block)
);
`

// toolViewsSchema keeps latencies of each tool beside those of all calls, whose tool is empty. What was projected before has none
// of tools, and refused calls of tools under no tool: without a leaf the projections are folded anew.
const toolViewsSchema = `
DROP TABLE latencies;
CREATE TABLE latencies (
    hour   bigint NOT NULL,
    tenant text   COLLATE "C" NOT NULL,
    tool   text   COLLATE "C" NOT NULL,
    sketch bytea  NOT NULL,
    PRIMARY KEY (hour, tenant, tool)
) WITH (fillfactor = 50);
UPDATE progress SET leaf = '';
`

// viewTables are those that a rebuild fills.
const viewTables = "calls, rollups, rollup_days, latencies, run_totals, run_hours, facets, subject_blocks"

const totalsDDL = `    calls       bigint NOT NULL,
    failures    bigint NOT NULL,
    refusals    bigint NOT NULL,
    input       bigint NOT NULL,
    output      bigint NOT NULL,
    cache_read  bigint NOT NULL,
    cache_write bigint NOT NULL,
    cost        bigint NOT NULL,
    unpriced    bigint NOT NULL,
`
