package config

import (
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

func TestBudgets(t *testing.T) {
	c, err := parseFile(t, filepath.Join("testdata", "budgets.good.yml"))
	if err != nil {
		t.Fatal(err)
	}
	const refuse, shrink = signalbox.OnCapRefuse, signalbox.OnCapShrink
	a := c.Tenants[0]
	equal(t, "budgets of a tenant", a.Budgets, []signalbox.Budget{
		{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: int64(100 * signalbox.Dollar), WarnAt: 800, OnCap: refuse},
		{Unit: signalbox.UnitUSD, Per: signalbox.WindowRun, Max: 1, OnCap: refuse},
		{Unit: signalbox.UnitUSD, Per: signalbox.WindowMonth, Max: int64(MaxBudget), OnCap: refuse},
		{Unit: signalbox.UnitUSD, Per: signalbox.WindowWeek, Max: int64(9090 * signalbox.Dollar), OnCap: refuse},
		{Unit: signalbox.UnitUSD, Per: signalbox.WindowHour, Max: 0, OnCap: refuse},
		{Unit: signalbox.UnitTokens, Per: signalbox.WindowMinute, Max: 50000, OnCap: shrink, MinOutput: signalbox.DefaultMinOutput},
		{Unit: signalbox.UnitTokens, Per: signalbox.WindowDay, Max: MaxBudgetCount, OnCap: refuse, Soft: true, WarnAt: 1000},
		{Unit: signalbox.UnitInputTokens, Per: signalbox.WindowDay, Max: 70, OnCap: refuse, KeepOpen: true},
		{Unit: signalbox.UnitOutputTokens, Per: signalbox.WindowDay, Max: 70, OnCap: shrink, MinOutput: 70, WarnAt: 125},
		{Unit: signalbox.UnitSteps, Per: signalbox.WindowRun, Max: 20, OnCap: refuse},
	})
	equal(t, "limits", a.Limits, []signalbox.Budget{
		{Unit: signalbox.UnitRequests, Per: signalbox.WindowWeek, Max: 5}, {Unit: signalbox.UnitRequests, Per: signalbox.WindowMonth, Max: 50},
	})
	equal(t, "allow_unpriced", []bool{a.AllowUnpriced, c.Tenants[1].AllowUnpriced}, []bool{true, false})
	dollar := []signalbox.Budget{{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: int64(signalbox.Dollar), OnCap: refuse}}
	equal(t, "team", c.Teams[0], Team{ID: "customer service", Tenant: "a", Budgets: dollar})
	equal(t, "key", c.Keys[0].Budgets, []signalbox.Budget{{Unit: signalbox.UnitTokens, Per: signalbox.WindowRun, Max: 9, OnCap: refuse}})
	equal(t, "agent", c.Agents[0].Budgets[0].Max, int64(20*signalbox.Dollar+signalbox.Dollar/2))
	equal(t, "downgrade", c.Models["large"].DowngradeTo, "middle")
	equal(t, "no downgrade", c.Models["small"].DowngradeTo, "")
	s := c.MCPServers["s"]
	equal(t, "price of the server", s.Price.PerCall.String(), "0.5")
	for tool, want := range map[string]string{"read": "0", "write/all": "0.25"} {
		equal(t, "price of "+tool, s.Tools[tool].Price.PerCall.String(), want)
	}
	equal(t, "a tool without a price", s.Tools["other"].Price == nil, true)
	equal(t, "limits of the process", []any{c.Limits.BudgetWait, c.Limits.BudgetWaiting, c.Limits.DefaultMaxOutput},
		[]any{time.Duration(0), int64(7), int64(1000)})
	equal(t, "runs", c.Runs, Runs{10 * time.Minute})
	equal(t, "cluster", c.Cluster, Cluster{5 * time.Second, 30 * time.Minute})
}

// Every cap survives the way through the file to the last nano-dollar, and what is beyond the bounds is refused.
func TestCapsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := signalbox.Money(rapid.Int64Range(0, 2*int64(MaxBudget)).Draw(t, "cap"))
		text := want.String()
		if rapid.Bool().Draw(t, "quoted") {
			text = `"` + text + `"`
		}
		c, err := Parse("x", []byte("tenants: [{id: a, budgets: [{max: "+text+", unit: usd, per: day}]}]"), nil, Options{})
		switch {
		case want > MaxBudget && err == nil:
			t.Fatalf("%s: accepted %+v", text, c.Tenants)
		case want <= MaxBudget && (err != nil || c.Tenants[0].Budgets[0].Max != int64(want)):
			t.Fatalf("%s: got %v, %v", text, c, err)
		}
	})
}

func TestCurrencyOf(t *testing.T) {
	cases := map[string]currency{
		"5": noCurrency, "0.5": noCurrency, "tokens": noCurrency, "minutes": noCurrency, "": noCurrency, "1e3": noCurrency, "usb": noCurrency,
		"$": domestic, "$5": domestic, "5 USD": domestic, "usd": domestic, "US$ 5": domestic, "5 dollars": domestic,
		"€": foreign, "€5": foreign, "5€": foreign, "100 EUR": foreign, "100EUR": foreign, "eur": foreign, "KRW 1000": foreign,
		"₩1000": foreign, "1000원": foreign, "A$5": foreign, "R$ 5": foreign, "$5 or €5": foreign, "C$": foreign,
	}
	for text, want := range cases {
		if got := currencyOf(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
