-- Totals of runs by hour, so that the costs of all runs in a range add up to those of its rollups; hour is the one in
-- which the calls came in, and run '' is the calls of no run.
CREATE TABLE run_hours (
    tenant      TEXT    NOT NULL,
    run         TEXT    NOT NULL,
    hour        INTEGER NOT NULL,
    calls       INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    refusals    INTEGER NOT NULL,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cost        INTEGER NOT NULL,
    unpriced    INTEGER NOT NULL,
    PRIMARY KEY (tenant, run, hour)
) STRICT, WITHOUT ROWID;
-- Pages go back through the hours, of all tenants or of one.
CREATE INDEX run_hours_hour ON run_hours (hour, tenant, run);
CREATE INDEX run_hours_tenant ON run_hours (tenant, hour, run);

-- What was projected before has no such totals: without a leaf the projections are folded anew.
UPDATE progress SET leaf = x'';
