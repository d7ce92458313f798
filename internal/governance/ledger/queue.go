package ledger

import (
	"slices"

	"github.com/signalbox/signalbox"
)

// judge decides about an ask: the first choice that fits is held; where every choice is out of question for good, it is
// refused; else it waits in the queue of every account that it is short of, if its patience and the bound of waiting
// calls allow. A choice that a share under way may help is waited for before the next one is looked at.
func (b *book) judge(k *ask) {
	places, refusal := b.weighChoices(k)
	switch {
	case k.verdict.held:
		b.take(k.tally, k.choices[k.verdict.choice])
		b.decide(k)
	case len(places) == 0:
		b.refuse(k, refusal.reason, refusal.term)
	case k.parked, b.hopeful(k, places):
		b.wait(k, places)
	case k.patience != patient:
		b.refuse(k, short, refusal.term)
	case b.parked >= b.maxWaiting:
		b.refuse(k, full, refusal.term)
	default:
		k.parked = true
		b.parked++
		b.wait(k, places)
	}
}

// obstacle is the first term that does not fit.
type obstacle struct {
	reason reason
	term   *term
}

// weighChoices notes the choice that fits, if one does; else it gives where the ask would wait, and what to say if it
// may not: the first obstacle that could go away, or else the first.
func (b *book) weighChoices(k *ask) ([]place, obstacle) {
	places, refusal := b.places[:0], obstacle{}
	for i, terms := range k.choices {
		from := len(places)
		var found obstacle
		places, found = b.weighTerms(k, terms, places)
		if found.reason == fits {
			k.verdict = verdict{held: true, choice: i}
			return nil, found
		}
		if refusal.reason == fits || refusal.reason.lasting() && !found.reason.lasting() {
			refusal = found
		}
		if len(places) > from && b.drawsAll(places[from:]) {
			break
		}
	}
	b.places = places
	return places, refusal
}

// weighTerms adds the places of a choice that does not fit now; of one that never will it adds none.
func (b *book) weighTerms(k *ask, terms []term, places []place) ([]place, obstacle) {
	from, first := len(places), obstacle{}
	for i := range terms {
		m := &terms[i]
		r := b.weigh(k, m)
		if r.lasting() {
			return places[:from], obstacle{r, m}
		}
		if r == fits {
			continue
		}
		if first.reason == fits {
			first = obstacle{r, m}
		}
		places = addPlace(places, place{account: m.account, need: m.need(k.tally), limit: m.limit, hard: m.hard})
	}
	return places, first
}

// addPlace adds a place once: choices share accounts.
func addPlace(places []place, p place) []place {
	for i := range places {
		if q := &places[i]; q.account == p.account {
			q.need, q.limit, q.hard = max(q.need, p.need), max(q.limit, p.limit), q.hard || p.hard
			return places
		}
	}
	return append(places, p)
}

// drawsAll asks for a draw at every place, and reports whether all of them are under way.
func (b *book) drawsAll(places []place) bool {
	all := true
	for i := range places {
		all = b.want(&places[i]) && all
	}
	return all
}

// hopeful reports whether an ask may wait without counting as one that waits for others: for a draw, or shortly for room
// that others do not use.
func (b *book) hopeful(k *ask, places []place) bool {
	for i := range places {
		a := places[i].account
		if a.draw.busy() || k.patience == brief && b.idleElsewhere(k, a) {
			continue
		}
		return false
	}
	return true
}

func (b *book) idleElsewhere(k *ask, a *account) bool {
	waited := b.now.Sub(k.since)
	return !b.whole && a.others.free() > 0 && waited >= 0 && waited < briefWait
}

// wait puts an ask into the queues of its places, and takes it out of those where it is no longer short.
func (b *book) wait(k *ask, places []place) {
	if !k.waiting {
		k.waiting = true
		k.ticket = b.fair.enter(k.flow)
		b.waiting++
	}
	for _, old := range k.at {
		if !slices.ContainsFunc(places, func(p place) bool { return p.account == old.account }) {
			b.unqueue(old.account, k)
		}
	}
	for _, p := range places {
		if !slices.ContainsFunc(k.at, func(o place) bool { return o.account == p.account }) {
			b.enqueue(p.account, k)
		}
	}
	k.at = append(k.at[:0], places...)
}

// enqueue puts an ask where its ticket belongs. One that comes to stand first is looked at again: it may fit.
func (b *book) enqueue(a *account, k *ask) {
	i, _ := slices.BinarySearchFunc(a.queue, k, func(x, y *ask) int {
		if x.ticket.before(y.ticket) {
			return -1
		}
		return 1
	})
	a.queue = slices.Insert(a.queue, i, k)
	if i == 0 && len(a.queue) > 1 {
		b.touch(a)
	}
	b.list(a)
}

func (b *book) unqueue(a *account, k *ask) {
	if i := slices.Index(a.queue, k); i >= 0 {
		a.queue = slices.Delete(a.queue, i, i+1)
		b.touch(a)
	}
	b.list(a)
}

// behind reports whether somebody else is served before an ask at an account.
func (b *book) behind(k *ask, a *account) bool {
	if len(a.queue) == 0 || a.queue[0] == k {
		return false
	}
	return !k.waiting || a.queue[0].ticket.before(k.ticket)
}

// refuse decides an ask with a no. The figures that the refusal names are those of this moment.
func (b *book) refuse(k *ask, r reason, m *term) {
	k.verdict = verdict{reason: r}
	if m != nil {
		k.verdict.term, k.verdict.by = *m, m.account
		k.verdict.snap = signalbox.Share{AllSettled: m.account.allSettled(), AllHeld: m.account.allHeld()}
	}
	b.decide(k)
}

// decide ends an ask and wakes its call if it waits.
func (b *book) decide(k *ask) {
	if k.waiting {
		k.waiting = false
		b.waiting--
		b.fair.leave(k.flow, k.ticket, k.verdict.held)
		for _, p := range k.at {
			b.unqueue(p.account, k)
		}
		b.woken = append(b.woken, k.tally)
	}
	if k.parked {
		k.parked = false
		b.parked--
	}
	b.release(k)
}

// release lets go of the accounts of an ask.
func (b *book) release(k *ask) {
	for _, terms := range k.choices {
		for i := range terms {
			b.unpin(terms[i].account)
		}
	}
	k.choices, k.at = nil, k.at[:0]
}

// touch notes that an account may have room for those who wait there.
func (b *book) touch(a *account) {
	if !a.dirty && len(a.queue) > 0 {
		a.dirty = true
		b.dirty = append(b.dirty, a)
	}
}

// run serves the queues of all accounts that were touched, in the order in which they were.
func (b *book) run() {
	for len(b.dirty) > 0 {
		a := b.dirty[0]
		b.dirty = append(b.dirty[:0], b.dirty[1:]...)
		a.dirty = false
		b.serve(a)
	}
}

// serve decides about the first in a queue until one has to go on waiting there.
func (b *book) serve(a *account) {
	for len(a.queue) > 0 {
		k := a.queue[0]
		b.judge(k)
		if k.waiting && len(a.queue) > 0 && a.queue[0] == k {
			return
		}
	}
}

// review decides again about all in a queue that wait only for a draw: it has come, or failed.
func (b *book) review(a *account) {
	for _, k := range slices.Clone(a.queue) {
		if k.waiting && !k.parked {
			b.judge(k)
		}
	}
}

// list keeps the list of accounts with a queue.
func (b *book) list(a *account) {
	switch waits := len(a.queue) > 0; {
	case waits && a.listed == 0:
		b.lines = append(b.lines, a)
		a.listed = len(b.lines)
	case !waits && a.listed > 0:
		last := b.lines[len(b.lines)-1]
		b.lines[a.listed-1], last.listed = last, a.listed
		b.lines = b.lines[:len(b.lines)-1]
		a.listed = 0
	}
}
