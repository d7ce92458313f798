package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

var midnight = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

const (
	usd  = signalbox.Dollar
	cent = usd / 100
)

func rule(id string, per signalbox.AlertScope, threshold signalbox.Money, action signalbox.AlertAction, cooldown time.Duration) signalbox.AlertRule {
	return signalbox.AlertRule{ID: id, Level: signalbox.AlertWarning, Per: per, Threshold: threshold, Action: action, Cooldown: cooldown}
}

// spent is a call of a run that has ended, with the run's total.
func spent(callID, run string, cost, total signalbox.Money, at time.Duration) *Observation {
	o := &Observation{Tenant: "acme", Run: run, Agent: "researcher", Call: callID, Cost: &cost, Now: midnight.Add(at)}
	if run != "" {
		o.Totals = []Total{{Per: signalbox.AlertPerRun, Account: runAccount("acme", run), Amount: total}}
	}
	return o
}

// ofDay is a call that leaves the tenant's day at a total.
func ofDay(total signalbox.Money, at time.Duration) *Observation {
	cost := cent
	start := midnight.Add(at).Truncate(24 * time.Hour)
	return &Observation{
		Tenant: "acme", Agent: "researcher", Call: "call_d", Cost: &cost, Now: midnight.Add(at),
		Totals: []Total{{
			Per: signalbox.AlertPerDay, Account: "tenant acme - - usd day " + start.Format(time.RFC3339), Amount: total,
			Start: start, End: start.Add(24 * time.Hour),
		}},
	}
}

func running(o *Observation) *Observation { o.Running = true; return o }

// names gives the rules of what was raised, with the repetition.
func names(v Verdict) string {
	var all []string
	for _, r := range v.Raised {
		_, n, _ := parseID(r.Alert.ID)
		all = append(all, fmt.Sprintf("%s#%d", r.Alert.Rule, n))
	}
	return strings.Join(all, " ")
}

// ladder is the seed's, per run.
func ladder() []signalbox.AlertRule {
	return []signalbox.AlertRule{
		rule("log", signalbox.AlertPerRun, 50*cent, signalbox.ActionLog, 0),
		rule("notify", signalbox.AlertPerRun, 2*usd, signalbox.ActionNotify, 5*time.Minute),
		rule("throttle", signalbox.AlertPerRun, 5*usd, signalbox.ActionThrottle, time.Minute),
		rule("halt", signalbox.AlertPerRun, 10*usd, signalbox.ActionHalt, 0),
	}
}

type step struct {
	o    *Observation
	want string
}

func TestDecide(t *testing.T) {
	request := func(action signalbox.AlertAction, cooldown time.Duration) []signalbox.AlertRule {
		return []signalbox.AlertRule{rule("r", signalbox.AlertPerRequest, usd, action, cooldown)}
	}
	tests := []struct {
		name  string
		rules []signalbox.AlertRule
		steps []step
	}{
		{"at the threshold nothing is passed", ladder(), []step{{spent("a", "r", cent, 50*cent, 0), ""}, {spent("b", "r", 1, 50*cent+1, 0), "log#0"}}},
		{"a jump raises each", ladder(), []step{{spent("a", "r", 11*usd, 11*usd, 0), "log#0 notify#0 throttle#0 halt#0"}}},
		{"without a cooldown once", ladder()[:1], []step{
			{spent("a", "r", usd, usd, 0), "log#0"}, {spent("b", "r", usd, 2*usd, time.Hour), ""}, {spent("b", "r", usd, 3*usd, 23*time.Hour), ""},
		}},
		{"each run for itself", ladder()[:1], []step{{spent("a", "r", usd, usd, 0), "log#0"}, {spent("b", "s", usd, usd, 0), "log#0"}}},
		{"after the cooldown again", ladder()[1:2], []step{
			{spent("a", "r", 3*usd, 3*usd, 0), "notify#0"},
			{spent("b", "r", usd, 4*usd, 5*time.Minute-1), ""},
			{spent("c", "r", usd, 5*usd, 5*time.Minute), "notify#1"},
			{spent("d", "r", usd, 6*usd, 9*time.Minute), ""},
			{spent("e", "r", usd, 7*usd, time.Hour), "notify#2"},
		}},
		{"a call without a run is one", ladder()[:1], []step{
			{spent("a", "", usd, 0, 0), "log#0"}, {spent("b", "", usd, 0, 0), "log#0"}, {spent("c", "", cent, 0, 0), ""},
		}},
		{"each request once", request(signalbox.ActionNotify, 0), []step{
			{running(spent("a", "", 2*usd, 0, 0)), "r#0"},
			{running(spent("a", "", 3*usd, 0, 1)), ""},
			{spent("a", "", 4*usd, 0, 2), ""},
			{spent("b", "", 2*usd, 0, 3), "r#0"},
		}},
		{"a request without a known cost", request(signalbox.ActionNotify, 0), []step{{&Observation{Tenant: "acme", Call: "a"}, ""}}},
		{"requests of one run under a cooldown", request(signalbox.ActionNotify, time.Minute), []step{
			{spent("a", "r", 2*usd, 0, 0), "r#0"},
			{spent("b", "r", 2*usd, 0, time.Second), ""},
			{spent("c", "s", 2*usd, 0, time.Second), "r#0"},
			{spent("d", "", 2*usd, 0, time.Second), "r#0"},
			{spent("e", "", 2*usd, 0, time.Second), ""},
			{spent("f", "r", 2*usd, 0, time.Minute), "r#0"},
		}},
		{"a new day begins anew", []signalbox.AlertRule{rule("d", signalbox.AlertPerDay, 100*usd, signalbox.ActionNotify, 0)}, []step{
			{ofDay(101*usd, 0), "d#0"}, {ofDay(102*usd, 23*time.Hour), ""}, {ofDay(99*usd, 25*time.Hour), ""}, {ofDay(101*usd, 26*time.Hour), "d#0"},
		}},
		{"another tenant's rule", []signalbox.AlertRule{{ID: "x", Tenant: "other", Per: signalbox.AlertPerRun}}, []step{{spent("a", "r", usd, usd, 0), ""}}},
		{"a total nobody told of", []signalbox.AlertRule{rule("w", signalbox.AlertPerWeek, 0, signalbox.ActionLog, 0)}, []step{{ofDay(usd, 0), ""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewState()
			for i, step := range tt.steps {
				looked := Passes(tt.rules, step.o)
				got := names(s.Decide(tt.rules, step.o))
				if got != step.want {
					t.Errorf("step %d raises %q, want %q", i, got, step.want)
				}
				if got != "" && !looked {
					t.Errorf("step %d: Passes sees nothing, and %q is raised", i, got)
				}
			}
		})
	}
}

func TestAChangedThresholdIsAnotherRule(t *testing.T) {
	s, rules := NewState(), ladder()[:1]
	first := s.Decide(rules, spent("a", "r", usd, usd, 0))
	rules[0].Threshold = usd
	second := s.Decide(rules, spent("b", "r", usd, 2*usd, 0))
	if names(second) != "log#0" || second.Raised[0].Alert.ID == first.Raised[0].Alert.ID {
		t.Fatalf("got %q under the id %s", names(second), second.Raised[0].Alert.ID)
	}
}

func TestBrakes(t *testing.T) {
	end := midnight.Add(24 * time.Hour)
	tests := []struct {
		name   string
		per    signalbox.AlertScope
		action signalbox.AlertAction
		o      *Observation
		want   *signalbox.Brake
		stop   bool
		text   string
	}{
		{"throttle the run", "run", signalbox.ActionThrottle, spent("a", "r", usd, 2*usd, 0), &signalbox.Brake{Kind: "throttle", Run: "r"}, false, `Run "r" is throttled`},
		{"halt the run", "run", signalbox.ActionHalt, spent("a", "r", usd, 2*usd, 0), &signalbox.Brake{Kind: "halt", Run: "r"}, false, `Run "r" is halted`},
		{"halt the run of a request", "request", signalbox.ActionHalt, spent("a", "r", 2*usd, 0, 0), &signalbox.Brake{Kind: "halt", Run: "r"}, false, `A request of agent "researcher" has cost 2 USD: more than`},
		{"halt the run of a stream", "request", signalbox.ActionHalt, running(spent("a", "r", 2*usd, 0, 0)), &signalbox.Brake{Kind: "halt", Run: "r"}, true, "as estimated while its answer streams"},
		{"nothing to throttle", "request", signalbox.ActionThrottle, spent("a", "", 2*usd, 0, 0), nil, false, "It belongs to no run"},
		{"nothing to throttle in a stream", "run", signalbox.ActionThrottle, running(spent("a", "", 2*usd, 0, 0)), nil, false, "It belongs to no run"},
		{"stop a stream without a run", "run", signalbox.ActionHalt, running(spent("a", "", 2*usd, 0, 0)), nil, true, "The call is stopped."},
		{"halt the tenant's day", "day", signalbox.ActionHalt, ofDay(2*usd, time.Hour), &signalbox.Brake{Kind: "halt", Until: end}, false, "The tenant is halted, until 2026-11-23 00:00 UTC."},
		{"throttle the tenant's day", "day", signalbox.ActionThrottle, ofDay(2*usd, time.Hour), &signalbox.Brake{Kind: "throttle", Until: end}, false, `Tenant "acme" in this day has cost 2 USD`},
		{"log", "day", signalbox.ActionLog, ofDay(2*usd, time.Hour), nil, false, "than the 1 USD of rule \"x\"."},
		{"notify", "run", signalbox.ActionNotify, spent("a", "", 2*usd, 0, 0), nil, false, "A call without a run of agent"},
		{"an action nobody knows", "run", "shout", spent("a", "r", usd, 2*usd, 0), nil, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := NewState().Decide([]signalbox.AlertRule{rule("x", tt.per, usd, tt.action, 0)}, tt.o)
			if len(v.Raised) != 1 {
				t.Fatalf("%d alerts are raised", len(v.Raised))
			}
			got := v.Raised[0]
			if tt.want != nil {
				tt.want.ID, tt.want.Tenant, tt.want.Reason, tt.want.Since = got.Alert.ID, "acme", got.Alert.Text, tt.o.Now
			}
			if (got.Brake == nil) != (tt.want == nil) || got.Brake != nil && *got.Brake != *tt.want {
				t.Errorf("the brake is %+v, want %+v", got.Brake, tt.want)
			}
			if (v.Stop != nil) != tt.stop {
				t.Errorf("stopped: %v, want %v", v.Stop != nil, tt.stop)
			}
			if !strings.Contains(got.Alert.Text, tt.text) {
				t.Errorf("the text %q does not say %q", got.Alert.Text, tt.text)
			}
		})
	}
}

func TestABrakeOnAWindowThatIsOverIsNotSet(t *testing.T) {
	o := ofDay(2*usd, time.Hour)
	o.Now = o.Totals[0].End
	v := NewState().Decide([]signalbox.AlertRule{rule("x", signalbox.AlertPerDay, usd, signalbox.ActionHalt, 0)}, o)
	if len(v.Raised) != 1 || v.Raised[0].Brake != nil || !strings.Contains(v.Raised[0].Alert.Text, "The window is over") {
		t.Fatalf("got %+v", v)
	}
}

func TestACooldownHoldsBackAlertsAndNotStops(t *testing.T) {
	s, rules := NewState(), []signalbox.AlertRule{rule("x", signalbox.AlertPerRequest, usd, signalbox.ActionHalt, time.Hour)}
	s.Decide(rules, running(spent("a", "", 2*usd, 0, 0)))
	v := s.Decide(rules, running(spent("b", "", 2*usd, 0, time.Minute)))
	if len(v.Raised) != 0 || v.Stop == nil || v.Stop.Call != "b" {
		t.Fatalf("got %+v", v)
	}
	if v := s.Decide(rules, spent("c", "", 2*usd, 0, time.Minute)); v.Stop != nil {
		t.Fatal("a call that has ended is stopped")
	}
}

func balance(kind signalbox.OwnerKind, unit signalbox.Unit, settled int64, soft bool) call.Balance {
	return call.Balance{
		Account: signalbox.Account{Kind: kind, Tenant: "acme", Name: "n", Agent: "g", Unit: unit, Per: signalbox.WindowDay, Start: midnight},
		Cap:     1000, Settled: settled, WarnAt: 800, Soft: soft, ResetAt: midnight.Add(24 * time.Hour).Unix(),
	}
}

func TestBudgets(t *testing.T) {
	at := func(b call.Balance) *Observation {
		return &Observation{Tenant: "acme", Call: "c", Balances: []call.Balance{b}, Now: midnight.Add(time.Hour)}
	}
	run := balance(signalbox.OwnerRun, signalbox.UnitUSD, 900, false)
	run.ResetAt = 0
	tests := []struct {
		name string
		b    call.Balance
		want []string // Texts.
	}{
		{"below", balance("tenant", "usd", 799, false), nil},
		{"reached", balance("tenant", "usd", 800, false), []string{`The budget of tenant "acme" per day has reached the part at which it warns: 0.0000008 USD of 0.000001 USD are used.`}},
		{"a hard one above its cap", balance("team", "tokens", 1001, false), []string{`The budget of team "n" per day has reached the part at which it warns: 1001 tokens of 1000 tokens are used.`}},
		{"a soft one above its cap", balance("run_agent", "input_tokens", 1001, true), []string{
			`The budget of agent "g" in run "n" per day has reached the part at which it warns: 1001 input tokens of 1000 input tokens are used.`,
			`The budget of agent "g" in run "n" per day is exceeded; it is soft, so that calls go on: 1001 input tokens of 1000 input tokens are used.`,
		}},
		{"planned", balance("planned", "steps", 800, false), []string{`The budget of run "n" for first attempts per day has reached the part at which it warns: 800 steps of 1000 steps are used.`}},
		{"reserve", balance("reserve", "steps", 800, false), []string{`The budget of run "n" for further attempts per day has reached the part at which it warns: 800 steps of 1000 steps are used.`}},
		{"without a window", run, []string{`The budget of run "n" per day has reached the part at which it warns: 0.0000009 USD of 0.000001 USD are used.`}},
		{"without a warning", call.Balance{Cap: 10, Settled: 10}, nil},
		{"a soft one without a cap", call.Balance{Cap: signalbox.NoCap, Settled: 10, Soft: true, WarnAt: 1}, nil},
		{"nothing used", call.Balance{Cap: 1, WarnAt: 1}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, o := NewState(), at(tt.b)
			looked := Passes(nil, o)
			var got []string
			for _, r := range s.Decide(nil, o).Raised {
				got = append(got, r.Alert.Text)
				if r.Alert.Rule != RuleBudget || r.Alert.Action != signalbox.ActionNotify || len(r.Channels) > 0 || r.Brake != nil {
					t.Errorf("got %+v", r)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if looked != (len(tt.want) > 0) {
				t.Errorf("Passes says %v", looked)
			}
			if again := s.Decide(nil, o); len(again.Raised) > 0 {
				t.Errorf("raised again: %+v", again)
			}
		})
	}
}

func TestLargeCapsDoNotOverflow(t *testing.T) {
	b := call.Balance{Cap: int64(signalbox.MaxMoney), WarnAt: 1000}
	if got := warnThreshold(b); got != b.Cap {
		t.Fatalf("the threshold is %d, want the cap", got)
	}
}

func TestOverrun(t *testing.T) {
	o := &Observation{Tenant: "acme", Run: "r", Agent: "a", Call: "c", Overruns: []Overrun{{1, usd, 2 * usd}, {2, 0, usd}}, Closed: []string{"x", "y"}}
	if !Passes(nil, o) {
		t.Fatal("Passes does not see it")
	}
	v := NewState().Decide(nil, o)
	if len(v.Raised) != 2 || v.Raised[0].Alert.ID == v.Raised[1].Alert.ID {
		t.Fatalf("got %+v", v.Raised)
	}
	a := v.Raised[0].Alert
	if a.Rule != RuleOverrun || a.Level != signalbox.AlertCritical || a.Account != "x" || a.Value != int64(2*usd) || a.Threshold != int64(usd) {
		t.Errorf("got %+v", a)
	}
	want := `Attempt 1 of a call of agent "a" was billed 2 USD, more than the 1 USD that were held for it; it is booked in full. Closed until an operator opens them again: x; y.`
	if a.Text != want {
		t.Errorf("got %q", a.Text)
	}
	o.Closed, o.Agent = nil, ""
	if a := NewState().Decide(nil, o).Raised[0].Alert; a.Account != "" || strings.Contains(a.Text, "agent") {
		t.Errorf("got %+v", a)
	}
}
