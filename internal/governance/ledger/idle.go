package ledger

import "time"

const (
	// IdleAfter is how long an account that no call uses keeps its share.
	IdleAfter = time.Minute
	// MaxIdle bounds the accounts that are kept although no call uses them, about 0.5 kB each; the one that was used longest
	// ago goes first.
	MaxIdle = 16_384
	// sweepSome bounds how many idle accounts one event lets go, so that none takes long.
	sweepSome = 4
)

// idleList holds the accounts that no call uses, the one that was used longest ago first.
type idleList struct {
	first, last *account
	count       int
}

func (l *idleList) add(a *account) {
	a.prev, a.next = l.last, nil
	if l.last == nil {
		l.first = a
	} else {
		l.last.next = a
	}
	l.last = a
	l.count++
}

func (l *idleList) remove(a *account) {
	if a.prev == nil {
		l.first = a.next
	} else {
		a.prev.next = a.next
	}
	if a.next == nil {
		l.last = a.prev
	} else {
		a.next.prev = a.prev
	}
	a.prev, a.next = nil, nil
	l.count--
}

func (l *idleList) has(a *account) bool { return a.prev != nil || l.first == a }

// pin keeps an account while a call uses it.
func (b *book) pin(a *account) {
	a.refs++
	if b.idle.has(a) {
		b.idle.remove(a)
	}
}

func (b *book) unpin(a *account) {
	a.refs--
	b.rest(a)
}

// rest puts an account that nobody uses among the idle ones.
func (b *book) rest(a *account) {
	if a.refs > 0 || a.draw.busy() || b.idle.has(a) || b.accounts[a.key] != a {
		return
	}
	a.idleSince = b.now
	b.idle.add(a)
	b.sweep(sweepSome)
}

// sweep lets some idle accounts go.
func (b *book) sweep(most int) {
	for ; most > 0 && b.idle.first != nil && b.stale(b.idle.first); most-- {
		b.letGo(b.idle.first)
	}
}

func (b *book) stale(a *account) bool {
	return b.idle.count > MaxIdle || b.now.Sub(a.idleSince) >= IdleAfter || b.over(a)
}

// over reports whether the account's window has ended, so that nobody will use it again.
func (b *book) over(a *account) bool { return !a.resetAt.IsZero() && !b.now.Before(a.resetAt) }

// letGo forgets an idle account. What its share has free is given back before, unless nobody could use it.
func (b *book) letGo(a *account) {
	b.idle.remove(a)
	free := a.granted - a.used()
	if b.whole || !a.known || free <= 0 || b.over(a) {
		b.forget(a)
		return
	}
	a.draw.leaving = true
	b.giveBack(a, free)
}

func (b *book) forget(a *account) {
	if b.accounts[a.key] == a {
		delete(b.accounts, a.key)
	}
	if b.idle.has(a) {
		b.idle.remove(a)
	}
}
