package login

import (
	"net/http"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

// A login that one replica has begun, another ends; the session works on all of them at once, and ends on all of them.
func TestReplicas(t *testing.T) {
	text := fleet.Base + "tenants:\n  - id: acme\n" + harness.Simulated + newIdentity(t).config()
	f := fleet.Launch(t, text, postgrestest.Database(t), 2)
	b := newBrowser(t, f.At(0))
	back := b.consent(decider, "")
	b.toward(f.At(1))
	if v := b.get(back); v.status != http.StatusOK {
		t.Fatalf("the login ends with %d: %s", v.status, v.body)
	}
	for n := range f.Size() {
		b.toward(f.At(n))
		b.wantWho(user)
	}
	id := gate.SessionID(b.cookie(gate.SessionCookie))
	if a := f.At(0).Send(t, http.MethodPost, "/api/v1/sessions/"+id+"/revoke", harness.Admin, ""); a.Status != http.StatusNoContent {
		t.Fatalf("revoking answers %d: %s", a.Status, a.Body)
	}
	since := time.Now()
	for n := range f.Size() {
		b.toward(f.At(n))
		harness.Eventually(t, func() error { return b.unlessWho(http.StatusUnauthorized) })
	}
	t.Logf("a session revoked on one replica is refused on all after %s", time.Since(since).Round(time.Millisecond))
	for n := range 4 * f.Size() {
		b.toward(f.At(n % f.Size()))
		b.wantWho("")
	}
}
