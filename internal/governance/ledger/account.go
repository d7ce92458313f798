package ledger

import (
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// MaxAmount is the most that an account counts, in its unit's measure: about 2.3 billion dollars. Larger caps count as
// this one, and nothing is held beyond it even where there is no cap, so that no sum can overflow.
const MaxAmount int64 = 1<<61 - 1

// account is what the book knows of one account: this process's share, exactly, and what all others have of it, as of the
// last draw.
type account struct {
	key     string
	name    signalbox.Account
	budget  signalbox.Budget // As the last call that asked had it.
	resetAt time.Time
	closed  bool
	closing int // Claims whose next record closes it.

	// The own share. What counts against it is settled + orphans + claimed.
	known   bool  // It has been read at least once; before that nothing is held.
	granted int64 // What this process may use in all.
	settled int64 // By durable records.
	orphans int64 // Held by durable records of an earlier life of this process.
	claimed int64 // The claims of the calls under way, each with the larger of its old and its new state.
	durable int64 // The part of claimed that durable records hold.

	others others

	queue []*ask // The calls that are short of it, in the order in which they are served.
	draw  drawing
	refs  int // Claims and asks that point here; an account with any is kept.

	dirty  bool   // It is on the book's list of accounts whose queue must be looked at.
	listed int    // Its place in the book's list of accounts with a queue, from 1; 0 is none.
	epoch  uint64 // The policy under which its cap was last looked at.

	idleSince  time.Time
	prev, next *account // In the list of idle accounts; nil where it is in use.
}

// others is what the other replicas have of an account, together.
type others struct {
	granted, settled, held int64
}

// free is what the others could give back.
func (o others) free() int64 { return o.granted - o.settled - o.held }

// used is what counts against the own share.
func (a *account) used() int64 { return a.settled + a.orphans + a.claimed }

// allSettled and allHeld are the sums over all replicas, as known.
func (a *account) allSettled() int64 { return a.settled + a.others.settled }
func (a *account) allHeld() int64    { return a.orphans + a.claimed + a.others.held }

// counted is all that counts against a limit over all replicas, as known.
func (a *account) counted() int64 { return a.allSettled() + a.allHeld() }

// room is what can be held now under a limit: what the share has free, and never more than the limit leaves, which binds
// where the limit was lowered after the share was drawn. Accounts that only count need no share.
func (a *account) room(limit int64, hard bool) int64 {
	if hard {
		return min(a.left(limit), a.granted-a.used())
	}
	return a.left(limit)
}

// left is what the limit leaves over all replicas.
func (a *account) left(limit int64) int64 { return limit - a.counted() }

// balance is the account as callers and alerts see it.
func (a *account) balance() call.Balance {
	b := call.Balance{
		Account: a.name, Cap: a.budget.Max, Settled: a.allSettled(), Held: a.allHeld(),
		Closed: a.closed, Soft: a.budget.Soft, WarnAt: a.budget.WarnAt,
	}
	if !a.resetAt.IsZero() {
		b.ResetAt = a.resetAt.Unix()
	}
	return b
}

// adopt takes over a share that was read while no record of the account was on its way, so that what it says of settled
// and held amounts is exact: a reconciliation may have changed them.
func (a *account) adopt(s signalbox.Share) {
	a.settled = clamp(s.Settled)
	a.orphans = max(clamp(s.Held)-a.durable, 0)
	a.closed = s.Closed || a.closing > 0
}

// learn takes over what a share says of the grant and of the others; both are exact at any time.
func (a *account) learn(s signalbox.Share) {
	a.known = true
	a.granted = clamp(s.Granted)
	a.closed = a.closed || s.Closed
	a.others = others{
		granted: clamp(s.AllGranted) - clamp(s.Granted),
		settled: clamp(s.AllSettled) - clamp(s.Settled),
		held:    clamp(s.AllHeld) - clamp(s.Held),
	}
}

func clamp(n int64) int64 { return max(min(n, MaxAmount), -MaxAmount) }

// limitOf is the most that may be settled and held under a line.
func limitOf(l *budget.Line) int64 {
	if !l.Capped() {
		return MaxAmount
	}
	return clamp(l.Budget.Max)
}
