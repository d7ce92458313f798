package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	replaceRun = "REPLACE INTO opened_runs (" + openedColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	selectRun  = "SELECT " + openedColumns + " FROM opened_runs "
	isOpen     = "state IN ('running', 'halted')" // As the partial index says it.

	openedColumns = "tenant, id, team, key_id, plan, state, opened, ended, idle"
)

func putRun(t *transaction, r signalbox.Run) error {
	plan, err := json.Marshal(r.Plan)
	if err != nil {
		return err
	}
	return t.exec(replaceRun, r.Tenant, r.ID, r.Team, r.Key, string(plan), string(r.State), r.Opened.UnixMicro(),
		micros(r.Ended), r.Idle.Microseconds())
}

// Run gives a run that was opened with a budget; not_found where the tenant has opened none of that id.
func (d *DB) Run(ctx context.Context, tenant, id string) (signalbox.Run, error) {
	runs, err := collect(ctx, d.readers, "read a run", scanOpened, selectRun+"WHERE tenant = ? AND id = ?", tenant, id)
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
	return collect(ctx, d.readers, "read open runs", scanOpened, selectRun+"WHERE "+isOpen+" ORDER BY opened, tenant, id")
}

func (d *DB) openRunKeys(ctx context.Context) (map[store.RunKey]bool, error) {
	runs, err := d.OpenRuns(ctx)
	keys := make(map[store.RunKey]bool, len(runs))
	for _, r := range runs {
		keys[store.RunKey{Tenant: r.Tenant, ID: r.ID}] = true
	}
	return keys, err
}

func scanOpened(rows *sql.Rows) (r signalbox.Run, err error) {
	var plan sql.RawBytes
	var opened, idle int64
	var ended sql.NullInt64
	err = rows.Scan(&r.Tenant, &r.ID, &r.Team, &r.Key, &plan, &r.State, &opened, &ended, &idle)
	if err != nil {
		return r, err
	}
	r.Opened, r.Ended, r.Idle = time.UnixMicro(opened).UTC(), timeOf(ended), time.Duration(idle)*time.Microsecond
	return r, json.Unmarshal(plan, &r.Plan)
}
