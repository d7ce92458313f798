package registry

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// say sends a message of MCP.
func say(t testing.TB, i *harness.Instance, path, key, message string) harness.Answer {
	t.Helper()
	return i.Send(t, http.MethodPost, path, key, `{"jsonrpc":"2.0","id":1,"method":`+message+`}`, "Accept", "application/json, text/event-stream")
}

func calling(tool string) string {
	return `"tools/call","params":{"name":"` + tool + `","arguments":{}}`
}

var ids = regexp.MustCompile(`(call|req)_[0-9a-z]+`)

// same reports whether two answers differ by nothing but the name that was asked for, and their ids.
func same(a, b harness.Answer, name, other string) bool {
	text := func(a harness.Answer) string { return ids.ReplaceAllString(a.Body, "") }
	return a.Status == b.Status && text(a) == strings.ReplaceAll(text(b), other, name)
}

// A server that exists for one tenant is not there for another, whatever permissions and grants say: nowhere in lists, and
// by its name like one that nobody has configured.
func TestTenants(t *testing.T) {
	t.Parallel()
	i := launch(t, "")
	if a := say(t, i, "/mcp/vault", other, calling("open")); !strings.Contains(a.Body, `"done"`) {
		t.Fatalf("its own tenant: %d %s", a.Status, a.Body)
	}
	if a := say(t, i, "/mcp", other, `"tools/list"`); !strings.Contains(a.Body, `"vault__open"`) {
		t.Errorf("its own tenant lists: %s", a.Body)
	}
	for _, path := range []string{"/mcp", "/mcp/files"} {
		if a := say(t, i, path, clerk, `"tools/list"`); strings.Contains(a.Body, "vault") || !strings.Contains(a.Body, "read_text") {
			t.Errorf("%s lists %s", path, a.Body)
		}
	}
	for _, message := range []string{calling("open"), `"tools/list"`, `"ping"`, `"resources/read","params":{"uri":"a:b"}`} {
		if a, b := say(t, i, "/mcp/vault", clerk, message), say(t, i, "/mcp/vaunt", clerk, message); a.Status != http.StatusNotFound || !same(a, b, "vault", "vaunt") {
			t.Errorf("%s: %d %s, and where there is nothing %d %s", message, a.Status, a.Body, b.Status, b.Body)
		}
	}
	if a, b := say(t, i, "/mcp", clerk, calling("vault__open")), say(t, i, "/mcp", clerk, calling("vaunt__open")); !same(a, b, "vault", "vaunt") {
		t.Errorf("joint: %s, and where there is nothing %s", a.Body, b.Body)
	}
	if a, b := get(t, i, "/mcp/vault/server-card", clerk), get(t, i, "/mcp/vaunt/server-card", clerk); !same(a, b, "vault", "vaunt") {
		t.Errorf("card: %s, and where there is nothing %s", a.Body, b.Body)
	}
	for _, path := range []string{"/pins", "/policy", "/health"} {
		a, all := i.Send(t, http.MethodGet, "/api/v1"+path, dev, ""), i.Send(t, http.MethodGet, "/api/v1"+path, harness.Auditor, "")
		if a.Status != http.StatusOK || strings.Contains(a.Body, "mcp vault") || strings.Contains(a.Body, `"server":"vault"`) || path == "/pins" != strings.Contains(all.Body, `"server":"vault"`) {
			t.Errorf("%s says %s, and to an auditor %s", path, a.Body, all.Body)
		}
	}
	explained := i.Send(t, http.MethodPost, "/api/v1/policy/explain", dev, `{"agent":"clerk","tool":"vault.open"}`)
	if !strings.Contains(explained.Body, `"allowed":false`) || !strings.Contains(explained.Body, "There is no MCP server") {
		t.Errorf("it is explained by %s", explained.Body)
	}
	refusals := 0
	for _, r := range i.Log(t) {
		if r.Type == signalbox.RecordOutcome && r.What.ToolName == "vault.open" && r.Who.TenantID == "acme" {
			refusals++
			if *r.Outcome != signalbox.OutcomeDenied {
				t.Errorf("the record says %s", *r.Outcome)
			}
		}
	}
	if refusals != 1 {
		t.Errorf("%d refused calls are on record", refusals)
	}
	grants(t, i)
}

// grants gives a grant for emergencies, which opens no other tenant's server.
func grants(t *testing.T, i *harness.Instance) {
	if a := i.Send(t, http.MethodPost, "/api/v1/break-glass", harness.Operator, `{"agent":"reader","tool":"vault.*","reason":"fire"}`); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := say(t, i, "/mcp/vault", reader, calling("open")); a.Status != http.StatusNotFound {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if page := decoded[api.FoundPage](t, i, "/api/v1/search?q=vault", reader); len(page.Items)+len(page.Missing) != 0 {
		t.Errorf("found %+v", page)
	}
}
