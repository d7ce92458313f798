package budget_test

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

func TestCheck(t *testing.T) {
	type b = signalbox.Budget
	const day, run = signalbox.WindowDay, signalbox.WindowRun
	tests := []struct {
		name  string
		give  b
		field string // "" is good.
		says  string
	}{
		{"money", b{Unit: signalbox.UnitUSD, Per: day, Max: 5, WarnAt: 800}, "", ""},
		{"a cap of 0", b{Unit: signalbox.UnitUSD, Per: run}, "", ""},
		{"calls in flight", b{Unit: signalbox.UnitConcurrent, Max: 5}, "", ""},
		{"steps of a run", b{Unit: signalbox.UnitSteps, Per: run, Max: 5}, "", ""},
		{"shrinking", b{Unit: signalbox.UnitTokens, Per: day, Max: 5, OnCap: signalbox.OnCapShrink, MinOutput: 9}, "", ""},
		{"refusing, in so many words", b{Unit: signalbox.UnitTokens, Per: day, Max: 5, OnCap: signalbox.OnCapRefuse}, "", ""},
		{"soft", b{Unit: signalbox.UnitUSD, Per: day, Max: 5, Soft: true, WarnAt: 1000}, "", ""},

		{"no unit", b{Per: day, Max: 5}, "unit", "missing"},
		{"a unit nobody knows", b{Unit: "euro", Per: day, Max: 5}, "unit", `"euro"`},
		{"a long unit nobody knows", b{Unit: signalbox.Unit(strings.Repeat("ü", 99)), Per: day}, "unit", "…"},
		{"no window", b{Unit: signalbox.UnitUSD, Max: 5}, "per", "missing"},
		{"a window nobody knows", b{Unit: signalbox.UnitUSD, Per: "year", Max: 5}, "per", `"year"`},
		{"calls in flight with a window", b{Unit: signalbox.UnitConcurrent, Per: day, Max: 5}, "per", "no window"},
		{"steps of a day", b{Unit: signalbox.UnitSteps, Per: day, Max: 5}, "per", "per run only, not per day"},
		{"a negative amount", b{Unit: signalbox.UnitUSD, Per: day, Max: -1}, "max", "-0.000000001 USD"},
		{"a negative count", b{Unit: signalbox.UnitTokens, Per: day, Max: -7}, "max", "-7 tokens"},
		{"something else at the cap", b{Unit: signalbox.UnitUSD, Per: day, OnCap: "warn"}, "on_cap", `"warn"`},
		{"shrinking softly", b{Unit: signalbox.UnitUSD, Per: day, OnCap: signalbox.OnCapShrink, Soft: true}, "on_cap", "soft"},
		{"shrinking requests", b{Unit: signalbox.UnitRequests, Per: day, OnCap: signalbox.OnCapShrink}, "on_cap", "requests"},
		{"a negative floor", b{Unit: signalbox.UnitUSD, Per: day, OnCap: signalbox.OnCapShrink, MinOutput: -1}, "min_output", "-1"},
		{"a floor of nothing", b{Unit: signalbox.UnitUSD, Per: day, MinOutput: 5}, "min_output", "shrunk"},
		{"a warning below nothing", b{Unit: signalbox.UnitUSD, Per: day, WarnAt: -1}, "warn_at", "-1"},
		{"a warning above everything", b{Unit: signalbox.UnitUSD, Per: day, WarnAt: 1001}, "warn_at", "1001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := budget.Check(tt.give)
			if tt.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantInvalid(t, err, tt.field); !strings.Contains(e.Message, tt.says) {
				t.Errorf("message %q does not say %q", e.Message, tt.says)
			}
		})
	}
}

func TestCheckAll(t *testing.T) {
	day, hour := usd(signalbox.WindowDay, 1), usd(signalbox.WindowHour, 1)
	slots := signalbox.Budget{Unit: signalbox.UnitConcurrent, Max: 1}
	tests := []struct {
		name, field string
		list        []signalbox.Budget
	}{
		{"none", "", nil},
		{"different ones", "", []signalbox.Budget{day, hour, slots}},
		{"one that is wrong", "budgets[1].max", []signalbox.Budget{day, usd(signalbox.WindowHour, -1)}},
		{"two for a day", "budgets[2]", []signalbox.Budget{day, hour, day}},
		{"two for calls in flight", "budgets[1]", []signalbox.Budget{slots, slots}},
		{"too many", "budgets", make([]signalbox.Budget, budget.MaxBudgets+1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := budget.CheckAll("budgets", tt.list)
			if tt.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantInvalid(t, err, tt.field)
		})
	}
}
