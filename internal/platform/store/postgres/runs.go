package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	putRun = "INSERT INTO opened_runs (" + openedColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) " +
		"ON CONFLICT (tenant, id) DO UPDATE SET team = excluded.team, key_id = excluded.key_id, plan = excluded.plan, " +
		"state = excluded.state, opened = excluded.opened, ended = excluded.ended, idle = excluded.idle"
	selectOpened = "SELECT " + openedColumns + " FROM opened_runs "
	isOpen       = "state IN ('running', 'halted')" // As the partial index says it.

	openedColumns = "tenant, id, team, key_id, plan, state, opened, ended, idle"
)

func queueOpened(b *pgx.Batch, entries []signalbox.Entry) error {
	for _, e := range effectsOf(entries, func(e signalbox.PutRun) string { return e.Run.Tenant + " " + e.Run.ID }) {
		r := &e.Run
		plan, err := json.Marshal(r.Plan)
		if err != nil {
			return err
		}
		b.Queue(putRun, text(r.Tenant), text(r.ID), text(r.Team), text(r.Key), text(string(plan)), string(r.State),
			r.Opened.UnixMicro(), micros(r.Ended), r.Idle.Microseconds())
	}
	return nil
}

// Run gives a run that was opened with a budget; not_found where the tenant has opened none of that id.
func (d *DB) Run(ctx context.Context, tenant, id string) (signalbox.Run, error) {
	runs, err := collect(ctx, d.pool, "read a run", scanOpened, selectOpened+"WHERE tenant = $1 AND id = $2", text(tenant), text(id))
	if err != nil {
		return signalbox.Run{}, err
	}
	if len(runs) == 0 {
		return signalbox.Run{}, signalbox.Errorf(signalbox.CodeNotFound, "The tenant has opened no such run.").
			WithField("id").WithRemedy("Open it with POST /api/v1/runs, and use the id that it gives.")
	}
	return runs[0], nil
}

// OpenRuns gives the runs that are running or halted, oldest first.
func (d *DB) OpenRuns(ctx context.Context) ([]signalbox.Run, error) {
	return collect(ctx, d.pool, "read open runs", scanOpened, selectOpened+"WHERE "+isOpen+" ORDER BY opened, tenant, id")
}

func (d *DB) openRunKeys(ctx context.Context) (map[store.RunKey]bool, error) {
	runs, err := d.OpenRuns(ctx)
	keys := make(map[store.RunKey]bool, len(runs))
	for _, r := range runs {
		keys[store.RunKey{Tenant: r.Tenant, ID: r.ID}] = true
	}
	return keys, err
}

func scanOpened(row pgx.CollectableRow) (r signalbox.Run, err error) {
	var plan string
	var opened, idle int64
	var ended *int64
	if err := row.Scan(&r.Tenant, &r.ID, &r.Team, &r.Key, &plan, &r.State, &opened, &ended, &idle); err != nil {
		return r, err
	}
	r.Opened, r.Ended, r.Idle = time.UnixMicro(opened).UTC(), timeOf(ended), time.Duration(idle)*time.Microsecond
	return r, json.Unmarshal([]byte(plan), &r.Plan)
}

// micros gives a time as it is stored; a zero time is NULL.
func micros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.UnixMicro()
	return &n
}

// timeOf reads what micros gave.
func timeOf(n *int64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return time.UnixMicro(*n).UTC()
}
