package ledger

import (
	"errors"
	"testing"

	"github.com/signalbox/signalbox"
)

func correction(amount int64) []signalbox.LedgerEntry {
	return []signalbox.LedgerEntry{{Account: tenantDay(), Settled: amount}}
}

// What a correction gives back can be held at once, and what it adds counts at once.
func TestCorrectCounts(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(100*dollar)), nil)
	c := begin(t, v, l, track("a"))
	c.leave(90 * dollar)
	c.end(90 * dollar)
	post := func(amount int64) func() error {
		return func() error { v.post("local", correction(amount)); return nil }
	}
	if err := l.Correct(correction(-70*dollar), post(-70*dollar)); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Balance(tenantDay()); got.Settled != 20*dollar {
		t.Errorf("settled is %d after the correction", got.Settled)
	}
	again := begin(t, v, l, track("a"))
	again.leave(80 * dollar)
	again.end(0)
	if err := l.Correct(correction(30*dollar), post(30*dollar)); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Balance(tenantDay()); got.Settled != 50*dollar {
		t.Errorf("settled is %d after the second correction", got.Settled)
	}
	wantTotal(t, v, tenantDay(), 50*dollar, 0)
}

// A correction that was not written is none; one of an account that is not known here is read when it comes up.
func TestCorrectThatFails(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(100*dollar)), nil)
	failed := errors.New("the log can not be written")
	if err := l.Correct(correction(5*dollar), func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	c := begin(t, v, l, track("a"))
	c.leave(30 * dollar)
	if err := l.Correct(correction(5*dollar), func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	c.end(30 * dollar)
	if got, _ := l.Balance(tenantDay()); got.Settled != 30*dollar {
		t.Errorf("settled is %d", got.Settled)
	}
}

// A share that was read before the correction was written, and arrives after it, is not taken for exact.
func TestCorrectWhileTheShareIsRead(t *testing.T) {
	b := newBook(true, 1)
	a := b.account(tenantDay(), signalbox.Account{})
	b.schedule(a)
	accounts, draws := b.draws()
	list := b.correcting(correction(7))
	b.corrected(list, correction(7), true)
	b.arrived(b.now, accounts, []signalbox.Share{{Account: draws[0].Account}})
	accounts, draws = b.draws()
	if len(draws) != 1 {
		t.Fatal("the share is not read again")
	}
	b.arrived(b.now, accounts, []signalbox.Share{{Account: draws[0].Account, Settled: 7, AllSettled: 7}})
	if a.settled != 7 {
		t.Errorf("settled is %d", a.settled)
	}
	if _, draws = b.draws(); len(draws) != 0 {
		t.Error("the share is read for ever")
	}
}
