package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// An alert, its brake and its notifications are written by one statement, so that an alert that is there already writes
// none of them.
const (
	insertAlert = "INSERT INTO alerts (" + alertColumns + ") VALUES " +
		"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING"
	insertAlertWith = "WITH fresh AS (" + insertAlert + " RETURNING id), brake AS (" +
		"INSERT INTO brakes (" + brakeColumns + ") SELECT $15, $16, $17, $18, $19, $20::bigint, $21::bigint, $22::bigint, $23 " +
		"FROM fresh WHERE $24::boolean ON CONFLICT (id) DO NOTHING) " +
		"INSERT INTO notifications (" + notificationColumns + ") SELECT u.* FROM fresh, unnest($25::text[], $26::text[], " +
		"$27::text[], $28::bytea[], $29::bigint[], $30::bigint[], $31::bigint[], $32::bigint[], $33::boolean[], $34::text[]) u " +
		"ON CONFLICT (id) DO NOTHING"
	liftBrake = "UPDATE brakes SET lifted = $2, lifted_by = $3 WHERE id = $1 AND lifted IS NULL"

	alertColumns = "id, rule, level, action, per, tenant, run, agent, call, account, threshold, value, raised, text"
	brakeColumns = "id, kind, tenant, run, reason, since, until, lifted, lifted_by"
)

func queueAlerts(b *pgx.Batch, entries []signalbox.Entry) {
	for _, e := range effectsOf(entries, func(e signalbox.PutAlert) string { return e.Alert.ID }) {
		if e.Brake == nil && len(e.Notifications) == 0 {
			b.Queue(insertAlert, alertValues(&e.Alert)...)
			continue
		}
		values := append(alertValues(&e.Alert), brakeValues(e.Brake)...)
		b.Queue(insertAlertWith, append(values, notificationArrays(e.Notifications)...)...)
	}
	for _, e := range effectsOf(entries, func(e signalbox.LiftBrake) string { return e.ID }) {
		b.Queue(liftBrake, text(e.ID), e.At.UnixMicro(), text(e.By))
	}
}

func alertValues(a *signalbox.Alert) []any {
	return []any{
		text(a.ID), text(a.Rule), string(a.Level), string(a.Action), string(a.Per), text(a.Tenant), text(a.Run), text(a.Agent),
		text(a.Call), text(a.Account), a.Threshold, a.Value, a.Raised.UnixMicro(), text(a.Text),
	}
}

// brakeValues ends with whether there is a brake.
func brakeValues(b *signalbox.Brake) []any {
	there := b != nil
	if !there {
		b = &signalbox.Brake{}
	}
	return []any{
		text(b.ID), string(b.Kind), text(b.Tenant), text(b.Run), text(b.Reason), b.Since.UnixMicro(), micros(b.Until),
		micros(b.Lifted), text(b.By), there,
	}
}

// Alerts gives a page of alerts, newest first, and the cursor of the next page, "" at the end.
func (d *DB) Alerts(ctx context.Context, f signalbox.AlertFilter) ([]signalbox.Alert, string, error) {
	limit, err := store.PageLimit(f.Limit)
	if err != nil {
		return nil, "", err
	}
	w, err := alertConditions(f)
	if err != nil {
		return nil, "", err
	}
	rows, err := collect(ctx, d.readers, "list alerts", scanAlert,
		"SELECT n, "+alertColumns+" FROM alerts"+w.String()+" ORDER BY n DESC LIMIT "+w.arg(limit+1), w.args...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].n, 10)
	}
	return list(rows, func(a *storedAlert) signalbox.Alert { return a.Alert }), next, nil
}

func alertConditions(f signalbox.AlertFilter) (*conditions, error) {
	w := &conditions{}
	if f.Run != "" {
		w.and("run = ? AND run <> ''", text(f.Run)) // The second half is what the partial index asks for.
	}
	if f.Level != "" {
		w.and("level = ?", string(f.Level))
	}
	if f.Tenants != nil {
		w.and("tenant = ANY (?)", list(f.Tenants, func(t *string) string { return text(*t) }))
	}
	if f.Cursor != "" {
		before, err := store.ParseCursor(f.Cursor)
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

func scanAlert(row pgx.CollectableRow) (a storedAlert, err error) {
	var raised int64
	err = row.Scan(&a.n, &a.ID, &a.Rule, &a.Level, &a.Action, &a.Per, &a.Tenant, &a.Run, &a.Agent, &a.Call, &a.Account,
		&a.Threshold, &a.Value, &raised, &a.Text)
	a.Raised = time.UnixMicro(raised).UTC()
	return a, err
}

// brakeGrace is how long a brake is shown after it has ended by itself.
const brakeGrace = 24 * time.Hour

// Brakes gives the brakes that are not lifted, oldest first, and not those that ended by themselves more than a day ago.
func (d *DB) Brakes(ctx context.Context) ([]signalbox.Brake, error) {
	return collect(ctx, d.pool, "read brakes", scanBrake, "SELECT "+brakeColumns+
		" FROM brakes WHERE lifted IS NULL AND (until IS NULL OR until >= $1) ORDER BY since, id",
		d.Now().Add(-brakeGrace).UnixMicro())
}

func scanBrake(row pgx.CollectableRow) (b signalbox.Brake, err error) {
	var since int64
	var until, lifted *int64
	err = row.Scan(&b.ID, &b.Kind, &b.Tenant, &b.Run, &b.Reason, &since, &until, &lifted, &b.By)
	b.Since, b.Until, b.Lifted = time.UnixMicro(since).UTC(), timeOf(until), timeOf(lifted)
	return b, err
}

// FindBrakes gives the named brakes that there are, those that are over or lifted included, oldest first.
func (d *DB) FindBrakes(ctx context.Context, ids []string) ([]signalbox.Brake, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return collect(ctx, d.pool, "find brakes", scanBrake, "SELECT "+brakeColumns+
		" FROM brakes WHERE id = ANY ($1) ORDER BY since, id", ids)
}
