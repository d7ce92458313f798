package alert

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Bounds of a [State].
const (
	// MaxRemembered is how many things a state remembers to have raised alerts about. Beyond it the oldest quarter is
	// forgotten; what is then raised again has the id it had, so that no store keeps it twice.
	MaxRemembered = 1 << 16
	// LateSettle is how long after its end a window is remembered: a call settles in the window it was held in.
	LateSettle = time.Hour
	// RunMemory is how long a run is remembered in which nothing above a threshold is spent.
	RunMemory = 24 * time.Hour
	// sweepEvery is the least time between two sweeps of what is over.
	sweepEvery = time.Minute
)

// Names of the rules that nobody configures.
const (
	RuleBudget  = "budget"  // An account has reached its warn_at, or a soft one its cap.
	RuleOverrun = "overrun" // A provider billed more than was held.
)

// Observation is what one call has added to a tenant's cost.
type Observation struct {
	Tenant, Run, Agent, Call string           // Run is "" for a call that is a run of its own.
	Cost                     *signalbox.Money // Of the call so far; nil where nobody knows it.
	Running                  bool             // The call goes on, and its cost is an estimate; false: its outcome is durable.
	Totals                   []Total          // Of those accounts that the call has added to.
	Balances                 []call.Balance   // Of accounts with a warning or a soft cap that the call has added to.
	Overruns                 []Overrun
	Closed                   []string // The accounts that an overrun has closed.
	Now                      time.Time
}

// Total is what was spent in a run, or by a tenant in a day, week or month.
type Total struct {
	Per     signalbox.AlertScope
	Account string
	Amount  signalbox.Money
	Start   time.Time // Of the window; zero for a run.
	End     time.Time
}

// Overrun is an attempt that cost more than was held for it.
type Overrun struct {
	Attempt    int
	Held, Cost signalbox.Money
}

// Verdict is what follows from an observation.
type Verdict struct {
	Raised []Raised
	Stop   *signalbox.Alert // Why the running call itself must end; nil: it may go on.
}

// Raised is an alert, with the brake it sets.
type Raised struct {
	Alert    signalbox.Alert
	Brake    *signalbox.Brake // Nil: none.
	Channels []string         // Those that are told unless the action is to log; empty is all.

	// Payload makes what a channel is sent, as JSON; nil: a [Payload].
	Payload func(channel string) []byte
}

// State is what alerts were raised about and when. It decides alone from what it is told: the same observations give the
// same verdicts. It is not safe for concurrent use.
type State struct {
	raised map[key]memory
	swept  time.Time
}

// memory is what is remembered of one rule and what it was about.
type memory struct {
	n     int       // Alerts raised after the first.
	last  time.Time // When the last one was.
	until time.Time // When it may be forgotten.
}

// NewState makes a state that knows of nothing.
func NewState() *State { return &State{raised: map[key]memory{}} }

// Len is how many things are remembered.
func (s *State) Len() int { return len(s.raised) }

// Decide gives what an observation leads to, and remembers it.
func (s *State) Decide(rules []signalbox.AlertRule, o *Observation) Verdict {
	var v Verdict
	for i := range rules {
		if m, ok := measure(&rules[i], o); ok && m.value > rules[i].Threshold {
			s.passed(&v, &rules[i], o, m)
		}
	}
	for _, b := range o.Balances {
		s.balance(&v, o, b)
	}
	for _, x := range o.Overruns {
		v.Raised = append(v.Raised, overrunOf(o, x))
	}
	return v
}

// Passes reports whether Decide could raise anything: a cheap look that needs no state.
func Passes(rules []signalbox.AlertRule, o *Observation) bool {
	if len(o.Overruns) > 0 {
		return true
	}
	for i := range rules {
		if m, ok := measure(&rules[i], o); ok && m.value > rules[i].Threshold {
			return true
		}
	}
	return slices.ContainsFunc(o.Balances, func(b call.Balance) bool { return warned(b) || exceeded(b) })
}

// measured is what a rule looks at.
type measured struct {
	value  signalbox.Money
	total  Total // Zero where it is the call's own cost.
	single bool  // It is about this one call, and no other can add to it.
}

// measure gives what a rule looks at; false where the rule does not apply or nothing is known.
func measure(r *signalbox.AlertRule, o *Observation) (measured, bool) {
	if r.Tenant != "" && r.Tenant != o.Tenant {
		return measured{}, false
	}
	if r.Per == signalbox.AlertPerRequest || r.Per == signalbox.AlertPerRun && o.Run == "" {
		if o.Cost == nil {
			return measured{}, false
		}
		return measured{value: *o.Cost, single: true}, true
	}
	for _, t := range o.Totals {
		if t.Per == r.Per {
			return measured{value: t.Amount, total: t}, true
		}
	}
	return measured{}, false
}

// passed decides about a rule whose threshold was passed.
func (s *State) passed(v *Verdict, r *signalbox.AlertRule, o *Observation, m measured) {
	id, raise := s.due(r, o, m)
	stop := m.single && o.Running && r.Action == signalbox.ActionHalt && v.Stop == nil
	if !raise && !stop {
		return
	}
	made := raisedOf(id, r, o, m)
	if raise {
		v.Raised = append(v.Raised, made)
	}
	if stop {
		v.Stop = &made.Alert
	}
}

// due decides whether an alert is raised now, and gives its id.
func (s *State) due(r *signalbox.AlertRule, o *Observation, m measured) (id string, raise bool) {
	if m.single {
		return s.dueOnce(r, o)
	}
	k, until := keyOf(r, o, m), o.Now.Add(RunMemory)
	if !m.total.End.IsZero() {
		until = m.total.End.Add(LateSettle)
	}
	n, raise := s.take(k, r.Cooldown, until, o.Now)
	return k.id(n), raise
}

// dueOnce decides about a rule that is about one call. It is raised once for the call; a cooldown holds it back also
// after other calls of the same run or, without a run, of the same agent.
func (s *State) dueOnce(r *signalbox.AlertRule, o *Observation) (id string, raise bool) {
	k := keyOf(r, o, measured{single: true})
	if _, seen := s.raised[k]; seen {
		if !o.Running {
			delete(s.raised, k) // Nothing more comes of the call.
		}
		return k.id(0), false
	}
	if r.Cooldown > 0 {
		if _, open := s.take(gateOf(r.ID, r.Threshold, o.Tenant, o.Run, o.Agent), r.Cooldown, o.Now.Add(r.Cooldown), o.Now); !open {
			return k.id(0), false
		}
	}
	if o.Running {
		s.put(k, memory{last: o.Now, until: o.Now.Add(RunMemory)}, o.Now)
	}
	return k.id(0), true
}

// take raises the first alert about k, and a further one when the cooldown is over. Alerts are numbered one by one, not
// by the time since the first: whichever replica raises the n-th first, the others' n-th is the same alert, and as each
// of them keeps the cooldown between its own n-th and the next, all of them together do.
func (s *State) take(k key, cooldown time.Duration, until, now time.Time) (n int, raise bool) {
	m, seen := s.raised[k]
	if !seen {
		s.put(k, memory{last: now, until: until}, now)
		return 0, true
	}
	m.until = until
	if cooldown > 0 && now.Sub(m.last) >= cooldown {
		m.n, m.last, raise = m.n+1, now, true
	}
	s.raised[k] = m
	return m.n, raise
}

// balance decides about the budget of one account: it is warned of once in its window, and once more where a soft one
// is exceeded.
func (s *State) balance(v *Verdict, o *Observation, b call.Balance) {
	if warned(b) {
		s.budget(v, o, b, signalbox.AlertWarning, warnThreshold(b))
	}
	if exceeded(b) {
		s.budget(v, o, b, signalbox.AlertCritical, b.Cap)
	}
}

func (s *State) budget(v *Verdict, o *Observation, b call.Balance, level signalbox.AlertLevel, threshold int64) {
	account, until := b.Account.String(), o.Now.Add(RunMemory)
	if b.ResetAt != 0 {
		until = time.Unix(b.ResetAt, 0).Add(LateSettle)
	}
	k := digest(RuleBudget, string(level), account)
	if _, raise := s.take(k, 0, until, o.Now); raise {
		v.Raised = append(v.Raised, budgetOf(k.id(0), o, b, account, level, threshold))
	}
}

// warned reports whether an account has reached its warn_at.
func warned(b call.Balance) bool {
	return b.WarnAt > 0 && b.Cap > 0 && b.Settled > 0 && b.Settled >= warnThreshold(b)
}

// exceeded reports whether a soft account is above its cap.
func exceeded(b call.Balance) bool {
	return b.Soft && b.Cap >= 0 && b.Settled > b.Cap
}

// warnThreshold is the part of the cap that is warned at, without overflow, rounded down.
func warnThreshold(b call.Balance) int64 {
	return b.Cap/1000*b.WarnAt + b.Cap%1000*b.WarnAt/1000
}

// Remember takes in an alert that was raised before a restart, or by another replica. Without it the first alert about
// a thing would be raised again: under the same id, so that no store keeps it twice, but with its brake in force here
// until the next [Engine.Sync].
func (s *State) Remember(a signalbox.Alert, now time.Time) {
	if a.Rule == RuleOverrun {
		return
	}
	k, n, ok := parseID(a.ID)
	until := now.Add(RunMemory)
	if d := signalbox.Window(a.Per).Duration(); d > 0 {
		until = a.Raised.Add(d + 2*RunMemory) // Months and days have different lengths.
	}
	if a.Per == signalbox.AlertPerRequest || a.Per == signalbox.AlertPerRun && a.Run == "" {
		k, until = gateOf(a.Rule, signalbox.Money(a.Threshold), a.Tenant, a.Run, a.Agent), a.Raised.Add(RunMemory)
	}
	if !ok || !now.Before(until) {
		return
	}
	if m, seen := s.raised[k]; seen {
		n = max(n, m.n)
		a.Raised = later(a.Raised, m.last)
		until = later(until, m.until)
	}
	s.put(k, memory{n: n, last: a.Raised, until: until}, now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// put remembers, and forgets what is over.
func (s *State) put(k key, m memory, now time.Time) {
	full := len(s.raised) >= MaxRemembered
	if full || now.Sub(s.swept) >= sweepEvery {
		s.swept = now
		maps.DeleteFunc(s.raised, func(_ key, m memory) bool { return now.After(m.until) })
	}
	if len(s.raised) >= MaxRemembered {
		s.evict()
	}
	s.raised[k] = m
}

// evict forgets the quarter about which nothing was raised for the longest time.
func (s *State) evict() {
	oldest := slices.SortedFunc(maps.Keys(s.raised), func(a, b key) int {
		if c := s.raised[a].last.Compare(s.raised[b].last); c != 0 {
			return c
		}
		return cmp.Compare(string(a[:]), string(b[:]))
	})
	for _, k := range oldest[:len(oldest)/4] {
		delete(s.raised, k)
	}
}
