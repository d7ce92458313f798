package alert

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Options configure an engine. Rules, Balance, Log and Now are required. All functions are safe for concurrent use and
// must not block, the log excepted.
type Options struct {
	Rules    func(tenant string) []signalbox.AlertRule       // The rules in force; those of other tenants are passed over.
	Channels func() []string                                 // The ids of all channels; nil: there are none.
	Balance  func(account string) (call.Balance, bool)       // Where an account stands.
	Totals   Totals                                          // What all replicas have settled; nil where Balance knows, as with one process.
	Log      call.Log                                        // Takes the alerts.
	Now      func() time.Time                                // The clock.
	Zone     func(tenant string) *time.Location              // Whose calendar ends windows where a balance does not say; nil: UTC.
	Replica  string                                          // This process, in records; "" is [signalbox.LocalReplica].
	Logger   *slog.Logger                                    // Nil: nothing is logged.
	Wait     func(ctx context.Context, d time.Duration) bool // Waits between tries to write; false once ctx has ended. Nil: real time.
}

// Engine raises alerts, sets brakes and enforces them. It is safe for concurrent use.
type Engine struct {
	Options
	calls    registry
	brakes   brakes
	accounts accounts
	pending  pending
	looks    *looks

	mu    sync.Mutex
	state *State

	open    context.Context // Ends when the engine is being closed.
	shut    context.CancelFunc
	looked  chan struct{}   // Closed once totals are no longer looked at.
	work    context.Context // Ends when the writer is to give up.
	giveUp  context.CancelFunc
	closing chan struct{}
	done    chan struct{}
	close   sync.Once
}

// New makes an engine and starts its writer and who looks at totals, which [Engine.Close] ends.
func New(o Options) *Engine {
	if o.Channels == nil {
		o.Channels = func() []string { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Replica == "" {
		o.Replica = signalbox.LocalReplica
	}
	e := &Engine{
		Options: o, state: NewState(), closing: make(chan struct{}), done: make(chan struct{}),
		calls: newRegistry(), brakes: newBrakes(), accounts: newAccounts(), pending: newPending(), looks: newLooks(),
		looked: make(chan struct{}),
	}
	e.open, e.shut = context.WithCancel(context.Background())
	e.work, e.giveUp = context.WithCancel(context.Background())
	go e.write()
	if e.Totals == nil {
		close(e.looked)
	} else {
		go e.look()
	}
	return e
}

// Ended is told of every durable outcome. It does not block: what is decided holds here at once, and is written later.
func (e *Engine) Ended(rec signalbox.Record) {
	others := e.calls.ended(rec.Who.TenantID, rec.Context.RunID, rec.Call)
	o := e.observe(&rec, others)
	e.decide(&o)
}

// Progress is told what a call has cost so far, attempts before the one under way included. It counts on top of what is
// settled in the run, until the call's outcome is known.
func (e *Engine) Progress(t *call.Track, _ *signalbox.Attempt, cost signalbox.Money) {
	o := Observation{
		Tenant: t.Gate.Caller.Tenant, Run: t.Gate.Run, Agent: t.Gate.Caller.Agent, Call: t.Call.ID, Cost: &cost, Running: true,
		Now: e.Now(),
	}
	if o.Run != "" {
		o.Totals = e.running(t, cost)
	}
	e.decide(&o)
}

// running gives the run's total with the streams under way. Attempts before the current one are settled already: the
// record that lets an attempt leave books the one before it.
func (e *Engine) running(t *call.Track, cost signalbox.Money) []Total {
	account, sum := e.calls.progress(t, cost-settledBefore(t))
	b, ok := e.Balance(account)
	if !ok {
		return nil
	}
	return []Total{{Per: signalbox.AlertPerRun, Account: account, Amount: signalbox.Money(b.Settled).Plus(sum)}}
}

func settledBefore(t *call.Track) signalbox.Money {
	sum := signalbox.Money(0)
	for i := range len(t.Attempts) - 1 {
		if c := t.Attempts[i].Cost; c != nil {
			sum = sum.Plus(*c)
		}
	}
	return sum
}

// decide acts on an observation.
func (e *Engine) decide(o *Observation) {
	rules := e.Rules(o.Tenant)
	if !Passes(rules, o) {
		return
	}
	e.mu.Lock()
	verdict := e.state.Decide(rules, o)
	e.mu.Unlock()
	for _, r := range verdict.Raised {
		e.raise(r)
	}
	if verdict.Stop != nil {
		e.calls.stop(o.Tenant, o.Run, o.Call, stopped(verdict.Stop))
	}
}

// Raise raises an alert that others have decided on: it is recorded and told like any other. It never blocks.
func (e *Engine) Raise(r Raised) { e.raise(r) }

// raise sets the brake and queues the alert. A brake that would add nothing is left out, so that an operator has only
// one to lift.
func (e *Engine) raise(r Raised) {
	if r.Brake != nil {
		if e.brakes.set(*r.Brake, r.Alert.Raised) {
			e.enforce(*r.Brake, r.Alert.Raised)
		} else {
			r.Brake = nil
		}
	}
	e.pending.put(item{Raised: r})
}

// enforce ends the calls under way that a halt concerns.
func (e *Engine) enforce(b signalbox.Brake, now time.Time) {
	if b.Kind == signalbox.BrakeHalt {
		e.calls.halt(b.Tenant, b.Run, frozen(b, now))
	}
}

// Enter refuses a call of a halted run or tenant with code frozen. Otherwise the context it gives ends when a halt comes
// while the call is under way, with the *signalbox.Error as its cause; leave must be called once the call is over.
func (e *Engine) Enter(ctx context.Context, t *call.Track) (_ context.Context, leave func(), _ error) {
	entered, cancel := context.WithCancelCause(ctx)
	c := &entry{id: t.Call.ID, tenant: t.Gate.Caller.Tenant, run: t.Gate.Run, cancel: cancel}
	e.calls.add(c)
	leave = func() { e.calls.remove(c); cancel(nil) }
	// Asked after the call is registered: a halt that is set in between is either seen here or sees the call.
	if b, halted := e.brakes.halted(c.tenant, c.run, e.Now); halted {
		leave()
		return ctx, func() {}, frozen(b, e.Now())
	}
	return entered, leave, nil
}

// Throttled reports whether calls of the run are to use cheaper models.
func (e *Engine) Throttled(tenant, run string) bool {
	_, on := e.brakes.on(signalbox.BrakeThrottle, tenant, run, e.Now)
	return on
}

// Sync replaces the brakes that are known by those of the store, which other replicas and operators change. Brakes that
// were set here are kept until they are written and a read of the store that began after that does not have them.
// Calls to Sync must not overlap.
func (e *Engine) Sync(list []signalbox.Brake) {
	now := e.Now()
	for _, b := range e.brakes.sync(list, now) {
		e.enforce(b, now)
	}
}

// Lift ends a brake here at once; the next [Engine.Sync] would too.
func (e *Engine) Lift(id string) { e.brakes.lift(id) }

// Remember takes in alerts that were raised before a restart or by other replicas; to be called with the recent ones
// before the first call is served, and before each [Engine.Sync] where there are other replicas.
func (e *Engine) Remember(alerts []signalbox.Alert) {
	now := e.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range alerts {
		e.state.Remember(a, now)
	}
}

// Stats is what the engine has done since it was made.
type Stats struct {
	Raised    int64 // Alerts, those that were merged included.
	Written   int64 // Records of alerts in the log.
	Merged    int64 // Alerts that are told of in another one's text, because too many waited for the log.
	Retries   int64 // Tries to write that failed.
	Failed    int64 // Alerts that the log can not take at all; their brakes hold only here.
	Pending   int64 // Alerts that wait to be written.
	Brakes    int64 // Known, those that have ended and were not swept yet included.
	Calls     int64 // Under way.
	Unwritten int64 // Brakes whose alert was merged: they hold only here.
	Skipped   int64 // Calls after which an account's total over all replicas was not read, because too many waited for that.
}

// Stats gives the counters.
func (e *Engine) Stats() Stats {
	s := e.pending.stats()
	s.Brakes, s.Calls, s.Skipped = e.brakes.count.Load(), e.calls.count(), e.looks.count()
	return s
}

// Close writes what waits and ends the writer; when ctx ends before that it gives up and says how much is lost.
func (e *Engine) Close(ctx context.Context) error {
	e.shut()
	stop := context.AfterFunc(ctx, e.giveUp)
	defer stop()
	<-e.looked // It may raise the last alerts.
	e.close.Do(func() { close(e.closing) })
	select {
	case <-e.done:
	case <-ctx.Done():
		e.giveUp()
		<-e.done
	}
	e.giveUp()
	if n := e.pending.stats().Pending; n > 0 {
		return signalbox.Errorf(signalbox.CodeUnavailable, "%d alerts could not be written to the log", n).
			WithRemedy("Their brakes end with this process; look at the runs that passed their thresholds.").WithCause(ctx.Err())
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
