package alert

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
)

// brakes are those that are on, as this process knows them.
type brakes struct {
	mu    *sync.RWMutex
	known map[subject][]brake
	count *atomic.Int64 // Of known, so that nothing is locked while there is none.
}

type brake struct {
	signalbox.Brake
	origin origin
}

// origin says how far a brake is known beyond this process.
type origin int

const (
	stored  origin = iota // The store had it.
	own                   // Set here, its alert is not written yet.
	written               // Set here, its alert is written.
	missed                // Written, and a Sync has not had it: that may have read the store before.
)

func newBrakes() brakes {
	return brakes{mu: &sync.RWMutex{}, known: map[subject][]brake{}, count: &atomic.Int64{}}
}

// set puts a brake of this process on; false where one of its kind holds at least as long.
func (b *brakes) set(n signalbox.Brake, now time.Time) bool {
	k := subject{n.Tenant, n.Run}
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.DeleteFunc(b.known[k], func(x brake) bool { return !x.Holds(now) })
	b.count.Add(int64(len(list) - len(b.known[k])))
	b.known[k] = list
	if slices.ContainsFunc(list, func(x brake) bool { return x.Kind == n.Kind && outlasts(x.Until, n.Until) }) {
		return false
	}
	b.known[k] = append(list, brake{n, own})
	b.count.Add(1)
	return true
}

// outlasts reports whether one end is no earlier than another; zero is never.
func outlasts(a, b time.Time) bool {
	return a.IsZero() || !b.IsZero() && !a.Before(b)
}

// wrote says that the alert of a brake is in the log.
func (b *brakes) wrote(n *signalbox.Brake) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.known[subject{n.Tenant, n.Run}]
	for i := range list {
		if list[i].ID == n.ID && list[i].origin == own {
			list[i].origin = written
		}
	}
}

// halted gives the brake that halts a run, on it or on its tenant.
func (b *brakes) halted(tenant, run string, now func() time.Time) (signalbox.Brake, bool) {
	return b.on(signalbox.BrakeHalt, tenant, run, now)
}

// on gives a brake of a kind that is on a run or on its tenant.
func (b *brakes) on(kind signalbox.BrakeKind, tenant, run string, now func() time.Time) (signalbox.Brake, bool) {
	if b.count.Load() == 0 {
		return signalbox.Brake{}, false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if run != "" {
		if x, ok := holding(b.known[subject{tenant, run}], kind, now); ok {
			return x, true
		}
	}
	return holding(b.known[subject{tenant, ""}], kind, now)
}

func holding(list []brake, kind signalbox.BrakeKind, now func() time.Time) (signalbox.Brake, bool) {
	for i := range list {
		if list[i].Kind == kind && list[i].Holds(now()) {
			return list[i].Brake, true
		}
	}
	return signalbox.Brake{}, false
}

// sync takes the store's brakes over and gives those that are new here.
func (b *brakes) sync(list []signalbox.Brake, now time.Time) []signalbox.Brake {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := map[string]brake{}
	for _, known := range b.known {
		for _, x := range known {
			before[x.ID] = x
		}
	}
	fresh, next := []signalbox.Brake(nil), map[subject][]brake{}
	put := func(x brake) { k := subject{x.Tenant, x.Run}; next[k] = append(next[k], x) }
	for _, x := range list {
		if !x.Holds(now) {
			continue
		}
		if _, seen := before[x.ID]; !seen {
			fresh = append(fresh, x)
		}
		put(brake{x, stored})
	}
	for _, x := range list { // Also those that were lifted.
		delete(before, x.ID)
	}
	for _, x := range before {
		if x, keep := x.afterMiss(now); keep {
			put(x)
		}
	}
	b.replace(next)
	return fresh
}

// afterMiss decides about a brake that the store did not have.
func (x brake) afterMiss(now time.Time) (brake, bool) {
	switch x.origin {
	case own:
	case written:
		x.origin = missed
	case stored, missed:
		return x, false
	}
	return x, x.Holds(now)
}

// lift takes a brake off.
func (b *brakes) lift(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, list := range b.known {
		list = slices.DeleteFunc(list, func(x brake) bool { return x.ID == id })
		if b.known[k] = list; len(list) == 0 {
			delete(b.known, k)
		}
	}
	b.replace(b.known)
}

// replace sets what is known.
func (b *brakes) replace(next map[subject][]brake) {
	n := 0
	for _, list := range next {
		n += len(list)
	}
	b.known = next
	b.count.Store(int64(n))
}

// frozen is the error of a call that a brake stops.
func frozen(b signalbox.Brake, now time.Time) *signalbox.Error {
	what, remedy := fmt.Sprintf("Run %q", b.Run), fmt.Sprintf("An operator lifts the brake with `signalbox alert lift %s` or in the console.", b.ID)
	if b.Run == "" {
		what = fmt.Sprintf("Tenant %q", b.Tenant)
	}
	e := signalbox.Errorf(signalbox.CodeFrozen, "%s is halted by alert %s: %s", what, b.ID, b.Reason).WithRemedy(remedy)
	if b.Until.IsZero() {
		return e
	}
	return e.WithRemedy(remedy[:len(remedy)-1] + ", or it ends by itself at " + b.Until.UTC().Format(time.RFC3339) + ".").
		WithRetryAfter(b.Until.Sub(now))
}

// stopped is the error of a call that was stopped for its own cost.
func stopped(a *signalbox.Alert) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeFrozen, "The call was halted by alert %s: %s", a.ID, a.Text).
		WithRemedy("Ask for less in one call, or have the operator raise the threshold of the rule.")
}
