-- The use of idempotency keys: slot names the key and whose it is, call the call that has used it. content is what that came
-- to, sealed under the subject's key sealed_by, and removed with that key. Times are in microseconds since 1970, UTC; NULL is
-- none. From expires on a key can be used again.
CREATE TABLE idempotency (
    slot      BLOB    PRIMARY KEY,
    tenant    TEXT    NOT NULL,
    hash      BLOB    NOT NULL,
    call      TEXT    NOT NULL,
    approval  TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    begun     INTEGER,
    ended     INTEGER,
    expires   INTEGER,
    sealed_by TEXT    NOT NULL,
    content   BLOB
) STRICT;
CREATE INDEX idempotency_over ON idempotency (expires);
CREATE INDEX idempotency_sealed ON idempotency (sealed_by) WHERE sealed_by <> '';
