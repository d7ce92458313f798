package ledger

import (
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// What nobody can bound is refused like what nobody can price, unless the tenant allows both.
func TestUnboundedRequests(t *testing.T) {
	model := signalbox.Candidate{Name: "known", Format: signalbox.ProtocolOpenAIChat, Price: &signalbox.Price{}}
	for _, allow := range []bool{false, true} {
		v := newVault()
		l := open(t, v, budget.Options{Tenants: []budget.Tenant{{ID: "acme", Budgets: []signalbox.Budget{usdPerDay(1)}, AllowUnpriced: allow}}}, nil)
		tr := track("a")
		tr.Call.Kind, tr.Call.Tool, tr.Call.Model = signalbox.KindModel, nil, &signalbox.ModelRequest{Choices: 1, MaxOutput: 100}
		tr.Call.Model.Unbounded = signalbox.Errorf(signalbox.CodeUnsupported, "tools[0] has fees.").WithField("tools[0]").WithRemedy("Leave it out.")
		tab, err := l.Open(t.Context(), tr)
		if err != nil {
			t.Fatal(err)
		}
		err = tab.Hold(t.Context(), tr, model, &signalbox.Attempt{N: 1})
		if (err == nil) != allow || !allow && signalbox.CodeOf(err) != signalbox.CodeUnsupported {
			t.Errorf("allow_unpriced %t: got %v", allow, err)
		}
	}
}
