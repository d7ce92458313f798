package signalbox

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAccountText(t *testing.T) {
	cases := map[string]Account{
		"key acme support - usd day 2026-11-21T15:00:00Z": {
			Kind: OwnerKey, Tenant: "acme", Name: "support", Unit: UnitUSD, Per: WindowDay,
			Start: time.Date(2026, 11, 22, 0, 0, 0, 0, time.FixedZone("KST", 9*60*60)),
		},
		"tenant acme - - concurrent - -": {Kind: OwnerTenant, Tenant: "acme", Unit: UnitConcurrent},
		"team acme customer%20service - usd run -": {
			Kind: OwnerTeam, Tenant: "acme", Name: "customer service", Unit: UnitUSD, Per: WindowRun,
		},
		"agent acme %2D - steps run -":    {Kind: OwnerAgent, Tenant: "acme", Name: "-", Unit: UnitSteps, Per: WindowRun},
		"team acme 50%25 - tokens run -":  {Kind: OwnerTeam, Tenant: "acme", Name: "50%", Unit: UnitTokens, Per: WindowRun},
		"team acme %2520 - tokens run -":  {Kind: OwnerTeam, Tenant: "acme", Name: "%20", Unit: UnitTokens, Per: WindowRun},
		"run_agent a run_1 x usd run -":   {Kind: OwnerRunAgent, Tenant: "a", Name: "run_1", Agent: "x", Unit: UnitUSD, Per: WindowRun},
		"team acme 상담팀 - requests hour -": {Kind: OwnerTeam, Tenant: "acme", Name: "상담팀", Unit: UnitRequests, Per: WindowHour},
	}
	for want, account := range cases {
		if got := account.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		back, err := ParseAccount(want)
		if err != nil || back.String() != want || !back.Start.Equal(account.Start) || back.Name != account.Name {
			t.Errorf("%q: read back as %+v, %v", want, back, err)
		}
	}
	for _, text := range []string{"", "key", "a b c d e f", "a b c d e f g h", "a b c d e f yesterday"} {
		if got, err := ParseAccount(text); err == nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

// Whatever a team is called, its account is read back as it was, and is no other team's.
func TestAccountsOfAnyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOf(rapid.SampledFrom([]rune("- %20Da팀"))).Draw(t, "name")
		want := Account{Kind: OwnerTeam, Tenant: "acme", Name: name, Unit: UnitUSD, Per: WindowDay, Start: time.Unix(1e9, 0).UTC()}
		got, err := ParseAccount(want.String())
		if err != nil || got != want || strings.Count(want.String(), " ") != 6 {
			t.Fatalf("%q: got %+v, %v", want.String(), got, err)
		}
	})
}
