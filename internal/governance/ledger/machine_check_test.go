package ledger

import (
	"pgregory.net/rapid"
)

// check adds everything up anew.
func (m *machine) check(t *rapid.T) {
	for _, r := range m.replicas {
		m.note(r)
		m.checkReplica(t, r)
	}
	for key := range machineUnits {
		m.checkAccount(t, key)
	}
}

// note takes over what the book has decided since.
func (m *machine) note(r *replica) {
	for _, c := range r.calls {
		k := &c.tally.ask
		if k.waiting || !k.verdict.held {
			continue
		}
		k.verdict.held = false // Noted.
		for _, cl := range c.tally.claims {
			if gated(cl.account.name.Unit) && c.durable[cl.account.key] == 0 && c.held[cl.account.key] == 0 {
				c.held[cl.account.key] = cl.hold
			}
		}
		for _, d := range c.tally.due {
			c.held[c.tally.claims[d.claim].account.key] += d.amount
		}
	}
}

// checkReplica compares a book with the sums over its calls.
func (m *machine) checkReplica(t *rapid.T, r *replica) {
	claimed, waiting := map[string]int64{}, 0
	for _, c := range r.calls {
		for key := range machineUnits {
			claimed[key] += max(c.durable[key], c.settled[key]+c.held[key])
		}
		if c.tally.ask.waiting {
			waiting++
		}
	}
	if r.book.waiting != waiting || r.book.parked > r.book.maxWaiting {
		t.Fatalf("%d calls wait, the book says %d (%d for others)", waiting, r.book.waiting, r.book.parked)
	}
	for key, a := range r.book.accounts {
		if a.claimed != claimed[key] {
			t.Fatalf("%s of %s: claimed is %d, the calls claim %d", key, r.name, a.claimed, claimed[key])
		}
		if a.known && hardKey(key) && m.excess[key] == 0 && a.used() > a.granted && m.most[key] == clamp(m.caps[key]) && a.used() > 0 && !m.whole {
			t.Fatalf("%s of %s: %d used of %d granted", key, r.name, a.used(), a.granted)
		}
		m.checkQueue(t, r, a)
	}
	for key, n := range claimed {
		if n != 0 && r.book.accounts[key] == nil {
			t.Fatalf("%s of %s is forgotten, and calls claim %d of it", key, r.name, n)
		}
	}
}

func hardKey(key string) bool { return key != "watch" }

// checkQueue: nobody waits who could be served, and the order is that of the tickets.
func (m *machine) checkQueue(t *rapid.T, r *replica, a *account) {
	for i, k := range a.queue {
		if i > 0 && !a.queue[i-1].ticket.before(k.ticket) {
			t.Fatalf("the queue of %s is out of order", a.key)
		}
		if !k.waiting {
			t.Fatalf("a call that was decided is in the queue of %s", a.key)
		}
		busy := false
		for _, p := range k.at {
			busy = busy || p.account.draw.busy()
		}
		if k.patience == probing && !busy {
			t.Fatalf("a call waits at %s for a draw that nobody performs", a.key)
		}
		if i > 0 {
			continue
		}
		for n, terms := range k.choices {
			free := n == 0 || !busy
			for j := range terms {
				free = free && r.book.weigh(k, &terms[j]) == fits
			}
			if free {
				t.Fatalf("a call waits at %s although it fits", a.key)
			}
		}
	}
}

// checkAccount: over all replicas, the true state of memory and vault keeps the cap.
func (m *machine) checkAccount(t *rapid.T, key string) {
	if !hardKey(key) {
		return
	}
	total, shares := m.gone[key], int64(0)
	for _, r := range m.replicas {
		for _, c := range r.calls {
			total += max(c.durable[key], c.settled[key]+c.held[key])
		}
	}
	for _, s := range m.vault.shares[key] {
		shares += max(s.Granted, s.Settled+s.Held)
	}
	limit := max(m.most[key], 0)
	if total > limit+m.excess[key] {
		t.Fatalf("%s: %d is settled and held, the cap is %d and %d was billed above holds", key, total, limit, m.excess[key])
	}
	if shares > limit+m.excess[key] {
		for name, s := range m.vault.shares[key] {
			t.Logf("%s: %+v", name, *s)
		}
		t.Fatalf("%s: the shares add up to %d, the cap is %d, and %d was billed above holds", key, shares, limit, m.excess[key])
	}
	if got := m.vault.total(key); got.AllSettled != m.gone[key] {
		t.Fatalf("%s: %d is settled in the vault, %d by the calls", key, got.AllSettled, m.gone[key])
	}
}
