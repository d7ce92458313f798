-- The keys that records about data subjects are sealed with. subject names nobody: it is a keyed hash. wrapped is the key
-- encrypted by the master key, and NULL once it was destroyed; master says by which one. Times are microseconds since
-- 1970, UTC; gone is NULL while the key is there.
CREATE TABLE subject_keys (
    id      TEXT PRIMARY KEY,
    tenant  TEXT    NOT NULL,
    subject BLOB    NOT NULL,
    wrapped BLOB,
    master  TEXT    NOT NULL,
    created INTEGER NOT NULL,
    gone    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX subject_keys_subject ON subject_keys (tenant, subject);
