-- The newest approval of a call is looked for whatever became of it: a denial counts for a while.
DROP INDEX approvals_live;
CREATE INDEX approvals_hash ON approvals (hash);
