package server

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/retention"
)

const shortRetention = `
tenants:
  - {id: acme, retention: {min_days: 1, content_days: 3}}
  - {id: globex}
keys:
  - {id: admin, secret: the-admin-key-of-acme, tenant: acme, role: admin}
  - {id: agent, secret: the-agent-key-of-acme, tenant: acme, role: agent}
  - {id: other, secret: the-agent-key-of-globex, tenant: globex, role: agent}
audit: {min_retention_days: 1}
` + simulatedModel

// contents counts the records of a tenant by whether they have their content.
func contents(t *testing.T, s *Server, tenant string) (kept, destroyed int) {
	t.Helper()
	for e, err := range s.data.db.Entries(t.Context(), 0) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Tenant != tenant:
		case e.Destroyed():
			destroyed++
		default:
			kept++
		}
	}
	return kept, destroyed
}

func asks(i *instance, key string) {
	i.t.Helper()
	answer, body := i.send(http.MethodPost, "/v1/chat/completions", key, `{"model":"small","messages":[{"role":"user","content":"hi"}]}`)
	if answer.StatusCode != http.StatusOK {
		i.t.Fatalf("%d %s", answer.StatusCode, body)
	}
}

func TestContentIsDestroyedWithEvidence(t *testing.T) {
	dir := t.TempDir()
	i := started(t, dir, shortRetention)
	for _, key := range []string{agentKey, agentKey, "the-agent-key-of-globex"} {
		asks(i, key)
	}
	k := &keeper{Server: i.Server, from: map[string]int64{}}
	own, _ := contents(t, i.Server, "")
	k.keepAt(t.Context(), time.Now().Add(3*retention.Day-time.Hour))
	if kept, destroyed := contents(t, i.Server, "acme"); kept < 4 || destroyed != 0 {
		t.Fatalf("before the end of the retention %d are kept and %d destroyed", kept, destroyed)
	}
	for range 2 { // The second time there is nothing left to do.
		k.keepAt(t.Context(), time.Now().Add(4*retention.Day))
	}
	if kept, destroyed := contents(t, i.Server, "acme"); kept != 0 || destroyed < 4 {
		t.Fatalf("%d are kept and %d destroyed", kept, destroyed)
	}
	if kept, destroyed := contents(t, i.Server, "globex"); kept < 2 || destroyed != 0 {
		t.Fatalf("of the other tenant %d are kept and %d destroyed", kept, destroyed)
	}
	if kept, destroyed := contents(t, i.Server, ""); kept != own+1 || destroyed != 0 {
		t.Fatalf("Signalbox's own are %d and %d destroyed, want one more than %d", kept, destroyed, own)
	}
	checkEvidence(t, i.Server)
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	if log := i.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "destroyed") {
		t.Fatal(log)
	}
	again := started(t, dir, shortRetention) // What was destroyed keeps nobody from starting.
	checkEvidence(t, again.Server)
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
}

// A call whose outcome was destroyed before the projections came to it is open there, and has ended all the same.
func TestDestroyedOutcomeIsOne(t *testing.T) {
	i := started(t, t.TempDir(), shortRetention)
	asks(i, agentKey)
	k := &keeper{Server: i.Server, from: map[string]int64{}}
	k.keepAt(t.Context(), time.Now().Add(4*retention.Day))
	var open []signalbox.CallView
	for e, err := range i.data.db.Entries(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Call != "" && e.Type == signalbox.RecordIntent {
			open = append(open, signalbox.CallView{ID: e.Call})
		}
	}
	if len(open) == 0 {
		t.Fatal("there is no intent in the log")
	}
	left, err := i.unended(t.Context(), open)
	if err != nil || len(left) != 0 {
		t.Errorf("%d of %d calls would be ended again (%v)", len(left), len(open), err)
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
}

func checkEvidence(t *testing.T, s *Server) {
	t.Helper()
	report, err := audit.Verify(t.Context(), s.data.db, audit.Options{Verifier: s.data.key.Verifier()})
	if err != nil || !report.OK() {
		t.Fatalf("the log does not verify: %+v, %v", report, err)
	}
	for e, err := range s.data.db.Entries(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Destroyed() {
			continue
		}
		r, err := audit.Decode(e)
		if err != nil {
			t.Fatal(err)
		}
		if r.What.Action == signalbox.ActionContentDestroyed {
			d := r.What.Detail
			if d["tenant"] != "acme" || d["rule"] != "tenants.acme.retention.content_days: 3" || d["records"] == "0" || d["before"] == "" {
				t.Fatalf("the evidence says %v", d)
			}
			return
		}
	}
	t.Fatal("there is no evidence")
}

func TestDestroyedContentLeavesTheRawFiles(t *testing.T) {
	dir := t.TempDir()
	i := started(t, dir, shortRetention)
	asks(i, agentKey)
	var content []byte
	for e, err := range i.data.db.Entries(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == signalbox.RecordOutcome {
			content = e.Content
		}
	}
	(&keeper{Server: i.Server, from: map[string]int64{}}).keepAt(t.Context(), time.Now().Add(4*retention.Day))
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(i.config.Database.Path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) == 0 || strings.Contains(string(raw), string(content)) {
			t.Errorf("the file %s still holds the record", suffix)
		}
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
}
