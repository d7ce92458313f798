-- Latencies of each tool beside those of all calls, whose tool is ''.
DROP TABLE latencies;
CREATE TABLE latencies (
    hour   INTEGER NOT NULL,
    tenant TEXT    NOT NULL,
    tool   TEXT    NOT NULL,
    sketch BLOB    NOT NULL,
    PRIMARY KEY (hour, tenant, tool)
) STRICT, WITHOUT ROWID;

-- What was projected before has none of tools, and refused calls of tools under no tool: without a leaf the projections
-- are folded anew.
UPDATE progress SET leaf = x'';
