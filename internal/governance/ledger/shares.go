package ledger

import (
	"time"

	"github.com/signalbox/signalbox"
)

const (
	// MaxBatch bounds the draws of one transaction.
	MaxBatch = 256
	// retryEvery is how long a draw that gave nothing is not repeated, and how often those who wait are looked at again.
	retryEvery = 100 * time.Millisecond
	// minBurst and maxBurst bound a slice in multiples of what is needed. It doubles while slices are used up.
	minBurst, maxBurst = 8, 1024
	// sliceOf is the part of what is left that a slice does not exceed unless a single call needs more.
	sliceOf = 8
)

// drawing is how the share of an account is being changed. One draw of an account is under way at a time.
type drawing struct {
	wanted  bool  // It is on the book's list.
	flying  bool  // It is being performed.
	read    bool  // The share is to be read again as soon as no record of the account is on its way.
	rereads bool  // The draw that is performed began after that was asked for.
	give    int64 // What is given back; the share is smaller already.
	leaving bool  // The account is forgotten once it has been given back.
	asked   bool  // Another replica needs room.
	first   bool  // The draw that is performed only reads the share, or gives back: it says nothing of
	least   int64 // what a further one may give. Else this is what it must give at least.
	before  int64 // What was granted before it.
	under   int64 // The cap under which the last draw asked for more.
	dry     bool  // The last draw did not give what was needed.
	dryAt   time.Time
	burst   int64

	posting int    // Records of the account that are on their way.
	moves   uint64 // Counts those that have arrived.
	quietAt uint64 // moves+1 where none was on its way when the draw began, else 0.
}

func (d *drawing) busy() bool { return d.wanted || d.flying }

// want asks for a larger share, and reports whether that is under way.
func (b *book) want(p *place) bool {
	a := p.account
	switch {
	case a.draw.busy():
		return true
	case b.closed, a.known && !b.promising(a, p):
		return false
	}
	b.schedule(a)
	return true
}

// promising reports whether another draw may give more than the last one.
func (b *book) promising(a *account, p *place) bool {
	if b.whole {
		return false // It has all there is.
	}
	waited := b.now.Sub(a.draw.dryAt)
	return !a.draw.dry || p.hard && p.limit > a.draw.under || waited < 0 || waited >= retryEvery
}

func (b *book) schedule(a *account) {
	if !a.draw.busy() {
		a.draw.wanted = true
		b.todo = append(b.todo, a)
	}
}

// draws gives the draws to be performed next, and whose they are.
func (b *book) draws() ([]*account, []signalbox.Draw) {
	n := min(len(b.todo), MaxBatch)
	if n == 0 {
		return nil, nil
	}
	accounts := append([]*account(nil), b.todo[:n]...)
	b.todo = append(b.todo[:0], b.todo[n:]...)
	draws := make([]signalbox.Draw, n)
	for i, a := range accounts {
		draws[i] = b.launch(a)
	}
	return accounts, draws
}

func (b *book) launch(a *account) signalbox.Draw {
	d := &a.draw
	d.wanted, d.flying, d.first, d.least, d.before, d.quietAt = false, true, !a.known || d.give > 0, 0, a.granted, 0
	d.rereads = d.read
	if d.posting == 0 {
		d.quietAt = d.moves + 1
	}
	if d.give > 0 {
		draw := signalbox.Draw{Account: a.key, Cap: b.capOf(a), Most: -d.give}
		d.give = 0
		return draw
	}
	return b.size(a)
}

// capOf is the cap as it was last seen.
func (b *book) capOf(a *account) int64 {
	if a.budget.Soft || a.budget.Unit == "" {
		return signalbox.NoCap
	}
	return max(a.budget.Max, signalbox.NoCap)
}

// size says how much to draw: at least what the first in the queue is missing, and what all in it are missing or a slice,
// whichever is more. With one replica the share is only read: it has all there is. A slice is never more than a part of what is left, so
// that near the cap nobody draws more than is needed.
func (b *book) size(a *account) signalbox.Draw {
	draw := signalbox.Draw{Account: a.key, Cap: b.capOf(a)}
	limit, first, total := a.needs()
	if b.whole || limit <= 0 {
		a.draw.first = true
		return draw
	}
	draw.Cap, a.draw.first = limit, false
	a.draw.under = limit
	free := a.granted - a.used()
	draw.Least = max(first-free, 0)
	a.draw.least = draw.Least
	draw.Most = min(max(total-free, b.slice(a, limit, draw.Least), 0), limit)
	return draw
}

// needs gives the largest cap that a waiting call has, what the first one needs and what all of them need.
func (a *account) needs() (limit, first, total int64) {
	for _, k := range a.queue {
		for _, p := range k.at {
			if p.account != a || !p.hard {
				continue
			}
			if total == 0 {
				first = p.need
			}
			limit, total = max(limit, p.limit), saturate(total, p.need)
		}
	}
	return limit, first, total
}

func (b *book) slice(a *account, limit, least int64) int64 {
	rest := limit - max(a.others.granted, a.others.settled+a.others.held) - max(a.granted, a.used())
	if least == 0 || rest <= 0 {
		return least
	}
	a.draw.burst = max(a.draw.burst, minBurst)
	return max(least, min(rest/sliceOf, saturatedTimes(least, a.draw.burst)))
}

func saturatedTimes(n, by int64) int64 {
	if n > MaxAmount/by {
		return MaxAmount
	}
	return n * by
}

// arrived takes the shares over that were drawn.
func (b *book) arrived(now time.Time, accounts []*account, shares []signalbox.Share) {
	b.now = now
	for i, a := range accounts {
		b.arrive(a, shares[i]) //nolint:gosec // The vault gives one for each draw; the adapter has checked that.
	}
	b.run()
	for _, a := range accounts {
		b.review(a)
	}
	b.run()
	for _, a := range accounts {
		b.after(a)
	}
}

func (b *book) arrive(a *account, s signalbox.Share) {
	d := &a.draw
	d.flying = false
	quiet := !a.known || d.quietAt == d.moves+1 && d.posting == 0
	a.learn(s)
	if b.whole {
		a.granted = MaxAmount
	}
	if quiet {
		a.adopt(s)
		d.read = d.read && !d.rereads
	}
	if !d.first {
		b.measure(a)
	}
	b.touch(a)
}

// measure notes whether a draw gave what was needed. One that did not is not repeated for a while; one that did makes
// the next slice larger.
func (b *book) measure(a *account) {
	d := &a.draw
	d.dry, d.dryAt = a.granted-d.before < max(d.least, 1), b.now
	if !d.dry {
		d.burst = min(2*max(d.burst, minBurst), maxBurst)
	}
}

// after does what waited for the draw to end.
func (b *book) after(a *account) {
	d := &a.draw
	if d.asked && !d.busy() {
		d.asked = false
		b.share(a)
	}
	if d.read && d.posting == 0 {
		b.schedule(a)
	}
	if d.leaving && a.refs == 0 && !d.busy() {
		b.forget(a)
	}
	d.leaving = false
	b.rest(a)
}

// failed ends draws that could not be performed. Nobody waits for them any more: without a share nothing is held.
func (b *book) failed(now time.Time, accounts []*account, cause error) {
	b.now = now
	for _, a := range accounts {
		a.draw.flying, a.draw.read, a.draw.under = false, false, 0
	}
	for _, a := range accounts {
		for len(a.queue) > 0 {
			b.unreachable(a.queue[0], cause)
		}
		b.after(a)
	}
	b.run()
}

func (b *book) unreachable(k *ask, cause error) {
	k.verdict = verdict{reason: unreachable, cause: cause}
	b.decide(k)
}

// landed notes that a record of an account is no longer on its way.
func (b *book) landed(a *account) {
	a.draw.posting--
	a.draw.moves++
	if a.draw.read && a.draw.posting == 0 {
		b.schedule(a)
	}
}

// share gives back what others may need more: all that is free, unless it is about to be used. Where a call waits here
// that a draw could not help, it goes back too: otherwise two replicas could wait for each other, each with too little.
func (b *book) share(a *account) {
	switch {
	case b.whole || !a.known || len(a.queue) > 0 && !a.draw.dry:
	case a.draw.busy():
		a.draw.asked = true
	default:
		b.giveBack(a, a.granted-a.used())
	}
}

// giveBack takes an amount out of the share at once, and schedules that others hear of it.
func (b *book) giveBack(a *account, amount int64) {
	if amount <= 0 || a.draw.busy() {
		return
	}
	a.granted -= amount
	a.draw.give, a.draw.burst = amount, minBurst
	b.schedule(a)
}

// wantedElsewhere is told that other replicas need room of these accounts.
func (b *book) wantedElsewhere(now time.Time, keys []string) {
	b.now = now
	for _, key := range keys {
		if a := b.accounts[key]; a != nil {
			b.share(a)
		}
	}
}
