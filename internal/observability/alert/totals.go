package alert

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/call"
)

// Limits of looking at totals over all replicas.
const (
	// LookAfter is how long after a call has added to an account its total is read. What is added meanwhile is seen too.
	LookAfter = 250 * time.Millisecond
	// MaxLooks is how many accounts wait to be looked at. Beyond it an account is looked at after a later call.
	MaxLooks = 1 << 14
	// lookBatch bounds the accounts of one read.
	lookBatch = 500
	// lookTimeout bounds one read, and is the pause after one that failed.
	lookTimeout = 5 * time.Second
)

// Totals knows what replicas have settled together. A replica learns what the others have settled only when it draws from
// an account, and never draws from one without a cap: each of them alone may see less than a threshold while all of them
// together are above it. So whoever has added to an account reads its total afterwards; the last one to add sees all.
type Totals interface {
	// Settled gives what durable records have settled in accounts, by their names. Those that nobody has used are left out.
	// It is safe for concurrent use.
	Settled(ctx context.Context, accounts []string) (map[string]int64, error)
}

// adder is the last call that has added to an account.
type adder struct{ tenant, run, agent, call string }

// looks are the accounts whose totals are to be read.
type looks struct {
	mu      sync.Mutex
	due     map[string]adder
	skipped int64
	wake    chan struct{}
}

func newLooks() *looks { return &looks{due: map[string]adder{}, wake: make(chan struct{}, 1)} }

// put notes that a call has added to an account. It never blocks.
func (l *looks) put(account string, by adder) {
	l.mu.Lock()
	if _, waits := l.due[account]; waits || len(l.due) < MaxLooks {
		l.due[account] = by
	} else {
		l.skipped++
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take gives some of what is due.
func (l *looks) take() map[string]adder {
	l.mu.Lock()
	defer l.mu.Unlock()
	some := make(map[string]adder, min(len(l.due), lookBatch))
	for account, by := range l.due {
		if len(some) == lookBatch {
			break
		}
		some[account] = by
		delete(l.due, account)
	}
	return some
}

func (l *looks) count() (skipped int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.skipped
}

// look reads totals until the engine is closed, and what is due then.
func (e *Engine) look() {
	defer close(e.looked)
	for open := true; open; e.lookAll() {
		select {
		case <-e.looks.wake:
			open = e.Wait(e.open, LookAfter)
		case <-e.open.Done():
			open = false
		}
	}
}

// lookAll reads all that is due. What could not be read stays due.
func (e *Engine) lookAll() {
	for e.work.Err() == nil {
		due := e.looks.take()
		if len(due) == 0 {
			return
		}
		err := e.lookAt(due)
		if err == nil {
			continue
		}
		e.Logger.LogAttrs(e.work, slog.LevelWarn, "what accounts come to over all replicas could not be read",
			slog.Int("accounts", len(due)), slog.Any("error", err))
		for account, by := range due {
			e.looks.put(account, by)
		}
		e.Wait(e.open, lookTimeout)
		return
	}
}

// lookAt reads the totals of accounts and acts on them.
func (e *Engine) lookAt(due map[string]adder) error {
	ctx, cancel := context.WithTimeout(e.work, lookTimeout)
	defer cancel()
	accounts := make([]string, 0, len(due))
	for account := range due {
		accounts = append(accounts, account)
	}
	slices.Sort(accounts)
	totals, err := e.Totals.Settled(ctx, accounts)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		settled, used := totals[account]
		b, known := e.balance(account)
		if !used || !known {
			continue
		}
		by := due[account]
		o := Observation{Tenant: by.tenant, Run: by.run, Agent: by.agent, Call: by.call, Now: e.Now()}
		b.Settled = settled
		e.addBalance(&o, account, b, 0)
		e.decide(&o)
	}
	return nil
}

// balance gives where an account stands here, with its name. One that the ledger has forgotten is known by its name alone.
func (e *Engine) balance(account string) (call.Balance, bool) {
	b, _ := e.Balance(account)
	known := b.Account.Kind != "" || e.accounts.fill(&b.Account, account)
	return b, known
}
