package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
)

// book decides who may hold what. It is a deterministic state machine: events come in as method calls, with the time
// where it matters; effects are what [book.draws] gives, the tallies in woken, and what was decided. It reads no clock,
// does no I/O and is not safe for concurrent use.
type book struct {
	whole      bool // There is one replica: it has all there is, and draws and gives back nothing.
	maxWaiting int

	now      time.Time
	epoch    uint64
	accounts map[string]*account
	idle     idleList
	fair     fair
	lines    []*account // With calls that wait.
	dirty    []*account // Whose queues must be looked at.
	todo     []*account // Whose shares are to be drawn.
	woken    []*tally   // Whose asks were decided while they waited.
	waiting  int
	parked   int
	closed   bool

	places []place // Reused.
}

func newBook(whole bool, maxWaiting int) *book {
	return &book{whole: whole, maxWaiting: maxWaiting, accounts: map[string]*account{}}
}

// account gives the account of a key; one that is not known yet is made.
func (b *book) account(key string, name signalbox.Account) *account {
	a := b.accounts[key]
	if a == nil {
		a = &account{key: key, name: name, epoch: b.epoch}
		b.accounts[key] = a
	}
	return a
}

// withdraw ends an ask that has waited long enough, or whose caller has left. One that has been decided meanwhile is
// not changed.
func (b *book) withdraw(now time.Time, t *tally, left bool) {
	b.now = now
	k := &t.ask
	if !k.waiting {
		return
	}
	if left {
		b.refuse(k, withdrawn, nil)
	} else {
		b.expire(k)
	}
	b.run()
}

func (b *book) expire(k *ask) {
	_, found := b.weighChoices(k)
	switch {
	case k.verdict.held:
		b.take(k.tally, k.choices[k.verdict.choice])
		b.decide(k)
	case found.reason == unread:
		b.refuse(k, unreachable, found.term)
	default:
		b.refuse(k, found.reason, found.term)
	}
}

// tick is told the time while calls wait and now and then otherwise: those who wait are looked at again, since other
// replicas may have given room back, and idle accounts go.
func (b *book) tick(now time.Time) {
	b.now = now
	for _, a := range append([]*account(nil), b.lines...) {
		b.touch(a)
		b.run()
		b.review(a)
	}
	b.run()
	b.sweep(MaxBatch)
}

// replan is told that caps may have changed. Shares that are too large now are made smaller when they are next used.
func (b *book) replan() { b.epoch++ }

// reread asks for the shares to be read again: what they have settled may have been corrected, or a closed account been
// opened. Accounts that nobody uses are forgotten instead.
func (b *book) reread() {
	for b.idle.first != nil {
		b.forget(b.idle.first)
	}
	for _, a := range b.sorted() {
		a.draw.read = true
		b.schedule(a)
	}
}

// sorted gives all accounts in the order of their keys.
func (b *book) sorted() []*account {
	list := make([]*account, 0, len(b.accounts))
	for _, key := range slices.Sorted(maps.Keys(b.accounts)) {
		list = append(list, b.accounts[key])
	}
	return list
}

// close refuses everything from here on, and gives all free room back.
func (b *book) close(cause error) {
	b.closed = true
	for len(b.lines) > 0 {
		b.unreachable(b.lines[0].queue[0], cause)
	}
	b.run()
	for _, a := range b.sorted() {
		b.share(a)
	}
}
