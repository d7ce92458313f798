package ledger

import (
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// patience is what a call that does not fit waits for.
type patience int

const (
	probing patience = iota // Only for shares that are being read or drawn.
	brief                   // For room that other replicas have and do not use, too, but not longer than briefWait.
	patient                 // For what others hold.
)

// briefWait is how long a limit of requests or concurrency waits for room that other replicas do not use.
const briefWait = 400 * time.Millisecond

// ask is what one call wants, until that is decided.
type ask struct {
	tally    *tally
	flow     flow
	patience patience
	since    time.Time
	choices  [][]term
	at       []place // The queues it stands in.
	parked   bool    // It counts against the bound of waiting calls.
	ticket   ticket
	waiting  bool
	verdict  verdict

	termsBuffer  [6]term
	choiceBuffer [2][]term
}

// term is one account that an ask wants an amount of.
type term struct {
	account *account
	line    *budget.Line
	limit   int64
	hard    bool
	amount  int64
}

// place is a queue that an ask stands in, and how much more it needs there.
type place struct {
	account *account
	need    int64
	limit   int64
	hard    bool
}

// verdict is how an ask was decided.
type verdict struct {
	held   bool
	reason reason
	choice int      // Which of the choices is held.
	by     *account // Which account refuses.
	term   term     // What was wanted of it.
	snap   signalbox.Share
	cause  error // Why shares could not be drawn.

	permission string // Where the permission is written whose limit is among the accounts; "" where none is.
}

// reason says why something does not fit.
type reason int

const (
	fits        reason = iota
	unread             // The share of the account is not known yet.
	short              // Others hold what it needs.
	never              // Settled amounts alone leave no room.
	closed             // The account was closed by an overrun.
	full               // Too many calls wait already.
	unreachable        // The share could not be drawn.
	withdrawn          // The caller went away.
)

// lasting reports whether waiting can not help.
func (r reason) lasting() bool { return r == never || r == closed }

// request asks for one of several sets of amounts, the first that fits, each set whole or not at all. It reports whether
// the call waits; else its verdict is in the tally.
func (b *book) request(now time.Time, t *tally, f flow, p patience, choices [][]budget.Line) (waits bool) {
	b.now = now
	b.conclude(t)
	k := &t.ask
	k.tally, k.flow, k.patience, k.since, k.at = t, f, p, now, k.at[:0]
	if k.verdict.reason != fits || k.verdict.held {
		k.verdict = verdict{}
	}
	b.resolve(k, choices)
	b.judge(k)
	b.run()
	return k.waiting
}

// resolve turns lines into terms. Accounts that are not known are made.
func (b *book) resolve(k *ask, choices [][]budget.Line) {
	k.choices = k.choiceBuffer[:0]
	terms := k.termsBuffer[:0]
	for _, lines := range choices {
		from := len(terms)
		for i := range lines {
			terms = b.addTerm(terms, from, &lines[i])
		}
		k.choices = append(k.choices, terms[from:len(terms):len(terms)])
	}
}

// addTerm adds a line. Lines of one account become one term, under the lower limit.
func (b *book) addTerm(terms []term, from int, l *budget.Line) []term {
	a := b.account(l.Key, l.Account)
	m := term{account: a, line: l, limit: limitOf(l), hard: l.Capped(), amount: max(l.Amount, 0)}
	b.note(a, l)
	for i := from; i < len(terms); i++ {
		if have := &terms[i]; have.account == a {
			have.amount = saturate(have.amount, m.amount)
			have.limit, have.hard = min(have.limit, m.limit), have.hard || m.hard
			return terms
		}
	}
	b.pin(a)
	return append(terms, m)
}

// note keeps the budget of an account. Where a new policy lowered it, what the share has beyond is given back.
func (b *book) note(a *account, l *budget.Line) {
	if !b.whole && a.epoch != b.epoch && a.known && !a.draw.busy() {
		a.epoch = b.epoch
		if limit := max(limitOf(l), 0); l.Capped() && a.granted > limit {
			b.giveBack(a, a.granted-max(a.used(), limit))
			a.draw.under = limit
		}
	}
	a.budget, a.resetAt = l.Budget, l.ResetAt
}

// need is how much more than it has now the call would count in the account.
func (m *term) need(t *tally) int64 {
	c := t.find(m.account)
	if c == nil {
		return m.amount
	}
	credit := c.counted() - c.settle - c.hold
	return max(m.amount-credit, 0)
}

// weigh says whether a term fits.
func (b *book) weigh(k *ask, m *term) reason {
	a := m.account
	if !a.known {
		return unread
	}
	switch need := m.need(k.tally); {
	case m.hard && a.closed:
		return closed
	case m.hard && m.limit <= 0:
		return never
	case need == 0:
		return fits
	default:
		return b.weighRoom(k, m, need)
	}
}

func (b *book) weighRoom(k *ask, m *term, need int64) reason {
	a, settled := m.account, m.account.allSettled()
	if c := k.tally.find(a); c != nil {
		settled += c.settle
	}
	switch {
	case m.limit-settled < m.amount:
		return never
	case b.behind(k, a) || a.room(m.limit, m.hard) < need:
		return short
	}
	return fits
}

func saturate(a, b int64) int64 {
	if a > MaxAmount-b {
		return MaxAmount
	}
	return a + b
}
