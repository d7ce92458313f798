package ledger

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// Vault keeps the shares of all replicas. Draw changes or reads some in one transaction and gives them in the order of
// draws. What it gives is durable before any record that comes after it; where there are other replicas, on return. After
// an error nothing or all of it may have been done. It is safe for concurrent use; draws of one account by one replica
// never overlap.
type Vault interface {
	Draw(ctx context.Context, replica string, draws []signalbox.Draw) ([]signalbox.Share, error)
}

// Counter counts the tokens of a call's input exactly, as the candidate would; ok is false where it can not. It is slow
// for long inputs and asked only where a bound by bytes does not fit. Safe for concurrent use.
type Counter interface {
	CountInput(ctx context.Context, c *signalbox.Call, k signalbox.Candidate) (tokens int64, ok bool)
}

// Runs gives the runs that were opened; not_found for others. It is asked on every call with such an id and therefore
// caches. Safe for concurrent use.
type Runs interface {
	Run(ctx context.Context, tenant, id string) (signalbox.Run, error)
}

// Defaults of [Options].
const (
	DefaultWait       = 5 * time.Second
	DefaultMaxWaiting = 1024
)

// RunPrefix begins the ids of runs that were opened.
const RunPrefix = "run_"

// Options of a ledger. Vault, Policy and Now are required.
type Options struct {
	Vault      Vault
	Policy     func() *budget.Policy // As it is now; asked for every decision.
	Runs       Runs                  // Nil: no run is opened.
	Counter    Counter               // Nil: bounds are by bytes.
	KeyBudgets func(key string) []signalbox.Budget
	Replica    string // This process; "" is [signalbox.LocalReplica].
	Now        func() time.Time
	Wait       time.Duration // How long a call waits for room that others hold; 0 is [DefaultWait].
	MaxWaiting int           // How many calls wait at once; 0 is [DefaultMaxWaiting].
	Whole      bool          // There is only this replica: it has all there is.
	Logger     *slog.Logger  // Told of room that could not be given back; nil: nobody is.
}

// Ledger decides whether calls can be paid. It is safe for concurrent use and implements [call.Ledger].
type Ledger struct {
	Options

	mu     sync.Mutex
	book   *book
	closed bool
	rounds []chan error // Told of the end of the next round of draws.

	kick    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
}

// New makes a ledger. It must be closed.
func New(o Options) *Ledger {
	l := &Ledger{
		Options: withDefaults(o),
		kick:    make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.book = newBook(l.Whole, l.MaxWaiting)
	go l.loop()
	return l
}

func withDefaults(o Options) Options {
	if o.Replica == "" {
		o.Replica = signalbox.LocalReplica
	}
	if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = DefaultMaxWaiting
	}
	if o.KeyBudgets == nil {
		o.KeyBudgets = func(string) []signalbox.Budget { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Open takes the call's places under the limits of requests and concurrency (see [call.Ledger]).
func (l *Ledger) Open(ctx context.Context, t *call.Track) (call.Tab, error) {
	payer := budget.Payer{
		Caller: t.Gate.Caller, RunID: t.Gate.Run, KeyBudgets: l.KeyBudgets(t.Gate.Caller.Key),
	}
	run, err := l.run(ctx, payer)
	if err != nil {
		return nil, err
	}
	payer.Run = run
	tab := &tab{ledger: l, payer: payer}
	gate := l.Policy().Gate(l.Now(), payer)
	if len(gate) == 0 {
		return tab, l.open()
	}
	v := l.ask(ctx, &tab.tally, tab.flow(), brief, [][]budget.Line{gate})
	if !v.held {
		return nil, l.refusal(ctx, v)
	}
	return tab, nil
}

// open fails once the ledger is closed.
func (l *Ledger) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed()
	}
	return nil
}

// run finds the run that a call names, if it was opened, and checks that the call may be part of it.
func (l *Ledger) run(ctx context.Context, w budget.Payer) (*signalbox.Run, error) {
	if l.Runs == nil || !strings.HasPrefix(w.RunID, RunPrefix) {
		return nil, nil
	}
	run, err := l.Runs.Run(ctx, w.Caller.Tenant, w.RunID)
	switch {
	case signalbox.CodeOf(err) == signalbox.CodeNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case run.Key != w.Caller.Key:
		return nil, errForeignRun(w.RunID)
	case run.State == signalbox.RunHalted:
		return nil, errHalted(w.RunID)
	case run.State != signalbox.RunRunning:
		return nil, errOverRun(w.RunID, run.State)
	}
	return &run, nil
}

// ask asks the book and waits for its decision.
func (l *Ledger) ask(ctx context.Context, t *tally, f flow, p patience, choices [][]budget.Line) verdict {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return verdict{reason: unreachable, cause: errClosed()}
	}
	waits := l.book.request(l.Now(), t, f, p, choices)
	var done chan struct{}
	if waits {
		done = make(chan struct{})
		t.done = done
	}
	l.effects()
	l.mu.Unlock()
	if waits {
		l.wait(ctx, t, done)
	}
	return t.ask.verdict
}

// wait waits until the book has decided; it asks for a decision when the time is over or the caller leaves.
func (l *Ledger) wait(ctx context.Context, t *tally, done <-chan struct{}) {
	timer := time.NewTimer(l.Wait) //nolint:forbidigo // The adapter waits; the book decides.
	defer timer.Stop()
	left := false
	select {
	case <-done:
		return
	case <-ctx.Done():
		left = true
	case <-timer.C:
	}
	l.do(func(b *book) { b.withdraw(l.Now(), t, left) })
}

// do applies an event to the book and passes its effects on.
func (l *Ledger) do(event func(*book)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	event(l.book)
	l.effects()
}

// effects wakes the calls that were decided, and the loop where shares must be drawn or calls wait.
func (l *Ledger) effects() {
	for i, t := range l.book.woken {
		if t.done != nil {
			close(t.done)
			t.done = nil
		}
		l.book.woken[i] = nil
	}
	l.book.woken = l.book.woken[:0]
	if len(l.book.todo) > 0 || l.book.waiting > 0 {
		l.awake()
	}
}

func (l *Ledger) awake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// Balance gives an account as it is known here; false where it is not. For alerts and headers.
func (l *Ledger) Balance(account string) (call.Balance, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.book.accounts[account]
	if a == nil || !a.known {
		return call.Balance{}, false
	}
	return a.balance(), true
}

// Waiting is how many calls wait for room that others hold; [Options.MaxWaiting] bounds it.
func (l *Ledger) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.parked
}

// Replan is to be called when the policy has changed. New caps count from the next call on; what a share has beyond
// its new cap is given back then.
func (l *Ledger) Replan() { l.do(func(b *book) { b.replan() }) }

// Wanted says that other replicas need room of these accounts: what is free and not needed here is given back.
func (l *Ledger) Wanted(accounts []string) {
	l.do(func(b *book) { b.wantedElsewhere(l.Now(), accounts) })
}

// Refresh reads all shares again, because amounts were reconciled or closed accounts opened. A correction of what is
// settled counts as soon as no record of the account is on its way.
func (l *Ledger) Refresh(ctx context.Context) error {
	ended := make(chan error, 1)
	l.do(func(b *book) {
		b.reread()
		l.rounds = append(l.rounds, ended)
		l.awake()
	})
	select {
	case err := <-ended:
		return err
	case <-l.stopped:
		return errClosed()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
