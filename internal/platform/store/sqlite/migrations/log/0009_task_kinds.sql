-- Tasks are ours, kind approval, or their server's. Those of one key are counted and listed. A task of a server is over when
-- it expires.
ALTER TABLE tasks ADD COLUMN kind TEXT NOT NULL DEFAULT 'approval';
ALTER TABLE tasks ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE tasks SET key = coalesce(doc ->> '$.key', '');
DROP INDEX tasks_open;
CREATE INDEX tasks_open ON tasks (tenant, key) WHERE ended IS NULL;
CREATE INDEX tasks_key ON tasks (tenant, key, n);
