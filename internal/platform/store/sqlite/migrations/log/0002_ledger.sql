-- The accounts of the ledger by their identities. id stands for the account in the table below: what is written with
-- every call is then small, and lies beside what is written at the same time. closed is 1 after an overrun.
CREATE TABLE ledger_accounts (
    id      INTEGER PRIMARY KEY,
    account TEXT    NOT NULL UNIQUE,
    closed  INTEGER NOT NULL
) STRICT;

-- What each replica may use of each account and what it has used. It is the sum of the entries of the log's records,
-- besides what is granted. touched is when something was posted or drawn, in seconds since 1970.
CREATE TABLE ledger_shares (
    account INTEGER NOT NULL,
    replica TEXT    NOT NULL,
    granted INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    PRIMARY KEY (account, replica)
) STRICT, WITHOUT ROWID;

-- Runs that were opened with a budget. plan is JSON. Times are microseconds since 1970, UTC, here and below; NULL is
-- none. idle is in microseconds.
CREATE TABLE opened_runs (
    tenant TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    team   TEXT    NOT NULL,
    key_id TEXT    NOT NULL,
    plan   TEXT    NOT NULL,
    state  TEXT    NOT NULL,
    opened INTEGER NOT NULL,
    ended  INTEGER,
    idle   INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX opened_runs_open ON opened_runs (opened) WHERE state IN ('running', 'halted');

-- Alerts in the order in which they were stored.
CREATE TABLE alerts (
    n         INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    rule      TEXT    NOT NULL,
    level     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    per       TEXT    NOT NULL,
    tenant    TEXT    NOT NULL,
    run       TEXT    NOT NULL,
    agent     TEXT    NOT NULL,
    call      TEXT    NOT NULL,
    account   TEXT    NOT NULL,
    threshold INTEGER NOT NULL,
    value     INTEGER NOT NULL,
    raised    INTEGER NOT NULL,
    text      TEXT    NOT NULL
) STRICT;
CREATE INDEX alerts_tenant ON alerts (tenant);
CREATE INDEX alerts_run ON alerts (run) WHERE run <> '';

CREATE TABLE brakes (
    id        TEXT    PRIMARY KEY,
    kind      TEXT    NOT NULL,
    tenant    TEXT    NOT NULL,
    run       TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    until     INTEGER,
    lifted    INTEGER,
    lifted_by TEXT    NOT NULL
) STRICT;
CREATE INDEX brakes_on ON brakes (since) WHERE lifted IS NULL;

CREATE TABLE notifications (
    id      TEXT    PRIMARY KEY,
    alert   TEXT    NOT NULL,
    channel TEXT    NOT NULL,
    payload BLOB    NOT NULL,
    created INTEGER NOT NULL,
    tries   INTEGER NOT NULL,
    due     INTEGER, -- When it is tried next; NULL once it is over.
    done    INTEGER,
    failed  INTEGER NOT NULL,
    note    TEXT    NOT NULL
) STRICT;
CREATE INDEX notifications_due ON notifications (due) WHERE due IS NOT NULL;
CREATE INDEX notifications_alert ON notifications (alert);

-- Limits of keys become budgets: a length of time becomes the window that holds it.
UPDATE keys SET limits = (
    SELECT json_group_array(CASE
        WHEN coalesce(value ->> 'per_ms', 0) <= 0
            THEN json_object('unit', value ->> 'unit', 'max', value ->> 'max')
        ELSE json_object('unit', value ->> 'unit', 'per', CASE
            WHEN value ->> 'per_ms' <= 1000 THEN 'second'
            WHEN value ->> 'per_ms' <= 60000 THEN 'minute'
            WHEN value ->> 'per_ms' <= 3600000 THEN 'hour'
            WHEN value ->> 'per_ms' <= 86400000 THEN 'day'
            WHEN value ->> 'per_ms' <= 604800000 THEN 'week'
            ELSE 'month' END, 'max', value ->> 'max')
        END)
    FROM (SELECT json(value) AS value FROM json_each(keys.limits) ORDER BY key)
);
