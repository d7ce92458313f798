// Package runs keeps the runs that are opened with a budget.
//
// # Concepts
//
// An orchestrator opens a run with a plan ([signalbox.RunPlan]), names its id in every call, and ends it. A run belongs to
// its tenant and to the key that opened it. While it is running, the ledger holds its calls against the plan; a run that
// has ended or expired takes no more calls. A halt by an alert is a brake on the run, not a state of its own: lifting it
// lets the run go on.
//
// # Invariants
//
//   - A run's id is made here and can not be guessed, so that nobody has used it before.
//   - Opening, ending and expiring are records of the log, with the state in the same transaction.
//   - What is cached of a run is never newer than the log: its plan never changes, and its end is told by [Keeper.Forget].
package runs

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// MaxCached bounds the runs that are kept in memory, about 1 kB each.
const MaxCached = 10_000

// MaxIdle is the longest idle time that a run can ask for.
const MaxIdle = 30 * 24 * time.Hour

// Log writes the records of runs. An error means that nothing was written.
type Log interface {
	Append(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error)
}

// Store reads runs. Errors are of code not_found or unavailable. It is safe for concurrent use.
type Store interface {
	Run(ctx context.Context, tenant, id string) (signalbox.Run, error)
	OpenRuns(ctx context.Context) ([]signalbox.Run, error) // All that are running.
}

// Options of a keeper. All are required but Idle, whose zero value lets runs live for ever.
type Options struct {
	Log   Log
	Store Store
	Check func(signalbox.RunPlan) error                                 // Says what is wrong with a plan.
	Last  func(ctx context.Context, r signalbox.Run) (time.Time, error) // When a run was last used; zero: never.
	Now   func() time.Time
	Idle  func() time.Duration // The idle time of a run that asks for none.
}

// Keeper opens, finds and ends runs. It is safe for concurrent use.
type Keeper struct {
	Options
	mu         sync.Mutex
	cached     map[string]signalbox.Run
	generation int64 // Changes whenever a run does, so that nothing that was read before is cached.
}

// New makes a keeper.
func New(o Options) *Keeper {
	return &Keeper{Options: o, cached: map[string]signalbox.Run{}}
}

// Open opens a run. An idle time of 0 takes the configured one.
func (k *Keeper) Open(ctx context.Context, by signalbox.Caller, plan signalbox.RunPlan, idle time.Duration) (signalbox.Run, error) {
	if err := k.Check(plan); err != nil {
		return signalbox.Run{}, err
	}
	if idle < 0 || idle > MaxIdle {
		return signalbox.Run{}, signalbox.Errorf(signalbox.CodeInvalid, "an idle time of %s is out of range", idle).
			WithField("idle_timeout_seconds").WithRemedy("Use 1 second to 30 days, or leave it out.")
	}
	now := k.Now().UTC()
	run := signalbox.Run{
		ID: signalbox.NewID(signalbox.RunPrefix, now), Tenant: by.Tenant, Team: by.Team, Key: by.Key, Plan: plan,
		State: signalbox.RunRunning, Opened: now.Truncate(time.Microsecond), Idle: cmp.Or(idle, k.Idle()),
	}
	err := k.put(ctx, by, run, signalbox.ActionRunOpened, map[string]string{
		"total_max_cost_usd": plan.Total.String(),
	})
	return run, err
}

// Run gives a run of a tenant; not_found where no such run was opened.
func (k *Keeper) Run(ctx context.Context, tenant, id string) (signalbox.Run, error) {
	k.mu.Lock()
	run, ok := k.cached[id]
	generation := k.generation
	k.mu.Unlock()
	if !ok {
		var err error
		if run, err = k.Store.Run(ctx, tenant, id); err != nil {
			return signalbox.Run{}, err
		}
		k.keep(run, generation)
	}
	if run.Tenant != tenant {
		return signalbox.Run{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no run %q.", id).WithField("id").
			WithRemedy("Check the id; a run belongs to the tenant that opened it.")
	}
	return run, nil
}

// End ends a run; one that has ended already stays as it is.
func (k *Keeper) End(ctx context.Context, by signalbox.Caller, tenant, id string) (signalbox.Run, error) {
	return k.end(ctx, by, tenant, id, signalbox.RunEnded)
}

// Expire ends the runs that nobody has used for their idle time.
func (k *Keeper) Expire(ctx context.Context) error {
	open, err := k.Store.OpenRuns(ctx)
	if err != nil {
		return err
	}
	for _, run := range open {
		last, err := k.Last(ctx, run)
		if err != nil {
			return err
		}
		if last.Before(run.Opened) {
			last = run.Opened
		}
		if run.Idle <= 0 || k.Now().Sub(last) < run.Idle {
			continue
		}
		if _, err := k.end(ctx, signalbox.Caller{Tenant: run.Tenant}, run.Tenant, run.ID, signalbox.RunExpired); err != nil {
			return err
		}
	}
	return nil
}

// Forget drops what is cached of all runs: another process has changed some.
func (k *Keeper) Forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.generation++
	clear(k.cached)
}

func (k *Keeper) end(ctx context.Context, by signalbox.Caller, tenant, id string, state signalbox.RunState) (signalbox.Run, error) {
	run, err := k.Store.Run(ctx, tenant, id)
	if err != nil || run.State != signalbox.RunRunning {
		return run, err
	}
	run.State, run.Ended = state, k.Now().UTC().Truncate(time.Microsecond)
	err = k.put(ctx, by, run, signalbox.ActionRunEnded, map[string]string{"state": string(state)})
	return run, err
}

func (k *Keeper) put(ctx context.Context, by signalbox.Caller, run signalbox.Run, action string, detail map[string]string) error {
	now := k.Now().UTC()
	_, err := k.Log.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		Who:     by.Who(run.Tenant),
		What:    signalbox.What{Action: action, ResourceID: run.ID, Detail: detail},
		Context: signalbox.Context{RunID: run.ID},
	}, signalbox.PutRun{Run: run})
	if err == nil {
		k.changed(run.ID)
	}
	return err
}

// changed makes the next look at a run read it again.
func (k *Keeper) changed(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.generation++
	delete(k.cached, id)
}

// keep caches a run that was read, unless runs have changed since. A full cache begins anew: what is missing is read
// again.
func (k *Keeper) keep(run signalbox.Run, generation int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.generation != generation {
		return
	}
	if len(k.cached) >= MaxCached {
		clear(k.cached)
	}
	k.cached[run.ID] = run
}
