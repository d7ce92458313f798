package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	insertAlert = "INSERT INTO alerts (" + alertColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) " +
		"ON CONFLICT (id) DO NOTHING"
	insertBrake = "INSERT INTO brakes (" + brakeColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
	liftBrake   = "UPDATE brakes SET lifted = ?, lifted_by = ? WHERE id = ? AND lifted IS NULL"

	alertColumns = "id, rule, level, action, per, tenant, run, agent, call, account, threshold, value, raised, text"
	brakeColumns = "id, kind, tenant, run, reason, since, until, lifted, lifted_by"
)

// putAlert stores an alert with its brake and notifications, or nothing where the alert is there already.
func putAlert(t *transaction, e signalbox.PutAlert) error {
	a := &e.Alert
	if err := t.exec(insertAlert, a.ID, a.Rule, string(a.Level), string(a.Action), string(a.Per), a.Tenant, a.Run, a.Agent,
		a.Call, a.Account, a.Threshold, a.Value, a.Raised.UnixMicro(), a.Text); err != nil {
		return err
	}
	stored := false
	if err := t.query("SELECT changes()", func(row []driver.Value) error {
		stored = integer(row[0]) == 1
		return nil
	}); err != nil || !stored {
		return err
	}
	if b := e.Brake; b != nil {
		if err := t.exec(insertBrake, b.ID, string(b.Kind), b.Tenant, b.Run, b.Reason, b.Since.UnixMicro(), micros(b.Until),
			micros(b.Lifted), b.By); err != nil {
			return err
		}
	}
	for i := range e.Notifications {
		if err := putNotification(t, &e.Notifications[i]); err != nil {
			return err
		}
	}
	return nil
}

// Alerts gives a page of alerts, newest first, and the cursor of the next page, "" at the end.
func (d *DB) Alerts(ctx context.Context, f signalbox.AlertFilter) ([]signalbox.Alert, string, error) {
	limit, err := store.PageLimit(f.Limit)
	if err != nil {
		return nil, "", err
	}
	w, err := alertFilter(f)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.ReadTimeout)
	defer cancel()
	rows, err := collect(ctx, d.readers, "list alerts", scanAlert,
		"SELECT n, "+alertColumns+" FROM alerts"+w.String()+" ORDER BY n DESC LIMIT ?", append(w.args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].n, 10)
	}
	alerts := make([]signalbox.Alert, len(rows))
	for i := range rows {
		alerts[i] = rows[i].Alert
	}
	return alerts, next, nil
}

func alertFilter(f signalbox.AlertFilter) (*where, error) {
	w := &where{}
	if f.Run != "" {
		w.and("run = ? AND run <> ''", f.Run) // The second half is what the partial index asks for.
	}
	if f.Level != "" {
		w.and("level = ?", string(f.Level))
	}
	w.in("tenant", f.Tenants)
	if f.Cursor != "" {
		before, err := cursor(f.Cursor)
		if err != nil {
			return nil, err
		}
		w.and("n < ?", before)
	}
	return w, nil
}

type storedAlert struct {
	n int64
	signalbox.Alert
}

func scanAlert(rows *sql.Rows) (a storedAlert, err error) {
	var raised int64
	err = rows.Scan(&a.n, &a.ID, &a.Rule, &a.Level, &a.Action, &a.Per, &a.Tenant, &a.Run, &a.Agent, &a.Call, &a.Account,
		&a.Threshold, &a.Value, &raised, &a.Text)
	a.Raised = time.UnixMicro(raised).UTC()
	return a, err
}

// brakeGrace is how long a brake is shown after it has ended by itself.
const brakeGrace = 24 * time.Hour

// Brakes gives the brakes that are not lifted, oldest first, and not those that ended by themselves more than a day ago.
func (d *DB) Brakes(ctx context.Context) ([]signalbox.Brake, error) {
	return collect(ctx, d.readers, "read brakes", scanBrake, "SELECT "+brakeColumns+
		" FROM brakes WHERE lifted IS NULL AND (until IS NULL OR until >= ?) ORDER BY since, id",
		d.options.Now().Add(-brakeGrace).UnixMicro())
}

func scanBrake(rows *sql.Rows) (b signalbox.Brake, err error) {
	var since int64
	var until, lifted sql.NullInt64
	err = rows.Scan(&b.ID, &b.Kind, &b.Tenant, &b.Run, &b.Reason, &since, &until, &lifted, &b.By)
	b.Since, b.Until, b.Lifted = time.UnixMicro(since).UTC(), timeOf(until), timeOf(lifted)
	return b, err
}

// FindBrakes gives the named brakes that there are, those that are over or lifted included, oldest first.
func (d *DB) FindBrakes(ctx context.Context, ids []string) ([]signalbox.Brake, error) {
	list, err := json.Marshal(ids)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return collect(ctx, d.readers, "find brakes", scanBrake, "SELECT "+brakeColumns+
		" FROM brakes WHERE id IN (SELECT value FROM json_each(?)) ORDER BY since, id", string(list))
}
