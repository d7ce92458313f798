package ledger

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// model costs 1 USD per million input tokens and 10 USD per million output tokens.
func model() signalbox.Candidate {
	return signalbox.Candidate{
		Name: "m", Provider: "p", Format: signalbox.ProtocolOpenAIChat, ContextWindow: 1_000_000, MaxOutput: 100_000,
		Price: &signalbox.Price{Rates: signalbox.Rates{Input: signalbox.Dollar, Output: 10 * signalbox.Dollar}},
	}
}

func chat(body int, maxOutput int64) *call.Track {
	tr := track("a")
	tr.Call.Kind, tr.Call.Tool = signalbox.KindModel, nil
	tr.Call.Body = []byte(strings.Repeat("x", body))
	tr.Call.Model = &signalbox.ModelRequest{Choices: 1, MaxOutput: maxOutput, Messages: 1}
	return tr
}

// counts is a tokenizer that finds so many tokens in everything.
type counts int64

func (n counts) CountInput(context.Context, *signalbox.Call, signalbox.Candidate) (int64, bool) {
	return int64(n), n >= 0
}

func TestBoundsAreMadeToFit(t *testing.T) {
	usd := func(limit int64, on signalbox.OnCap, floor int64) signalbox.Budget {
		return signalbox.Budget{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: limit, OnCap: on, MinOutput: floor}
	}
	const cent = dollar / 100
	cases := []struct {
		name       string
		budget     signalbox.Budget
		body       int
		maxOutput  int64
		counter    Counter
		held       int64 // By another call.
		want       signalbox.Code
		wantOutput [2]int64 // At least and at most.
	}{
		// The false blocks of the field: nothing is spent, and the call fits.
		{"25 dollars refuse nothing at 0 spent", usd(25*dollar, "", 0), 100_000, 100_000, nil, 0, "", [2]int64{100_000, 100_000}},
		{"a huge max_tokens is cut to what the model can give", usd(25*dollar, "", 0), 1000, 1 << 40, nil, 0, "", [2]int64{100_000, 100_000}},
		{"bytes fit", usd(10*cent, "", 0), 50_000, 1000, counts(1), 0, "", [2]int64{1000, 1000}},
		{"bytes do not fit, tokens do", usd(3*cent, "", 0), 50_000, 1000, counts(10_000), 0, "", [2]int64{1000, 1000}},
		{"no tokenizer", usd(3*cent, "", 0), 50_000, 1000, nil, 0, signalbox.CodeBudgetExhausted, [2]int64{}},
		{"a tokenizer that does not know", usd(3*cent, "", 0), 50_000, 1000, counts(-1), 0, signalbox.CodeBudgetExhausted, [2]int64{}},
		{"tokens do not help", usd(3*cent, "", 0), 50_000, 1000, counts(49_000), 0, signalbox.CodeBudgetExhausted, [2]int64{}},
		{"more tokens than bytes are not believed", usd(3*cent, "", 0), 50_000, 1000, counts(90_000), 0, signalbox.CodeBudgetExhausted, [2]int64{}},
		{"shrinks to what is free", usd(10*cent, signalbox.OnCapShrink, 256), 1000, 50_000, nil, 5 * cent, "", [2]int64{4000, 5000}},
		{"refuses where it may not shrink", usd(10*cent, "", 0), 1000, 50_000, nil, 5 * cent, signalbox.CodeBudgetExhausted, [2]int64{}},
		{"waits where what is free is below the floor", usd(10*cent, signalbox.OnCapShrink, 9000), 1000, 50_000, nil, 5 * cent, signalbox.CodeRateLimited, [2]int64{}},
		{"the floor never fits", usd(10*cent, signalbox.OnCapShrink, 12_000), 1000, 50_000, nil, 0, signalbox.CodeBudgetExhausted, [2]int64{}},
		{"the floor by default", usd(cent, signalbox.OnCapShrink, 0), 1000, 50_000, nil, 9_000_000, signalbox.CodeRateLimited, [2]int64{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := newVault()
			l := open(t, v, acme(c.budget), func(o *Options) { o.Counter, o.Wait = c.counter, shortWait })
			if c.held > 0 {
				begin(t, v, l, track("b")).leave(c.held)
			}
			k := begin(t, v, l, chat(c.body, c.maxOutput))
			k.attempt.N = 1
			err := k.tab.Hold(t.Context(), k.track, model(), &k.attempt)
			wantCode(t, err, c.want)
			if got := k.attempt.MaxOutput; got < c.wantOutput[0] || got > c.wantOutput[1] {
				t.Errorf("max_tokens is %d, want %v", got, c.wantOutput)
			}
			if err == nil && (k.attempt.HeldUsage.Output != k.attempt.MaxOutput || int64(*k.attempt.Held) > c.budget.Max-c.held) {
				t.Errorf("held %s for %+v", k.attempt.Held, *k.attempt.HeldUsage)
			}
		})
	}
}

// TestFloorIsServedWhenItFits: a call whose full bound would never fit waits for its floor.
func TestFloorIsServedWhenItFits(t *testing.T) {
	v := newVault()
	b := usdPerDay(dollar / 10)
	b.OnCap = signalbox.OnCapShrink
	l := open(t, v, acme(b), func(o *Options) { o.Wait = time.Hour })
	other := begin(t, v, l, track("b"))
	other.leave(dollar / 10)
	k := begin(t, v, l, chat(100, 50_000))
	k.attempt.N = 1
	done := make(chan error)
	go func() { done <- k.tab.Hold(t.Context(), k.track, model(), &k.attempt) }()
	waitFor(t, l, 1)
	other.end(dollar / 20)
	if err := <-done; err != nil || k.attempt.MaxOutput != signalbox.DefaultMinOutput {
		t.Errorf("%v, max_tokens %d", err, k.attempt.MaxOutput)
	}
}

func TestDropTakesAHoldBack(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(dollar)), nil)
	c := begin(t, v, l, track("a"))
	if err := c.hold(dollar); err != nil {
		t.Fatal(err)
	}
	c.tab.Drop()
	begin(t, v, l, track("b")).leave(dollar)
	if e := c.book(true); len(e) != 0 {
		t.Errorf("entries of a call that never left: %v", e)
	}
	c.tab.Booked() // Once more: nothing.
	c.tab.Lost()
}

func TestAttemptsThatNobodySpent(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(10*dollar)), nil)
	lost := begin(t, v, l, track("a"))
	if err := lost.hold(dollar); err != nil {
		t.Fatal(err)
	}
	lost.tab.Entries(false)
	lost.tab.Lost() // The intent was not written: the attempt does not leave.
	lost.book(true)
	wantTotal(t, v, tenantDay(), 0, 0)

	gone := begin(t, v, l, track("a"))
	gone.leave(2 * dollar)
	gone.book(true) // It left, and nobody said what it came to.
	wantTotal(t, v, tenantDay(), 2*dollar, 0)

	late := begin(t, v, l, track("a"))
	late.leave(3 * dollar)
	late.spend(dollar)
	late.tab.Entries(true)
	late.tab.Lost() // Not even the outcome: what is durable stays held.
	wantTotal(t, v, tenantDay(), 2*dollar, 3*dollar)
	if b, _ := l.Balance(tenantDay()); b.Held != 3*dollar {
		t.Errorf("%d is held", b.Held)
	}
	if _, known := l.Balance("nobody"); known {
		t.Error("a balance of an account that is not known")
	}
	if _, ok := begin(t, v, l, track("a")).tab.Tightest(); ok {
		t.Error("an account is tight though none was held")
	}
}

func TestWords(t *testing.T) {
	name := func(k signalbox.OwnerKind) signalbox.Account {
		return signalbox.Account{Kind: k, Tenant: "acme", Name: "x", Agent: "y"}
	}
	for want, a := range map[string]signalbox.Account{
		"tenant acme": name(signalbox.OwnerTenant), "team x": name(signalbox.OwnerTeam), "key x": name(signalbox.OwnerKey),
		"agent x": name(signalbox.OwnerAgent), "run x": name(signalbox.OwnerRun),
		"agent y in run x":                      name(signalbox.OwnerRunAgent),
		"the plan of run x without its reserve": name(signalbox.OwnerPlanned), "the reserve of run x": name(signalbox.OwnerReserve),
	} {
		if got := owner(a); got != want {
			t.Errorf("owner is %q, want %q", got, want)
		}
	}
	for want, u := range map[string]signalbox.Unit{
		"0.000000005 USD": signalbox.UnitUSD, "5 tokens": signalbox.UnitTokens, "5 input tokens": signalbox.UnitInputTokens,
		"5 output tokens": signalbox.UnitOutputTokens, "5 steps": signalbox.UnitSteps, "5 requests": signalbox.UnitRequests,
		"5 concurrent calls": signalbox.UnitConcurrent,
	} {
		if got := amount(u, 5); got != want {
			t.Errorf("amount is %q, want %q", got, want)
		}
	}
}
