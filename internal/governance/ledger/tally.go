package ledger

import (
	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// tally is one call's side of the book: what it claims of which accounts, and what it is asking for.
type tally struct {
	claims []claim
	due    []due // What the attempt that was held last has in the claims, until it is spent.
	left   bool  // A durable record says that this attempt has left: it can not be dropped any more.
	posted bool  // A record with entries is on its way.
	ended  bool  // The last record was asked for.
	gone   bool  // Its places under limits of concurrency are given back.
	ask    ask

	done chan struct{} // The adapter's: closed when the ask that waits is decided.

	claimsBuffer [8]claim
	dueBuffer    [6]due
}

// claim is what a call has in one account. Records make it durable in steps: what they have booked is held, what the
// next one books is settled and held instead. Until that one is durable both states count.
type claim struct {
	account *account
	booked  int64 // Held by durable records.
	settle  int64 // What the next record adds to what is settled.
	hold    int64 // What is held once the next record is durable.
	closes  bool  // The next record closes the account.
	stood   int64 // What counted in the account, over all replicas, before the call held anything in it.

	posted posted // What the record on its way says.
}

// posted is a claim's part of a record.
type posted struct {
	sent         bool
	settle, hold int64
}

// due is the part of one attempt in a claim.
type due struct {
	claim  int
	amount int64
	line   *budget.Line
}

func (c *claim) counted() int64 { return max(c.booked, c.settle+c.hold) }

// live reports whether the claim ends with the process and is never in a record.
func (c *claim) live() bool { return c.account.name.Unit == signalbox.UnitConcurrent }

func (t *tally) find(a *account) *claim {
	if i := t.index(a); i >= 0 {
		return &t.claims[i]
	}
	return nil
}

func (t *tally) index(a *account) int {
	for i := range t.claims {
		if t.claims[i].account == a {
			return i
		}
	}
	return -1
}

// add changes what a claim will settle and hold. Room that this frees may let others in.
func (b *book) add(c *claim, settle, hold int64) {
	before := c.counted()
	c.settle += settle
	c.hold += hold
	b.recount(c, before)
}

func (b *book) recount(c *claim, before int64) {
	after := c.counted()
	c.account.claimed += after - before
	if after < before {
		b.touch(c.account)
	}
}

// take turns the terms of a choice that fits into claims.
func (b *book) take(t *tally, terms []term) {
	if t.claims == nil {
		t.claims, t.due = t.claimsBuffer[:0], t.dueBuffer[:0]
	}
	t.left = false
	for i := range terms {
		m := &terms[i]
		at := t.index(m.account)
		if at < 0 {
			at = len(t.claims)
			t.claims = append(t.claims, claim{account: m.account, stood: m.account.counted()})
			b.pin(m.account)
		}
		b.add(&t.claims[at], 0, m.amount)
		if !gated(m.account.name.Unit) {
			t.due = append(t.due, due{claim: at, amount: m.amount, line: m.line})
		}
	}
}

// gated reports whether a unit is taken once for a call, in the gate, and not for each attempt.
func gated(u signalbox.Unit) bool {
	return u == signalbox.UnitRequests || u == signalbox.UnitConcurrent
}

// spend settles the attempt that was held last with what it came to, and reports whether that was more than was held in
// any account. A hard account of money is closed by that unless its budget keeps it open.
func (b *book) spend(t *tally, u signalbox.Usage, cost signalbox.Money) (overrun bool) {
	for _, d := range t.due {
		c := &t.claims[d.claim]
		amount := max(budget.AmountOf(c.account.name.Unit, u, cost), 0)
		if amount > d.amount {
			overrun = true
			b.overrun(c, d)
		}
		others := c.account.used() - c.counted()
		b.add(c, min(amount, max(MaxAmount-others-c.settle, 0)), -d.amount)
	}
	t.due, t.left = t.due[:0], false
	b.run()
	return overrun
}

func (b *book) overrun(c *claim, d due) {
	if c.account.name.Unit != signalbox.UnitUSD || !d.line.Capped() || d.line.Budget.KeepOpen {
		return
	}
	if !c.closes {
		c.account.closing++
	}
	c.closes, c.account.closed = true, true
	b.touch(c.account)
}

// drop takes the attempt that was held last back: it has not left and never will.
func (b *book) drop(t *tally) {
	b.undo(t)
	b.run()
}

func (b *book) undo(t *tally) {
	for _, d := range t.due {
		b.add(&t.claims[d.claim], 0, -d.amount)
	}
	t.due = t.due[:0]
}

// conclude ends an attempt that nobody spent: one that has left counts in full, another one not at all.
func (b *book) conclude(t *tally) {
	if !t.left {
		b.undo(t)
		return
	}
	for _, d := range t.due {
		b.add(&t.claims[d.claim], d.amount, -d.amount)
	}
	t.due, t.left = t.due[:0], false
}

// entries gives what the next record of the call books. Its first one settles the request: it is made, whatever comes of
// it. With ended nothing stays held.
func (b *book) entries(t *tally, ended bool) []signalbox.LedgerEntry {
	if ended && !t.ended {
		t.ended = true
		b.conclude(t)
	}
	b.settleRequests(t)
	if !t.posted {
		t.posted = true
		b.post(t)
	}
	var list []signalbox.LedgerEntry // Nil where nothing changes, so that the record has no member for it.
	for i := range t.claims {
		if e, changes := t.claims[i].entry(); changes {
			if list == nil {
				list = make([]signalbox.LedgerEntry, 0, len(t.claims))
			}
			list = append(list, e)
		}
	}
	b.run()
	return list
}

func (b *book) settleRequests(t *tally) {
	for i := range t.claims {
		if c := &t.claims[i]; c.account.name.Unit == signalbox.UnitRequests {
			b.add(c, c.hold, -c.hold)
		}
	}
}

func (b *book) post(t *tally) {
	for i := range t.claims {
		c := &t.claims[i]
		if c.live() {
			continue
		}
		c.posted = posted{sent: true, settle: c.settle, hold: c.hold}
		c.account.draw.posting++
	}
}

func (c *claim) entry() (signalbox.LedgerEntry, bool) {
	e := signalbox.LedgerEntry{
		Account: c.account.key, Held: c.posted.hold - c.booked, Settled: c.posted.settle, Closed: c.closes,
	}
	return e, !c.live() && (e.Held != 0 || e.Settled != 0 || e.Closed)
}

// booked says that the record with the last entries is durable.
func (b *book) booked(t *tally) {
	if !t.posted {
		return
	}
	t.posted = false
	for i := range t.claims {
		if c := &t.claims[i]; c.posted.sent {
			b.bookClaim(c)
		}
	}
	t.left = len(t.due) > 0
	b.end(t)
	b.run()
}

// bookClaim moves what was posted into what is settled and held. What counts does not grow by it.
func (b *book) bookClaim(c *claim) {
	before := c.counted()
	c.account.settled = min(c.account.settled+c.posted.settle, MaxAmount)
	c.account.durable += c.posted.hold - c.booked
	c.settle -= c.posted.settle
	if c.closes {
		c.account.closing--
	}
	c.booked, c.closes, c.posted.sent = c.posted.hold, false, false
	c.account.claimed += c.counted() - before
	b.landed(c.account)
	b.touch(c.account)
}

// lost says that the record with the last entries was not written and never will be. The attempt it spoke of does not
// leave; what earlier attempts came to is booked with the next record. Of a call that has ended only what durable
// records hold stays, until somebody knows more.
func (b *book) lost(t *tally) {
	if !t.posted {
		return
	}
	t.posted = false
	if !t.left {
		b.undo(t)
	}
	for i := range t.claims {
		c := &t.claims[i]
		if !c.posted.sent {
			continue
		}
		c.posted.sent = false
		b.landed(c.account)
		if t.ended {
			b.add(c, -c.settle, c.booked-c.hold)
		}
	}
	b.end(t)
	b.run()
}

// end lets go of the accounts of a call whose last record has ended. What it still holds in durable records has no call
// any more.
func (b *book) end(t *tally) {
	if !t.ended {
		return
	}
	b.leave(t)
	for i := range t.claims {
		c := &t.claims[i]
		if c.account == nil || c.live() {
			continue
		}
		c.account.orphans += c.booked
		c.account.claimed -= c.counted()
		c.account.durable -= c.booked
		c.booked, c.settle, c.hold = 0, 0, 0
		b.unpin(c.account)
	}
}

// leave gives the call's places under limits of concurrency back.
func (b *book) leave(t *tally) {
	if t.gone {
		return
	}
	t.gone = true
	for i := range t.claims {
		if c := &t.claims[i]; c.live() {
			b.add(c, 0, -c.hold)
			b.unpin(c.account)
		}
	}
}
