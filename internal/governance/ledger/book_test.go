package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// drawAll performs the draws of a book until there are none.
func drawAll(t *testing.T, b *book, v *vault) {
	t.Helper()
	for range 100 {
		accounts, draws := b.draws()
		if len(draws) == 0 {
			return
		}
		shares, err := v.Draw(context.Background(), "one", draws)
		if err != nil {
			t.Fatal(err)
		}
		b.arrived(b.now, accounts, shares)
	}
	t.Fatal("draws without end")
}

func usdLine(key string, limit, amount int64) budget.Line {
	return budget.Line{
		Key: key, Account: signalbox.Account{Name: key, Unit: signalbox.UnitUSD}, Amount: amount,
		Budget: signalbox.Budget{Unit: signalbox.UnitUSD, Max: limit},
	}
}

// holdNow asks a book and draws until it has decided.
func holdNow(t *testing.T, b *book, v *vault, p patience, lines ...budget.Line) *tally {
	t.Helper()
	c := &tally{}
	b.request(at, c, flow{}, p, [][]budget.Line{lines})
	drawAll(t, b, v)
	return c
}

func TestLinesOfOneAccountAddUp(t *testing.T) {
	b, v := newBook(true, 1), newVault()
	c := holdNow(t, b, v, probing, usdLine("a", 10, 6), usdLine("a", 20, 5))
	if c.ask.verdict.held || c.ask.verdict.reason != never {
		t.Errorf("two lines of 11 together under a cap of 10: %+v", c.ask.verdict.reason)
	}
	c = holdNow(t, b, v, probing, usdLine("a", 10, 6), usdLine("a", 20, 4))
	if !c.ask.verdict.held || len(c.claims) != 1 || c.claims[0].hold != 10 {
		t.Errorf("claims are %+v", c.claims)
	}
}

func TestRoomForShrinking(t *testing.T) {
	b, v := newBook(true, 10), newVault()
	line := usdLine("a", 100, 60)
	if got := b.roomFor(&tally{}, &line, false); got != 100 {
		t.Errorf("room of an account that nobody knows is %d", got)
	}
	first := holdNow(t, b, v, probing, line)
	b.entries(first, false)
	b.booked(first)
	b.spend(first, signalbox.Usage{}, 10)
	for _, c := range []struct {
		ever bool
		want int64
	}{{false, 90}, {true, 90}} {
		if got := b.roomFor(first, &line, c.ever); got != c.want {
			t.Errorf("room of a replacement is %d, want %d", got, c.want)
		}
	}
	if got := b.roomFor(&tally{}, &line, false); got != 40 {
		t.Errorf("room of another call is %d", got)
	}
	waits := holdNow(t, b, v, patient, line)
	if !waits.ask.waiting {
		t.Fatal("it does not wait")
	}
	if got := b.roomFor(&tally{}, &line, false); got != 0 {
		t.Errorf("room where somebody waits is %d", got)
	}
	b.close(errDown)
	if waits.ask.waiting || waits.ask.verdict.reason != unreachable {
		t.Error("a call waits in a closed book")
	}
}

func TestWithdrawnAsks(t *testing.T) {
	b, v := newBook(false, 10), newVault()
	c := holdNow(t, b, v, patient, usdLine("a", 10, 4))
	b.withdraw(at, c, true)
	if !c.ask.verdict.held {
		t.Error("what was decided was changed")
	}
	b.entries(c, true)
	b.lost(c) // Its room is free.
	// A reserve whose share is being drawn is waited for, although what comes next fits; when the time is over that is taken.
	drawAll(t, b, v)
	other := &tally{}
	b.request(at, other, flow{}, patient, [][]budget.Line{{usdLine("reserve", 10, 1)}, {usdLine("a", 10, 1)}})
	if !other.ask.waiting {
		t.Fatal("it does not wait for the reserve")
	}
	b.draws()
	b.accounts["reserve"].known = true // It has been read, and has too little.
	b.accounts["reserve"].draw = drawing{dry: true, dryAt: at, under: 10}
	b.withdraw(at, other, false)
	if !other.ask.verdict.held || other.ask.verdict.choice != 1 {
		t.Errorf("verdict is %+v", other.ask.verdict)
	}
}

func TestLastOfAFlowGoes(t *testing.T) {
	var f fair
	stays, goes := flow{"acme", "stays"}, flow{"acme", "goes"}
	f.enter(stays)
	n := f.enter(goes)
	f.leave(goes, n, false)
	if f.lanes[goes] != nil {
		t.Error("a flow without calls is kept")
	}
}

func TestSaturatedSlices(t *testing.T) {
	for _, c := range []struct{ n, by, want int64 }{{2, 8, 16}, {MaxAmount, 8, MaxAmount}} {
		if got := saturatedTimes(c.n, c.by); got != c.want {
			t.Errorf("%d × %d is %d", c.n, c.by, got)
		}
	}
	b, v := newBook(false, 1), newVault()
	if c := holdNow(t, b, v, probing, usdLine("a", MaxAmount, MaxAmount/4)); !c.ask.verdict.held {
		t.Error("a large amount is refused")
	}
}

// TestCorrectionsWaitForRecords: a share that is read while a record is on its way says nothing exact; it is read again
// when the record has arrived.
func TestCorrectionsWaitForRecords(t *testing.T) {
	b, v := newBook(true, 1), newVault()
	c := holdNow(t, b, v, probing, usdLine("a", 100, 50))
	post := func(ended bool) {
		v.post("one", b.entries(c, ended))
		b.booked(c)
	}
	post(false)
	b.spend(c, signalbox.Usage{}, 50)
	entries := b.entries(c, true)
	v.post("one", []signalbox.LedgerEntry{{Account: "a", Settled: -20}}) // Somebody reconciles.
	b.reread()
	drawAll(t, b, v)
	if got := b.accounts["a"].settled; got != 0 {
		t.Errorf("%d is settled before the record has arrived", got)
	}
	d := holdNow(t, b, v, probing, usdLine("a", 100, 1)) // Keeps the account in use.
	v.post("one", entries)
	b.booked(c)
	drawAll(t, b, v)
	if got := b.accounts["a"].settled; got != 30 {
		t.Errorf("%d is settled, want 30", got)
	}
	// A record that begins and arrives while the share is being read.
	b.reread()
	accounts, draws := b.draws()
	shares, err := v.Draw(t.Context(), "one", draws)
	if err != nil {
		t.Fatal(err)
	}
	v.post("one", b.entries(d, false))
	b.booked(d)
	b.arrived(at, accounts, shares)
	drawAll(t, b, v)
	if a := b.accounts["a"]; a.orphans != 0 || a.durable != 1 || a.draw.read {
		t.Errorf("orphans %d, durable %d", a.orphans, a.durable)
	}
	b.lost(d) // Nothing is on its way.
}

func TestBadSharesAreNotTaken(t *testing.T) {
	l := open(t, mute{}, acme(usdPerDay(dollar)), nil)
	err := begin(t, nil, l, track("a")).hold(1)
	wantCode(t, err, signalbox.CodeUnavailable, "0 shares came for 1 draws")
}

// mute is a vault that gives nothing.
type mute struct{}

func (mute) Draw(context.Context, string, []signalbox.Draw) ([]signalbox.Share, error) {
	return nil, nil
}

func TestUnavailableVaultSpeaksForItself(t *testing.T) {
	cause := signalbox.Errorf(signalbox.CodeUnavailable, "this replica is fenced")
	if got := errUnreachable(cause); !errors.Is(got, cause) {
		t.Errorf("got %v", got)
	}
}

func TestClosedLedgers(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(10*dollar)), func(o *Options) { o.Wait = time.Hour })
	first, second := begin(t, v, l, track("a")), begin(t, v, l, track("b"))
	first.leave(10 * dollar)
	done := make(chan error)
	go func() { done <- second.hold(dollar) }()
	waitFor(t, l, 1)
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantCode(t, <-done, signalbox.CodeUnavailable)
	wantCode(t, second.hold(dollar), signalbox.CodeUnavailable)
	first.end(dollar) // What is open can be settled.
	wantTotal(t, v, tenantDay(), dollar, 0)
}

func TestRefreshEndsWithItsCaller(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(10*dollar)), nil)
	begin(t, v, l, track("a")).leave(dollar)
	v.mu.Lock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := l.Refresh(ctx)
	v.mu.Unlock()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestCallsWithoutBudgets: nothing is capped, and what overran is said all the same.
func TestCallsWithoutBudgets(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(), nil)
	c := begin(t, v, l, track("a"))
	c.leave(dollar)
	c.spend(2 * dollar)
	usage := signalbox.Usage{Input: 1}
	c.attempt.Usage = &usage
	c.tab.Spend(&c.attempt) // Late, once more.
	if !c.attempt.Overrun {
		t.Error("it does not say that it overran")
	}
	soft := signalbox.Budget{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: 10 * dollar, Soft: true}
	l = open(t, v, acme(soft, signalbox.Budget{Unit: signalbox.UnitConcurrent, Max: 9}, signalbox.Budget{Unit: signalbox.UnitTokens, Per: signalbox.WindowDay, Max: 10}), nil)
	c = begin(t, v, l, track("a"))
	c.leave(11 * dollar)
	if b, ok := c.tab.Tightest(); !ok || !b.Soft || b.Left() != -dollar {
		t.Errorf("tightest is %+v", b)
	}
}

// TestChoicesShareAccounts: a call whose two choices both pay from an account stands once in its queue; one of a flow that
// has not been served goes before the second one of a busy flow.
func TestChoicesShareAccounts(t *testing.T) {
	b, v := newBook(true, 10), newVault()
	first := holdNow(t, b, v, probing, usdLine("run", 10, 10))
	wait := func(agent string) *tally {
		c := &tally{}
		b.request(at, c, flow{"acme", agent}, patient, [][]budget.Line{
			{usdLine("reserve", 10, 1), usdLine("run", 10, 1)}, {usdLine("planned", 10, 1), usdLine("run", 10, 1)},
		})
		drawAll(t, b, v)
		return c
	}
	busy := []*tally{wait("busy"), wait("busy")}
	quiet := wait("quiet")
	if q := b.accounts["run"].queue; len(q) != 3 || q[1].tally != quiet || q[2].tally != busy[1] {
		t.Errorf("%d places in the queue", len(q))
	}
	b.undo(first)
	b.run()
	for _, c := range append(busy, quiet) {
		if !c.ask.verdict.held || c.ask.verdict.choice != 0 {
			t.Errorf("verdict is %+v", c.ask.verdict)
		}
	}
}

// TestAskThatComesFirstIsLookedAt: a call of another flow may go before one that is short, and fit.
func TestAskThatComesFirstIsLookedAt(t *testing.T) {
	b, v := newBook(true, 10), newVault()
	holdNow(t, b, v, probing, usdLine("a", 10, 5))
	wait := func(agent string, key string, amount int64) *tally {
		c := &tally{}
		b.request(at, c, flow{"acme", agent}, patient, [][]budget.Line{{usdLine(key, 10, amount)}})
		drawAll(t, b, v)
		return c
	}
	holdNow(t, b, v, probing, usdLine("b", 10, 10))
	wait("busy", "b", 5)
	large := wait("busy", "a", 6)
	small := wait("quiet", "a", 2)
	if !large.ask.waiting || !small.ask.verdict.held {
		t.Errorf("large waits: %t, small is held: %t", large.ask.waiting, small.ask.verdict.held)
	}
}
