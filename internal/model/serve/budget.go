package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// The headers that tell a caller where the tightest of its accounts stands: the one with the least left, relative to its
// cap. Amounts are decimal US dollars for the unit usd, else counts. In a stream they are those of its beginning, when
// the call's own bound is still held.
const (
	HeaderBudgetAccount  = "X-Signalbox-Budget-Account" // Whose: "tenant acme", "run_agent run_1 writer".
	HeaderBudgetUnit     = "X-Signalbox-Budget-Unit"
	HeaderBudgetCap      = "X-Signalbox-Budget-Cap"
	HeaderBudgetSettled  = "X-Signalbox-Budget-Settled"
	HeaderBudgetHeld     = "X-Signalbox-Budget-Held"
	HeaderBudgetLeft     = "X-Signalbox-Budget-Left"
	HeaderBudgetResetsAt = "X-Signalbox-Budget-Resets-At" // RFC 3339 in UTC; missing where the account has no window.

	budgetHeaders = 7
)

// SetBudget tells the caller where the tightest of the call's accounts stands.
func SetBudget(h http.Header, t *call.Track) {
	if t.Tab == nil {
		return
	}
	b, ok := t.Tab.Tightest()
	if !ok {
		return
	}
	values := make([]string, 0, budgetHeaders) // One allocation for all; their names are in canonical form.
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	unit := b.Account.Unit
	set(HeaderBudgetAccount, owner(b.Account))
	set(HeaderBudgetUnit, string(unit))
	set(HeaderBudgetCap, amount(unit, b.Cap))
	set(HeaderBudgetSettled, amount(unit, b.Settled))
	set(HeaderBudgetHeld, amount(unit, b.Held))
	set(HeaderBudgetLeft, amount(unit, b.Left()))
	if b.ResetAt != 0 {
		set(HeaderBudgetResetsAt, time.Unix(b.ResetAt, 0).UTC().Format(time.RFC3339))
	}
}

func owner(a signalbox.Account) string {
	text := string(a.Kind)
	for _, part := range []string{a.Name, a.Agent} {
		if part != "" {
			text += " " + part
		}
	}
	if a.Name == "" {
		text += " " + a.Tenant
	}
	return text
}

func amount(unit signalbox.Unit, n int64) string {
	if unit == signalbox.UnitUSD {
		return signalbox.Money(n).String()
	}
	return strconv.FormatInt(n, 10)
}
