package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
)

func unavailable() error { return signalbox.Errorf(signalbox.CodeUnavailable, "the log is full") }

func TestNothingIsLostWhenTheLogIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rule("q", signalbox.AlertPerRequest, usd, signalbox.ActionNotify, 0))
		r.log.gate = make(chan struct{})
		const calls = MaxPending + 500
		for i := range calls {
			r.Ended(outcome(fmt.Sprintf("call_%d", i), "", 2*usd+signalbox.Money(i)))
		}
		synctest.Wait()
		if s := r.Stats(); s.Raised != calls || s.Pending > MaxPending+2 || s.Merged == 0 || s.Written != 0 {
			t.Errorf("while the log is held back: %+v", s)
		}
		close(r.log.gate)
		r.stop(t)
		s := r.Stats()
		if s.Written+s.Merged != calls || s.Pending != 0 {
			t.Errorf("in the end: %+v", s)
		}
		puts := r.log.alerts()
		last := puts[len(puts)-1].Alert
		want := fmt.Sprintf("%d more alerts of this kind were raised while the log was slow.", s.Merged)
		if !strings.HasSuffix(last.Text, want) || last.Value != int64(2*usd+calls-1) {
			t.Errorf("the merged alert says %q of %d, want %q and the highest value", last.Text, last.Value, want)
		}
		if rec := r.log.recs[len(puts)-1]; rec.What.Detail["merged"] != fmt.Sprint(s.Merged) {
			t.Errorf("its record has %v", rec.What.Detail)
		}
	})
}

func TestMergedBrakesHoldHere(t *testing.T) {
	p := newPending()
	for i := range MaxPendingBrakes + 2 {
		b := halt(fmt.Sprint(i), fmt.Sprint(i), time.Time{})
		p.put(item{Raised: Raised{Alert: signalbox.Alert{Rule: "h", Value: int64(-i)}, Brake: &b}})
	}
	if s := p.stats(); s.Unwritten != 2 || s.Merged != 1 || s.Pending != MaxPendingBrakes+1 {
		t.Errorf("got %+v", s)
	}
	for range MaxPendingBrakes {
		if i, ok := p.take(); !ok || i.Brake == nil {
			t.Fatal("a brake is not taken")
		}
		p.done(true)
	}
	if i, ok := p.take(); !ok || i.Brake != nil || i.more != 1 || i.Alert.Value != -MaxPendingBrakes {
		t.Errorf("the merged one is %+v", i)
	}
}

func TestMergedAlertsAreBounded(t *testing.T) {
	p := newPending()
	for i := range MaxPending + maxMerged + 10 {
		p.put(item{Raised: Raised{Alert: signalbox.Alert{Rule: fmt.Sprint(i)}}})
	}
	if s := p.stats(); s.Pending != MaxPending+maxMerged+1 || s.Merged != 9 {
		t.Errorf("got %+v", s)
	}
}

func TestTheLogIsTriedUntilItTakesAnAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ladder()[:1]...)
		r.ledger.settle(runAccount("acme", "r"), usd)
		down := time.Now().Add(time.Hour)
		r.log.fail = func() error {
			if time.Now().Before(down) {
				return unavailable()
			}
			return nil
		}
		r.Ended(outcome("call_1", "r", usd))
		time.Sleep(time.Hour + lastRetry)
		synctest.Wait()
		s := r.Stats()
		if s.Written != 1 || s.Pending != 0 || s.Failed != 0 {
			t.Errorf("got %+v", s)
		}
		if least := int64(time.Hour / lastRetry); s.Retries < least || s.Retries > least+10 {
			t.Errorf("%d tries in an hour, want some more than %d", s.Retries, least)
		}
		r.stop(t)
	})
}

func TestWhatTheLogRefusesIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ladder()[:2]...)
		r.ledger.settle(runAccount("acme", "r"), 3*usd)
		tries := 0
		r.log.fail = func() error {
			if tries++; tries <= maxRejections {
				return errors.New("can not be encoded")
			}
			return nil
		}
		r.Ended(outcome("call_1", "r", usd))
		r.stop(t)
		if s := r.Stats(); s.Failed != 1 || s.Written != 1 || s.Raised != 2 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ladder()[:2]...)
		r.ledger.settle(runAccount("acme", "r"), 3*usd)
		r.log.fail = unavailable
		r.Ended(outcome("call_1", "r", usd))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := r.Close(ctx)
		if signalbox.CodeOf(err) != signalbox.CodeUnavailable || !strings.Contains(err.Error(), "2 alerts could not be written") {
			t.Errorf("got %v", err)
		}
		if err := r.Close(ctx); err == nil {
			t.Error("closed again without a word")
		}
		r.Ended(outcome("call_2", "s", usd)) // What comes later does not block.
	})
}

func TestParsedAccountsAreBounded(t *testing.T) {
	c, a := newAccounts(), signalbox.Account{}
	for i := range maxAccounts + 10 {
		if !c.fill(&a, fmt.Sprintf("key acme k%d - usd day 2026-11-22T00:00:00Z", i)) || a.Name != fmt.Sprintf("k%d", i) {
			t.Fatalf("account %d is read as %+v", i, a)
		}
	}
	if n := len(c.known); n > maxAccounts {
		t.Errorf("%d are kept", n)
	}
	for range 2 {
		if c.fill(&a, "nonsense") {
			t.Error("nonsense is an account")
		}
	}
}

func TestWhichAccountsRulesLookAt(t *testing.T) {
	tests := map[string]signalbox.AlertScope{
		"tenant acme - - usd day 2026-11-22T00:00:00Z":    signalbox.AlertPerDay,
		"tenant acme - - usd week 2026-11-16T00:00:00Z":   signalbox.AlertPerWeek,
		"tenant acme - - usd month 2026-11-01T00:00:00Z":  signalbox.AlertPerMonth,
		"tenant acme - - usd hour 2026-11-22T00:00:00Z":   "",
		"tenant acme - - tokens day 2026-11-22T00:00:00Z": "",
		"key acme k - usd day 2026-11-22T00:00:00Z":       "",
		"run acme r - usd run -":                          signalbox.AlertPerRun,
		"run acme r - steps run -":                        "",
		"run_agent acme r a usd run -":                    "",
	}
	for text, want := range tests {
		a, err := signalbox.ParseAccount(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := totalOf(&a); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestChannelsOfARule(t *testing.T) {
	r := newRig(t, signalbox.AlertRule{ID: "n", Per: signalbox.AlertPerRequest, Threshold: usd, Action: signalbox.ActionNotify, Channels: []string{"pager"}})
	r.Ended(outcome("call_1", "", 2*usd))
	r.stop(t)
	if puts := r.log.alerts(); len(puts) != 1 || len(puts[0].Notifications) != 1 || puts[0].Notifications[0].Channel != "pager" {
		t.Errorf("got %+v", puts)
	}
}

func TestAnEngineWithoutOptions(t *testing.T) {
	e := New(Options{
		Rules:   func(string) []signalbox.AlertRule { return ladder()[1:2] },
		Balance: (&ledgerOf{}).get, Log: &memoryLog{}, Now: time.Now,
	})
	e.Ended(outcome("call_1", "", 3*usd, "tenant acme - - usd day 2026-11-22T00:00:00Z"))
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := e.Log.(*memoryLog); len(l.puts) != 1 || len(l.puts[0].Notifications) != 0 || l.recs[0].Context.Replica != signalbox.LocalReplica {
		t.Errorf("got %+v", l.puts)
	}
}

// What others raise is told with what they have to say, to the channels that they name.
func TestRaise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Raise(Raised{
			Alert:    signalbox.Alert{ID: "appr_1", Rule: "approval", Level: signalbox.AlertWarning, Action: signalbox.ActionNotify, Raised: r.Now(), Text: "It waits."},
			Channels: []string{"on-call"}, Payload: func(channel string) []byte { return []byte(`{"for":"` + channel + `"}`) },
		})
		r.stop(t)
		puts := r.log.alerts()
		if len(puts) != 1 || len(puts[0].Notifications) != 1 {
			t.Fatalf("got %+v", puts)
		}
		if n := puts[0].Notifications[0]; n.ID != "appr_1:on-call" || string(n.Payload) != `{"for":"on-call"}` {
			t.Errorf("the notification is %+v", n)
		}
	})
}
