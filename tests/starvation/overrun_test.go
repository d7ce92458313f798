package starvation

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

// A provider that bills more than the bound breaks the one condition of the promise: it is booked in full, said in the
// record, alerted, and the account takes nothing more until somebody has looked at it.
func TestOverrunsCloseTheirAccount(t *testing.T) {
	f, p := one(t, usd("month", signalbox.Dollar), "200ms")
	a := f.Ask(t, fleet.Ask{MaxTokens: 10, Prompt: "in=10 out=10 beyond=5000", Request: "overrun"})
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	f.Settled(t)
	if spent, _ := settled(t, f, signalbox.OwnerTenant, "acme", ""); spent != p.Orders("overrun")[0].Cost {
		t.Errorf("settled %s, billed %s", spent, p.Orders("overrun")[0].Cost)
	}
	r := f.Outcomes(t)[a.Header.Get("X-Signalbox-Call")]
	if len(r.Attempts) != 1 || !r.Attempts[0].Overrun || *r.Attempts[0].Cost <= *r.Attempts[0].Held {
		t.Errorf("the record does not say so: %+v", r.Attempts)
	}
	small := fleet.Ask{MaxTokens: 10, Prompt: "out=3"}
	refused := f.Ask(t, small)
	if e := failed(t, refused); refused.Status != http.StatusPaymentRequired || !strings.Contains(e.Message, "closed") || e.Remedy == "" {
		t.Errorf("status %d: %s", refused.Status, refused.Body)
	}
	alerted(t, f)

	var accounts api.Page[api.Account]
	f.Next().Get(t, "/accounts", url.Values{"kind": {"tenant"}, "tenant": {"acme"}}, &accounts)
	name := ""
	for _, row := range accounts.Items {
		if row.Closed && row.Unit == signalbox.UnitUSD {
			name = row.Account
		}
	}
	if name == "" {
		t.Fatalf("no account is shown as closed: %+v", accounts.Items)
	}
	reopened := f.Send(t, http.MethodPost, "/api/v1/accounts/reopen", harness.Operator, fmt.Sprintf(`{"account":%q}`, name))
	if reopened.Status != http.StatusOK || strings.Contains(reopened.Body, `"closed":true`) {
		t.Fatalf("reopening answers %d: %s", reopened.Status, reopened.Body)
	}
	harness.Eventually(t, func() error {
		if a := f.Ask(t, small); a.Status != http.StatusOK {
			return fmt.Errorf("after it was reopened: status %d: %s", a.Status, a.Body)
		}
		return nil
	})
	f.Settled(t)
	f.SameAsLedger(t)
}

func alerted(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	harness.Eventually(t, func() error {
		var page api.Page[api.Alert]
		if err := f.Next().TryGet("/alerts", url.Values{"tenant": {"acme"}}, &page); err != nil {
			return err
		}
		for _, row := range page.Items {
			if row.Rule == "overrun" {
				return nil
			}
		}
		return fmt.Errorf("no alert tells of the overrun: %+v", page.Items)
	})
}
