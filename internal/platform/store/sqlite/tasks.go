package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	// What has ended stays, whoever learns of it late; what was erased meanwhile does not come back.
	upsertTask = "INSERT INTO tasks (id, kind, tenant, key, approval, state, ended, expires, sealed_by, content, doc) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, tenant = excluded.tenant, " +
		"key = excluded.key, approval = excluded.approval, state = excluded.state, ended = excluded.ended, expires = excluded.expires, doc = excluded.doc, " +
		"sealed_by = CASE WHEN tasks.content IS NULL THEN '' ELSE excluded.sealed_by END, " +
		"content = CASE WHEN tasks.content IS NULL THEN NULL ELSE excluded.content END WHERE tasks.ended IS NULL"
	cancelTask = "UPDATE tasks SET cancelled = ? WHERE id = ? AND ended IS NULL AND cancelled IS NULL"
	eraseTasks = "UPDATE tasks SET sealed_by = '', content = NULL WHERE sealed_by <> '' " +
		"AND sealed_by IN (SELECT id FROM subject_keys WHERE tenant = ? AND subject = ?)"
	forgetTasks = "DELETE FROM tasks WHERE n IN (SELECT n FROM tasks WHERE ended IS NOT NULL AND expires < ? LIMIT ?)"
	taskColumns = "t.id, t.kind, t.tenant, t.key, t.approval, t.state, t.ended, t.expires, t.cancelled, t.sealed_by, "
	selectTasks = "SELECT " + taskColumns + "t.content, t.doc FROM tasks t"
	// Something is to be done about those of ours that are not waiting, or whose approval is not, and about those of servers
	// whose time is over.
	selectDueTasks = "SELECT " + taskColumns + "NULL, t.doc FROM tasks t LEFT JOIN approvals a ON a.id = t.approval " +
		"WHERE t.ended IS NULL AND (t.content IS NULL OR CASE t.kind WHEN 'server' THEN t.expires <= ? " +
		"ELSE t.state <> 'waiting' OR a.state IS NULL OR a.state <> 'pending' END) " +
		"ORDER BY t.state DESC, t.n LIMIT ?" // Those that wait come first.
	countOpenTasks = "SELECT count(*) FROM tasks WHERE ended IS NULL AND kind = ? AND tenant = ? AND (? = '' OR key = ?)"
	listTasks      = " WHERE t.tenant = ? AND t.key = ? AND t.kind = ? AND (t.ended IS NULL OR t.expires > ?) ORDER BY t.n DESC LIMIT ?"

	taskBytes = 1000 // About what a task's row and its index entries take, but for its content.
)

func putTask(t *transaction, v *signalbox.Task) error {
	doc, err := store.EncodeTask(v)
	if err != nil {
		return err
	}
	sealedBy, content := "", any(nil)
	if v.Content != nil {
		sealedBy, content = v.Content.Key, v.Content.Data
	}
	return t.exec(upsertTask, v.ID, string(v.Kind), v.Tenant, v.Key, v.Approval, string(v.State), micros(v.Ended), micros(v.Expires),
		sealedBy, content, doc)
}

// Task gives one task; not_found where there is none of that id.
func (d *DB) Task(ctx context.Context, id string) (signalbox.Task, error) {
	found, err := collect(ctx, d.readers, "read a task", scanTask, selectTasks+" WHERE t.id = ?", id)
	return store.One(found, err, store.NoTask)
}

// TaskOf gives the task of an approval that has not ended; false where there is none.
func (d *DB) TaskOf(ctx context.Context, approval string) (signalbox.Task, bool, error) {
	found, err := collect(ctx, d.readers, "read a task", scanTask,
		selectTasks+" WHERE t.approval = ? AND t.ended IS NULL ORDER BY t.n LIMIT 1", approval)
	if err != nil || len(found) == 0 {
		return signalbox.Task{}, false, err
	}
	return found[0], true, nil
}

// OpenTasks counts the tasks of that kind that a tenant's key ("": any) has and that have not ended.
func (d *DB) OpenTasks(ctx context.Context, kind signalbox.TaskKind, tenant, key string) (n int, err error) {
	err = d.readers.QueryRowContext(ctx, countOpenTasks, string(kind), tenant, key, key).Scan(&n)
	return n, explain("count tasks", err)
}

// TasksOf gives up to limit tasks of that kind that a tenant's key has, the newest first: those that have not ended, and those
// that expire later than now.
func (d *DB) TasksOf(ctx context.Context, kind signalbox.TaskKind, tenant, key string, now time.Time, limit int) ([]signalbox.Task, error) {
	return collect(ctx, d.readers, "list tasks", scanTask, selectTasks+listTasks, tenant, key, string(kind), now.UnixMicro(), limit)
}

// DueTasks gives up to limit tasks about which something is to be done. Of ours: their approval is decided, or their call was
// begun. Of servers': they have expired. Of both: their subject was erased. Those that wait come first, then the oldest. Their
// Content is left out.
func (d *DB) DueTasks(ctx context.Context, now time.Time, limit int) ([]signalbox.Task, error) {
	return collect(ctx, d.readers, "read due tasks", scanTask, selectDueTasks, now.UnixMicro(), limit)
}

// ForgetTasks deletes up to limit tasks that have ended and that nobody was to find after that time, and gives how many.
func (d *DB) ForgetTasks(ctx context.Context, before time.Time, limit int) (deleted int, err error) {
	err = d.writer.write(int64(limit)*taskBytes, func(t *transaction) error {
		if err := t.exec(forgetTasks, before.UnixMicro(), int64(limit)); err != nil {
			return err
		}
		return t.query("SELECT changes()", func(row []driver.Value) error {
			deleted = int(integer(row[0]))
			return nil
		})
	})
	return deleted, explain("forget old tasks", err)
}

func scanTask(rows *sql.Rows) (v signalbox.Task, err error) {
	var doc sql.RawBytes
	var ended, expires, cancelled sql.NullInt64
	var sealed signalbox.Sealed
	err = rows.Scan(&v.ID, &v.Kind, &v.Tenant, &v.Key, &v.Approval, &v.State, &ended, &expires, &cancelled, &sealed.Key, &sealed.Data, &doc)
	if err != nil {
		return v, err
	}
	v.Ended, v.Expires, v.Cancelled = timeOf(ended), timeOf(expires), timeOf(cancelled)
	if sealed.Data != nil {
		v.Content = &sealed
	}
	return v, store.DecodeTask(doc, &v)
}
