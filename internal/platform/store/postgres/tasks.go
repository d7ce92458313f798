package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// tasksSchema is calls that are made later in place of their callers.
const tasksSchema = `
-- In the order in which they were asked for. content is sealed under the subject's key sealed_by, and removed with that
-- key. Times are in microseconds since 1970, UTC; NULL is none. cancelled is when somebody asked for the end of one whose
-- call is under way.
CREATE TABLE tasks (
    n         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text   NOT NULL UNIQUE,
    tenant    text   NOT NULL,
    approval  text   NOT NULL,
    state     text   NOT NULL,
    ended     bigint,
    expires   bigint,
    cancelled bigint,
    sealed_by text   NOT NULL,
    content   bytea,
    doc       text   NOT NULL
);
CREATE INDEX tasks_open ON tasks (tenant) WHERE ended IS NULL;
CREATE INDEX tasks_approval ON tasks (approval) WHERE ended IS NULL;
CREATE INDEX tasks_over ON tasks (expires) WHERE ended IS NOT NULL;
CREATE INDEX tasks_sealed ON tasks (sealed_by) WHERE sealed_by <> '';
`

// taskKindsSchema tells tasks of ours, kind approval, from those of servers. Those of one key are counted and listed.
const taskKindsSchema = `
ALTER TABLE tasks ADD COLUMN kind text NOT NULL DEFAULT 'approval', ADD COLUMN key text NOT NULL DEFAULT '';
UPDATE tasks SET key = coalesce(doc::json ->> 'key', '');
DROP INDEX tasks_open;
CREATE INDEX tasks_open ON tasks (tenant, key) WHERE ended IS NULL;
CREATE INDEX tasks_key ON tasks (tenant, key, n);
`

const (
	// What has ended stays, whoever learns of it late; what was erased meanwhile does not come back.
	upsertTask = "INSERT INTO tasks (id, kind, tenant, key, approval, state, ended, expires, sealed_by, content, doc) " +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, tenant = excluded.tenant, " +
		"key = excluded.key, approval = excluded.approval, state = excluded.state, ended = excluded.ended, expires = excluded.expires, doc = excluded.doc, " +
		"sealed_by = CASE WHEN tasks.content IS NULL THEN '' ELSE excluded.sealed_by END, " +
		"content = CASE WHEN tasks.content IS NULL THEN NULL ELSE excluded.content END WHERE tasks.ended IS NULL"
	cancelTask = "UPDATE tasks SET cancelled = $2 WHERE id = $1 AND ended IS NULL AND cancelled IS NULL"
	eraseTasks = "UPDATE tasks SET sealed_by = '', content = NULL WHERE sealed_by <> '' " +
		"AND sealed_by IN (SELECT id FROM subject_keys WHERE tenant = $1 AND subject = $2)"
	forgetTasks = "DELETE FROM tasks WHERE n IN (SELECT n FROM tasks WHERE ended IS NOT NULL AND expires < $1 LIMIT $2)"
	taskColumns = "t.id, t.kind, t.tenant, t.key, t.approval, t.state, t.ended, t.expires, t.cancelled, t.sealed_by, "
	selectTasks = "SELECT " + taskColumns + "t.content, t.doc FROM tasks t"
	// Something is to be done about those of ours that are not waiting, or whose approval is not, and about those of servers
	// whose time is over.
	selectDueTasks = "SELECT " + taskColumns + "NULL::bytea, t.doc FROM tasks t LEFT JOIN approvals a ON a.id = t.approval " +
		"WHERE t.ended IS NULL AND (t.content IS NULL OR CASE t.kind WHEN 'server' THEN t.expires <= $2 " +
		"ELSE t.state <> 'waiting' OR a.state IS NULL OR a.state <> 'pending' END) " +
		"ORDER BY t.state = 'waiting' DESC, t.n LIMIT $1" // Those that wait come first.
	countOpenTasks = "SELECT count(*) FROM tasks WHERE ended IS NULL AND kind = $1 AND tenant = $2 AND ($3 = '' OR key = $3)"
	listTasks      = " WHERE t.tenant = $1 AND t.key = $2 AND t.kind = $3 AND (t.ended IS NULL OR t.expires > $4) ORDER BY t.n DESC LIMIT $5"
)

func putTask(b *pgx.Batch, v *signalbox.Task) error {
	doc, err := store.EncodeTask(v)
	if err != nil {
		return err
	}
	sealedBy, content := "", []byte(nil)
	if v.Content != nil {
		sealedBy, content = v.Content.Key, v.Content.Data
	}
	b.Queue(upsertTask, text(v.ID), string(v.Kind), text(v.Tenant), text(v.Key), text(v.Approval), string(v.State), micros(v.Ended), micros(v.Expires),
		text(sealedBy), content, doc)
	return nil
}

// Task gives one task; not_found where there is none of that id.
func (d *DB) Task(ctx context.Context, id string) (signalbox.Task, error) {
	found, err := collect(ctx, d.pool, "read a task", scanTask, selectTasks+" WHERE t.id = $1", text(id))
	return store.One(found, err, store.NoTask)
}

// TaskOf gives the task of an approval that has not ended; false where there is none.
func (d *DB) TaskOf(ctx context.Context, approval string) (signalbox.Task, bool, error) {
	found, err := collect(ctx, d.pool, "read a task", scanTask,
		selectTasks+" WHERE t.approval = $1 AND t.ended IS NULL ORDER BY t.n LIMIT 1", text(approval))
	if err != nil || len(found) == 0 {
		return signalbox.Task{}, false, err
	}
	return found[0], true, nil
}

// OpenTasks counts the tasks of that kind that a tenant's key ("": any) has and that have not ended.
func (d *DB) OpenTasks(ctx context.Context, kind signalbox.TaskKind, tenant, key string) (n int, err error) {
	err = d.pool.QueryRow(ctx, countOpenTasks, string(kind), text(tenant), text(key)).Scan(&n)
	return n, explain("count tasks", err)
}

// TasksOf gives up to limit tasks of that kind that a tenant's key has, the newest first: those that have not ended, and those
// that expire later than now.
func (d *DB) TasksOf(ctx context.Context, kind signalbox.TaskKind, tenant, key string, now time.Time, limit int) ([]signalbox.Task, error) {
	return collect(ctx, d.pool, "list tasks", scanTask, selectTasks+listTasks, text(tenant), text(key), string(kind), now.UnixMicro(), limit)
}

// DueTasks gives up to limit tasks about which something is to be done. Of ours: their approval is decided, or their call was
// begun. Of servers': they have expired. Of both: their subject was erased. Those that wait come first, then the oldest. Their
// Content is left out.
func (d *DB) DueTasks(ctx context.Context, now time.Time, limit int) ([]signalbox.Task, error) {
	return collect(ctx, d.pool, "read due tasks", scanTask, selectDueTasks, limit, now.UnixMicro())
}

// ForgetTasks deletes up to limit tasks that have ended and that nobody was to find after that time, and gives how many.
func (d *DB) ForgetTasks(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := d.pool.Exec(ctx, forgetTasks, before.UnixMicro(), limit)
	return int(tag.RowsAffected()), explain("forget old tasks", err)
}

func scanTask(row pgx.CollectableRow) (v signalbox.Task, err error) {
	var doc []byte
	var ended, expires, cancelled *int64
	var sealed signalbox.Sealed
	err = row.Scan(&v.ID, &v.Kind, &v.Tenant, &v.Key, &v.Approval, &v.State, &ended, &expires, &cancelled, &sealed.Key, &sealed.Data, &doc)
	if err != nil {
		return v, err
	}
	v.Ended, v.Expires, v.Cancelled = timeOf(ended), timeOf(expires), timeOf(cancelled)
	if sealed.Data != nil {
		v.Content = &sealed
	}
	return v, store.DecodeTask(doc, &v)
}
