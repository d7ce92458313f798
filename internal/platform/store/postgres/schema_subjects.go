package postgres

// subjectsSchema is the keys that records about data subjects are sealed with.
const subjectsSchema = `
-- subject names nobody: it is a keyed hash. wrapped is the key encrypted by the master key, and NULL once it was
-- destroyed; master says by which one. Times are in microseconds since 1970, UTC; gone is NULL while the key is there.
CREATE TABLE subject_keys (
    id      text COLLATE "C" PRIMARY KEY,
    tenant  text   NOT NULL,
    subject bytea  NOT NULL CHECK (octet_length(subject) = 32),
    wrapped bytea,
    master  text   NOT NULL,
    created bigint NOT NULL,
    gone    bigint
);
CREATE INDEX subject_keys_subject ON subject_keys (tenant, subject);
`
