package budget_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// capped makes a line of a budget, and one that shrinks.
func capped(unit signalbox.Unit, onCap signalbox.OnCap, floor int64) budget.Line {
	b := signalbox.Budget{Unit: unit, Per: signalbox.WindowDay, Max: 1 << 40, OnCap: onCap, MinOutput: floor}
	return budget.Line{Key: string(unit), Account: signalbox.Account{Unit: unit, Per: b.Per}, Budget: b}
}

func TestShrunk(t *testing.T) {
	const input = 1000 // Exact; $0.001 at the price of haiku. A token of output is $0.000005.
	cost := func(output int64) int64 { return input*1_000 + output*5_000 }
	refuse, shrink := signalbox.OnCapRefuse, signalbox.OnCapShrink
	soft, uncapped := capped(signalbox.UnitUSD, refuse, 0), capped(signalbox.UnitUSD, refuse, 0)
	soft.Budget.Soft, uncapped.Budget.Max = true, signalbox.NoCap
	tests := []struct {
		name  string
		lines []budget.Line
		rooms []int64
		want  int64
		ok    bool
	}{
		{"no lines", nil, nil, 1000, true},
		{"everything fits", []budget.Line{capped(signalbox.UnitUSD, shrink, 0)}, []int64{cost(1000)}, 1000, true},
		{"one token less", []budget.Line{capped(signalbox.UnitUSD, shrink, 0)}, []int64{cost(1000) - 1}, 999, true},
		{"money for some", []budget.Line{capped(signalbox.UnitUSD, shrink, 0)}, []int64{cost(600) + 4_999}, 600, true},
		{"output tokens for some", []budget.Line{capped(signalbox.UnitOutputTokens, shrink, 0)}, []int64{777}, 777, true},
		{"tokens for some", []budget.Line{capped(signalbox.UnitTokens, shrink, 0)}, []int64{input + 300}, 300, true},
		{"the least of several", []budget.Line{capped(signalbox.UnitUSD, shrink, 0), capped(signalbox.UnitTokens, shrink, 0)}, []int64{cost(600), input + 300}, 300, true},
		{"just the floor", []budget.Line{capped(signalbox.UnitOutputTokens, shrink, 0)}, []int64{signalbox.DefaultMinOutput}, signalbox.DefaultMinOutput, true},
		{"below the floor", []budget.Line{capped(signalbox.UnitOutputTokens, shrink, 0)}, []int64{signalbox.DefaultMinOutput - 1}, 0, false},
		{"a floor of its own", []budget.Line{capped(signalbox.UnitOutputTokens, shrink, 20)}, []int64{20}, 20, true},
		{"the highest floor of those that are short", []budget.Line{capped(signalbox.UnitOutputTokens, shrink, 20), capped(signalbox.UnitUSD, shrink, 500)}, []int64{450, cost(600)}, 0, false},
		{"the highest floor, in whatever order", []budget.Line{capped(signalbox.UnitUSD, shrink, 500), capped(signalbox.UnitOutputTokens, shrink, 20)}, []int64{cost(600), 450}, 0, false},
		{"the floor of a line with room is not asked", []budget.Line{capped(signalbox.UnitOutputTokens, shrink, 20), capped(signalbox.UnitUSD, shrink, 500)}, []int64{450, cost(1000)}, 450, true},
		{"a floor above what is wanted", []budget.Line{capped(signalbox.UnitOutputTokens, shrink, 5000)}, []int64{900}, 0, false},
		{"a short line on refuse", []budget.Line{capped(signalbox.UnitUSD, refuse, 0)}, []int64{cost(999)}, 0, false},
		{"a short line on refuse beside one on shrink", []budget.Line{capped(signalbox.UnitUSD, shrink, 0), capped(signalbox.UnitTokens, "", 0)}, []int64{cost(600), input}, 0, false},
		{"a line on refuse with room beside one on shrink", []budget.Line{capped(signalbox.UnitUSD, shrink, 0), capped(signalbox.UnitTokens, refuse, 0)}, []int64{cost(600), input + 1000}, 600, true},
		{"what a smaller output can not help", []budget.Line{capped(signalbox.UnitInputTokens, shrink, 0)}, []int64{input - 1}, 0, false},
		{"a soft line and one without a cap", []budget.Line{soft, uncapped}, []int64{-5, -5}, 1000, true},
		{"room that an overrun has eaten", []budget.Line{capped(signalbox.UnitUSD, shrink, 0)}, []int64{-5}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := modelCall(strings.Repeat("x", 2*input), signalbox.ModelRequest{MaxOutput: 1000})
			next := 0
			got, ok := policy(t).Shrunk(c, haiku(), input, tt.lines, func(budget.Line) int64 { next++; return tt.rooms[next-1] })
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %d, %v, want %d, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestChoicesShrinkTogether(t *testing.T) {
	c := modelCall("", signalbox.ModelRequest{MaxOutput: 1000, Choices: 4})
	lines := []budget.Line{capped(signalbox.UnitOutputTokens, signalbox.OnCapShrink, 1)}
	got, ok := policy(t).Shrunk(c, haiku(), byBytes, lines, func(budget.Line) int64 { return 403 })
	if got != 100 || !ok {
		t.Errorf("got %d, %v, want 100 for each of 4 choices", got, ok)
	}
}

func TestAToolCallDoesNotShrink(t *testing.T) {
	c := &signalbox.Call{Kind: signalbox.KindTool}
	k := signalbox.Candidate{Price: &signalbox.Price{Rates: signalbox.Rates{PerCall: 50}}}
	lines := []budget.Line{capped(signalbox.UnitUSD, signalbox.OnCapShrink, 0)}
	for room, want := range map[int64]bool{50: true, 49: false} {
		if got, ok := policy(t).Shrunk(c, k, byBytes, lines, func(budget.Line) int64 { return room }); got != 0 || ok != want {
			t.Errorf("room %d: got %d, %v, want %v", room, got, ok, want)
		}
	}
}

func TestWhatIsShrunkFitsAndOneTokenMoreDoesNot(t *testing.T) {
	p := policy(t)
	rapid.Check(t, func(t *rapid.T) {
		k, c := drawCandidate(t), drawCall(t)
		exact := rapid.Int64Range(-1, 6000).Draw(t, "exact")
		wanted := p.Bound(c, k, 0, exact)
		var lines []budget.Line
		rooms := map[string]int64{}
		for _, unit := range []signalbox.Unit{signalbox.UnitUSD, signalbox.UnitTokens, signalbox.UnitOutputTokens} {
			if rapid.Bool().Draw(t, "line") {
				lines = append(lines, capped(unit, signalbox.OnCapShrink, rapid.Int64Range(1, 300).Draw(t, "floor")))
				all := budget.AmountOf(unit, wanted.Usage, wanted.Cost)
				rooms[string(unit)] = rapid.Int64Range(0, all).Draw(t, "room")
			}
		}
		// fits says whether all lines have room with that max_tokens, and what the highest floor of short ones is.
		fits := func(maxOutput int64) (all bool, floor int64) {
			b := p.Bound(c, k, maxOutput, exact)
			all = true
			for _, l := range lines {
				if budget.AmountOf(l.Account.Unit, b.Usage, b.Cost) > rooms[l.Key] {
					all, floor = false, max(floor, l.Budget.MinOutput)
				}
			}
			return all, floor
		}
		got, ok := p.Shrunk(c, k, exact, lines, func(l budget.Line) int64 { return rooms[l.Key] })
		anyway, floor := fits(wanted.MaxOutput)
		switch {
		case anyway:
			if !ok || got != wanted.MaxOutput {
				t.Fatalf("got %d, %v, but %d fits", got, ok, wanted.MaxOutput)
			}
		case ok:
			if yes, _ := fits(got); !yes || got < floor || got >= wanted.MaxOutput {
				t.Fatalf("got %d with floor %d, fits %v", got, floor, yes)
			}
			if more, _ := fits(got + 1); more {
				t.Fatalf("got %d, but %d fits too", got, got+1)
			}
		case floor <= wanted.MaxOutput:
			if yes, _ := fits(floor); yes {
				t.Fatalf("got nothing, but the floor %d fits", floor)
			}
		}
	})
}
