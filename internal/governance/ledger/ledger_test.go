package ledger

import (
	"testing"

	"github.com/signalbox/signalbox"
)

func TestCallHoldsAndSettles(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(100*dollar)), nil)
	c := begin(t, v, l, track("a"))
	c.leave(30 * dollar)
	wantTotal(t, v, tenantDay(), 0, 30*dollar)
	if got := *c.attempt.Held; got != 30*signalbox.Dollar {
		t.Errorf("attempt says that %s are held", got)
	}
	c.end(20 * dollar)
	wantTotal(t, v, tenantDay(), 20*dollar, 0)
	got, known := l.Balance(tenantDay())
	if !known || got.Settled != 20*dollar || got.Held != 0 || got.Cap != 100*dollar {
		t.Errorf("balance is %+v", got)
	}
}
