-- Calls that are made later in place of their callers, in the order in which they were asked for. content is sealed under
-- the subject's key sealed_by, and removed with that key. Times are in microseconds since 1970, UTC; NULL is none. cancelled
-- is when somebody asked for the end of one whose call is under way.
CREATE TABLE tasks (
    n         INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    tenant    TEXT    NOT NULL,
    approval  TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    ended     INTEGER,
    expires   INTEGER,
    cancelled INTEGER,
    sealed_by TEXT    NOT NULL,
    content   BLOB,
    doc       TEXT    NOT NULL
) STRICT;
CREATE INDEX tasks_open ON tasks (tenant) WHERE ended IS NULL;
CREATE INDEX tasks_approval ON tasks (approval) WHERE ended IS NULL;
CREATE INDEX tasks_over ON tasks (expires) WHERE ended IS NOT NULL;
CREATE INDEX tasks_sealed ON tasks (sealed_by) WHERE sealed_by <> '';
