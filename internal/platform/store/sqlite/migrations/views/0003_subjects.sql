-- Which key seals what a call's row says of a person: it is removed when that key is destroyed.
ALTER TABLE calls ADD COLUMN sealed_by TEXT NOT NULL DEFAULT '';

-- Which keys of data subjects seal records with seq / 256 = block. All records about a subject are found by its keys.
CREATE TABLE subject_blocks (
    key   TEXT    NOT NULL,
    block INTEGER NOT NULL,
    PRIMARY KEY (key, block)
) STRICT, WITHOUT ROWID;

-- What was projected before has neither: without a leaf the projections are folded anew.
UPDATE progress SET leaf = x'';
