package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestAnAlertIsWritten(t *testing.T) {
	r := newRig(t, ladder()...)
	r.ledger.settle(runAccount("acme", "r"), 6*usd)
	r.Ended(outcome("call_1", "r", 6*usd))
	r.stop(t)
	puts := r.log.alerts()
	if len(puts) != 3 {
		t.Fatalf("%d alerts are written, want log, notify and throttle", len(puts))
	}
	if len(puts[0].Notifications) != 0 || len(puts[1].Notifications) != 2 || puts[1].Brake != nil {
		t.Errorf("log tells %d channels, notify %d", len(puts[0].Notifications), len(puts[1].Notifications))
	}
	last, rec := puts[2], r.log.recs[2]
	if last.Brake == nil || last.Brake.Kind != signalbox.BrakeThrottle || last.Brake.Run != "r" || last.Brake.ID != last.Alert.ID {
		t.Errorf("the brake is %+v", last.Brake)
	}
	n := last.Notifications[1]
	if n.ID != last.Alert.ID+":a:b" || n.Channel != "a.b" || n.Alert != last.Alert.ID || n.Next.IsZero() {
		t.Errorf("the notification is %+v", n)
	}
	var p Payload
	if err := json.UnmarshalKnown(n.Payload, &p); err != nil || p.Type != "cost_alert" || p.Limit != "5" || p.Cost != "6" || p.Brake.RunID != "r" {
		t.Errorf("the payload is %s (%v)", n.Payload, err)
	}
	if rec.What.Action != signalbox.ActionAlertRaised || rec.What.ResourceID != last.Alert.ID || rec.Type != signalbox.RecordAdmin ||
		rec.Who.TenantID != "acme" || rec.Context.RunID != "r" || rec.What.Detail["brake"] != "throttle" {
		t.Errorf("the record is %+v", rec)
	}
	if !r.Throttled("acme", "r") || r.Throttled("acme", "s") || r.Throttled("other", "r") {
		t.Error("not the run alone is throttled")
	}
}

func TestPayloadOfOtherUnits(t *testing.T) {
	b := balance(signalbox.OwnerTenant, signalbox.UnitTokens, 900, false)
	a := NewState().Decide(nil, &Observation{Tenant: "acme", Balances: []call.Balance{b}, Now: midnight}).Raised[0].Alert
	text := string(payloadOf(a, &signalbox.Brake{Kind: signalbox.BrakeHalt, Until: midnight}))
	for _, part := range []string{`"threshold":"800"`, `"value":"900"`, `"unit":"tokens"`, `"until":"2026-11-22T00:00:00Z"`} {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not have %s", text, part)
		}
	}
	if strings.Contains(text, "_usd") {
		t.Errorf("%s has dollars", text)
	}
}

func TestBudgetsAndOverruns(t *testing.T) {
	r := newRig(t)
	day := "tenant acme - - usd day 2026-11-22T00:00:00Z"
	r.ledger.set(day, call.Balance{Cap: 1000, Settled: 900, WarnAt: 800, ResetAt: midnight.Add(24 * time.Hour).Unix()})
	r.ledger.settle("no account", 1)
	rec := outcome("call_1", "", 10, day, "no account", "key acme k - usd day 2026-11-22T00:00:00Z")
	held, cost := signalbox.Money(5), signalbox.Money(10)
	rec.Attempts = []signalbox.Attempt{{N: 1, Cost: &held}, {N: 2, Overrun: true, Held: &held, Cost: &cost}, {N: 3, Overrun: true}}
	rec.Ledger[0].Closed = true
	r.Ended(rec)
	r.Ended(outcome("call_2", "", 10, day))
	r.stop(t)
	var got []string
	for _, p := range r.log.alerts() {
		got = append(got, fmt.Sprint(p.Alert.Rule, " ", p.Alert.Account, " ", p.Alert.Value))
	}
	want := []string{"budget " + day + " 900", "overrun " + day + " 10", "overrun " + day + " 0"}
	if !slices.Equal(got, want) {
		t.Errorf("raised %q, want %q", got, want)
	}
}

func TestWindowsOfATenant(t *testing.T) {
	seoul, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		name       string
		start, end string
		per        signalbox.AlertScope
		zone       *time.Location
	}{
		{"day", "2026-11-21T15:00:00Z", "2026-11-22T15:00:00Z", signalbox.AlertPerDay, seoul},
		{"the long day", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", signalbox.AlertPerDay, berlin},
		{"week", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z", signalbox.AlertPerWeek, time.UTC},
		{"month", "2026-01-31T15:00:00Z", "2026-02-28T15:00:00Z", signalbox.AlertPerMonth, seoul},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := windowEnd(at(tt.start), tt.per, tt.zone); !got.Equal(at(tt.end)) {
				t.Errorf("ends at %s, want %s", got, tt.end)
			}
		})
	}
	r := newRig(t, rule("d", signalbox.AlertPerDay, usd, signalbox.ActionThrottle, 0), rule("w", signalbox.AlertPerWeek, usd, signalbox.ActionThrottle, 0))
	if got := r.zone("acme"); got != time.UTC {
		t.Errorf("without a zone days are those of %s", got)
	}
	r.Zone = func(string) *time.Location { return seoul }
	start := time.Now().In(seoul)
	start = time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, seoul)
	day := "tenant acme - - usd day " + start.UTC().Format(time.RFC3339)
	r.ledger.settle(day, 2*usd)
	r.Ended(outcome("call_1", "", usd, day))
	r.stop(t)
	if puts := r.log.alerts(); len(puts) != 1 || puts[0].Brake == nil || !puts[0].Brake.Until.Equal(start.AddDate(0, 0, 1)) {
		t.Errorf("got %+v", puts)
	}
	if !r.Throttled("acme", "") || !r.Throttled("acme", "any") {
		t.Error("the tenant is not throttled")
	}
}

func TestTotalsThatNobodyAddedToAreNotLookedAt(t *testing.T) {
	r := newRig(t, ladder()...)
	r.ledger.settle(runAccount("acme", "r"), 6*usd)
	rec := outcome("call_1", "r", 0)
	r.Ended(rec)
	rec.What.Cost = nil
	r.Ended(rec)
	r.stop(t)
	if n := len(r.log.alerts()); n != 0 {
		t.Errorf("%d alerts", n)
	}
}

func TestACallEndsByAHaltOfItsRun(t *testing.T) {
	r := newRig(t, ladder()...)
	defer r.stop(t)
	enter := func(id, run string) context.Context {
		ctx, leave, err := r.Enter(t.Context(), track(id, run))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(leave)
		return ctx
	}
	inRun, other, alone := enter("call_1", "r"), enter("call_2", "s"), enter("call_3", "")
	r.ledger.settle(runAccount("acme", "r"), 11*usd)
	r.Ended(outcome("call_0", "r", usd))
	frozenFor(inRun, t, `Run "r" is halted by alert alert_`, "11 USD", "`signalbox alert lift alert_")
	if other.Err() != nil || alone.Err() != nil {
		t.Error("calls of others have ended")
	}
	if _, _, err := r.Enter(t.Context(), track("call_4", "r")); signalbox.CodeOf(err) != signalbox.CodeFrozen {
		t.Errorf("a new call of the run: %v", err)
	}
	enter("call_5", "")
	if n := r.Stats().Calls; n != 4 {
		t.Errorf("%d calls are under way, want 4", n)
	}
}

func TestAStreamIsHaltedMidway(t *testing.T) {
	r := newRig(t, ladder()...)
	defer r.stop(t)
	r.ledger.settle(runAccount("acme", "r"), 4*usd)
	a, b := track("call_1", "r"), track("call_2", "r")
	settled := 3 * usd
	b.Attempts = []signalbox.Attempt{{N: 1, Cost: &settled}, {N: 2}} // Its first attempt is settled in the run already.
	ctx, leave, err := r.Enter(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	ctxB, leaveB, err := r.Enter(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	defer leaveB()
	r.Progress(b, nil, settled+usd)
	parts := 0
	for ctx.Err() == nil && parts < 100 { // An answer of 100 parts, each of half a dollar.
		parts++
		r.Progress(a, nil, signalbox.Money(parts)*usd/2)
	}
	if parts != 11 { // 4 are settled, 1 is the other stream's: the 11th half dollar passes 10.
		t.Errorf("halted after %d parts, want 11", parts)
	}
	frozenFor(ctx, t, "10.5 USD, as estimated")
	frozenFor(ctxB, t, "10.5 USD")
}

func TestWhatAStreamHasCostIsForgottenWhenItEnds(t *testing.T) {
	r := newRig(t, ladder()...)
	account := runAccount("acme", "r")
	r.ledger.settle(account, 0)
	ends := []struct {
		name string
		end  func(t *call.Track, leave func())
	}{
		{"told", func(tr *call.Track, _ func()) { r.Ended(outcome(tr.Call.ID, "r", 0)) }},
		{"left", func(_ *call.Track, leave func()) { leave(); leave() }},
	}
	for _, tt := range ends {
		t.Run(tt.name, func(t *testing.T) {
			for i := range 20 {
				tr := track(fmt.Sprintf("call_%d", i), "r")
				_, leave, err := r.Enter(t.Context(), tr)
				if err != nil {
					t.Fatal(err)
				}
				r.Progress(tr, nil, 40*cent)
				tt.end(tr, leave)
				leave()
			}
		})
	}
	r.Progress(track("call_unknown", "r"), nil, 40*cent) // Nobody entered it: it counts for this look only.
	r.Progress(track("call_unknown", "r"), nil, 0)
	r.Progress(track("call_unknown", "s"), nil, 40*cent)
	r.stop(t)
	if n := len(r.log.alerts()); n != 0 {
		t.Errorf("%d alerts, the first: %s", n, r.log.alerts()[0].Alert.Text)
	}
	if n := r.calls.shard("acme", "r", ""); len(n.runs) != 0 || len(n.calls) != 0 {
		t.Errorf("%d runs and %d calls are left over", len(n.runs), len(n.calls))
	}
}

func TestAStreamBesidesCountsAtTheEndOfAnother(t *testing.T) {
	r := newRig(t, ladder()[:1]...)
	r.ledger.settle(runAccount("acme", "r"), 30*cent)
	a := track("call_1", "r")
	_, leave, err := r.Enter(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	_, leaveB, err := r.Enter(t.Context(), track("call_2", "r"))
	if err != nil {
		t.Fatal(err)
	}
	defer leaveB()
	r.Progress(track("call_2", "r"), nil, 0) // Nothing yet.
	r.Progress(a, nil, 15*cent)
	r.Progress(track("call_3", "r"), nil, cent) // Not entered.
	r.ledger.settle(runAccount("acme", "r"), 36*cent)
	r.Ended(outcome("call_2", "r", 6*cent))
	r.stop(t)
	if puts := r.log.alerts(); len(puts) != 1 || puts[0].Alert.Value != int64(51*cent) {
		t.Errorf("got %+v", puts)
	}
}

func TestACallWithoutARunIsStoppedAlone(t *testing.T) {
	r := newRig(t, rule("h", signalbox.AlertPerRun, usd, signalbox.ActionHalt, 0))
	defer r.stop(t)
	a, b := track("call_1", ""), track("call_2", "")
	ctx, leave, err := r.Enter(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	other, leaveB, err := r.Enter(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	defer leaveB()
	r.Progress(a, nil, 2*usd)
	r.Progress(track("call_gone", ""), nil, 2*usd)
	frozenFor(ctx, t, "The call was halted by alert alert_", "The call is stopped.")
	if other.Err() != nil {
		t.Error("another call has ended")
	}
	if r.Stats().Brakes != 0 {
		t.Error("a brake is set")
	}
}

func TestNoCallSlipsBetweenEnterAndHalt(t *testing.T) {
	for range 50 {
		r := newRig(t, ladder()...)
		r.ledger.settle(runAccount("acme", "r"), 11*usd)
		var wg sync.WaitGroup
		ended := make(chan error, 64)
		for i := range 64 {
			wg.Go(func() {
				if i == 32 {
					r.Ended(outcome("call_0", "r", usd))
					ended <- nil
					return
				}
				ctx, leave, err := r.Enter(t.Context(), track(fmt.Sprintf("call_%d", i), "r"))
				defer leave()
				if err != nil {
					ended <- nil
					return
				}
				select {
				case <-ctx.Done():
					ended <- nil
				case <-time.After(5 * time.Second):
					ended <- errors.New("a call goes on in a halted run")
				}
			})
		}
		wg.Wait()
		close(ended)
		for err := range ended {
			if err != nil {
				t.Fatal(err)
			}
		}
		r.stop(t)
	}
}

func TestABrakeOfAWindowEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rule("d", signalbox.AlertPerDay, usd, signalbox.ActionHalt, 0))
		start := time.Now().UTC().Truncate(24 * time.Hour)
		day := "tenant acme - - usd day " + start.Format(time.RFC3339)
		r.ledger.set(day, call.Balance{Cap: signalbox.NoCap, Settled: int64(2 * usd), ResetAt: start.Add(24 * time.Hour).Unix()})
		time.Sleep(time.Hour)
		r.Ended(outcome("call_1", "", usd, day))
		_, _, err := r.Enter(t.Context(), track("call_2", "any"))
		e := signalbox.AsError(err)
		if e.Code != signalbox.CodeFrozen || e.RetryAfter != 24*time.Hour-time.Since(start) || !strings.Contains(e.Remedy, "or it ends by itself at") {
			t.Errorf("got %v, remedy %q, retry after %s", err, e.Remedy, e.RetryAfter)
		}
		time.Sleep(24*time.Hour - time.Since(start))
		if _, leave, err := r.Enter(t.Context(), track("call_3", "any")); err != nil {
			t.Errorf("after the day: %v", err)
		} else {
			leave()
		}
		r.stop(t)
	})
}

func TestCooldownOfTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rule("h", signalbox.AlertPerRun, usd, signalbox.ActionThrottle, time.Minute))
		r.ledger.settle(runAccount("acme", "r"), 2*usd)
		for range 150 { // Two and a half minutes.
			r.Ended(outcome("call_1", "r", cent))
			time.Sleep(time.Second)
		}
		r.stop(t)
		puts := r.log.alerts()
		if len(puts) != 3 {
			t.Fatalf("%d alerts, want 3", len(puts))
		}
		if puts[0].Brake == nil || puts[1].Brake != nil || puts[2].Brake != nil {
			t.Error("a brake is set where one holds")
		}
		if r.Stats().Brakes != 1 {
			t.Errorf("%d brakes", r.Stats().Brakes)
		}
	})
}
