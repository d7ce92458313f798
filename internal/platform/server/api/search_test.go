package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/registry"
)

// search finds five things for whoever has an agent, and says as whom it was asked.
func search(_ context.Context, c signalbox.Caller, words string) ([]api.Found, []api.Missing) {
	if c.Agent == "" {
		return nil, nil
	}
	var hits []api.Found
	for i, id := range []string{"a", "b c", "files.a", "files.b", "files.c"} {
		kind := registry.KindAgent
		if i > 1 {
			kind = registry.KindTool
		}
		hits = append(hits, api.Found{
			Kind: kind, ID: id, Name: c.Tenant + " " + c.Agent + " " + words, Place: registry.Place{Rank: i / 2, Kind: kind, ID: id},
		})
	}
	return hits, []api.Missing{{Server: "mail", Code: signalbox.CodeTimeout}}
}

func hits(page api.FoundPage) string {
	var list []string
	for _, f := range page.Items {
		list = append(list, f.ID)
	}
	return strings.Join(list, ",")
}

func TestSearchPages(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		name  string
		query []string
		want  string
	}{
		{"all", nil, "a,b c,files.a,files.b,files.c"},
		{"tools", []string{"kind", "tool"}, "files.a,files.b,files.c"},
		{"agents", []string{"kind", "agent"}, "a,b c"},
	} {
		for limit := 1; limit <= 6; limit++ {
			t.Run(fmt.Sprintf("%s by %d", c.name, limit), func(t *testing.T) {
				var got []string
				for next := ""; ; {
					query := append([]string{"q", "read file", "agent", "reader", "limit", fmt.Sprint(limit), "cursor", next}, c.query...)
					page := get[api.FoundPage](s, "/search", auditor, query...)
					got = append(got, hits(page))
					if len(page.Missing) != 1 || page.Missing[0].Server != "mail" {
						t.Errorf("missing is %v", page.Missing)
					}
					if page.Next == nil {
						break
					}
					if next = *page.Next; len(page.Items) != limit {
						t.Errorf("a page that is not the last has %d", len(page.Items))
					}
				}
				if strings.Join(got, ",") != c.want {
					t.Errorf("got %v", got)
				}
			})
		}
	}
}

// Who is bound to an agent looks as that one; others look as the one they name, and as nobody else's tenant.
func TestSearchAs(t *testing.T) {
	s := open(t)
	nobody := get[api.FoundPage](s, "/search", auditor, "q", "x")
	if hits(nobody) != "" || nobody.Items == nil || nobody.Missing == nil {
		t.Errorf("got %+v", nobody)
	}
	if got := get[api.FoundPage](s, "/search", auditor, "q", "x", "agent", "reader").Items[0].Name; got != "acme reader x" {
		t.Errorf("it was asked as %q", got)
	}
	made := s.ask(http.MethodPost, "/api/v1/keys", admin, `{"tenant":"acme","role":"agent","agent":"writer"}`)
	var key struct {
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal(made.body, &key); err != nil || key.Secret == "" {
		t.Fatalf("%d %s", made.status, made.body)
	}
	secret := key.Secret
	for _, agent := range []string{"", "writer"} {
		if got := get[api.FoundPage](s, "/search", secret, "q", "x", "agent", agent).Items[0].Name; got != "acme writer x" {
			t.Errorf("it was asked as %q", got)
		}
	}
	refused(t, "another agent", s.ask(http.MethodGet, "/api/v1/search?q=x&agent=reader", secret, ""), 403, "forbidden")
}

// A server of another tenant is not there: not in lists, nor by its name. Who sees all tenants sees it.
func TestServersOfTenants(t *testing.T) {
	s := open(t)
	s.show("vault", "open", "Opens it.")
	s.show("files", "read", "Reads.")
	s.people.policy.Tools = []api.ToolInForce{{ID: "files.read", Server: "files"}, {ID: "vault.open", Server: "vault"}}
	for _, c := range []struct {
		tenant string
		role   signalbox.Role
		sees   bool
	}{
		{"acme", signalbox.RoleDeveloper, false},
		{"acme", signalbox.RoleApprover, false},
		{"globex", signalbox.RoleDeveloper, true},
		{"acme", signalbox.RoleAuditor, true},
		{"acme", signalbox.RoleOperator, true},
	} {
		t.Run(c.tenant+" "+string(c.role), func(t *testing.T) {
			key := secretOf(c.tenant, c.role)
			lists := fmt.Sprint(
				pinIDs(get[api.Page[api.Pin]](s, "/pins", key)), get[api.Health](s, "/health", key).Components, get[api.PolicyView](s, "/policy", key).Tools,
			)
			if strings.Count(lists, "vault") != map[bool]int{true: 4, false: 0}[c.sees] || strings.Count(lists, "files") != 4 {
				t.Errorf("it is shown %s", lists)
			}
			status := map[bool]int{true: 200, false: 404}[c.sees]
			if a := s.ask(http.MethodGet, "/api/v1/pins/vault.open", key, ""); a.status != status {
				t.Errorf("the pin: %d %s", a.status, a.body)
			}
		})
	}
	hidden := refused(t, "of another tenant", s.ask(http.MethodGet, "/api/v1/pins/vault.open", secretOf("acme", signalbox.RoleDeveloper), ""), 404, "not_found")
	absent := refused(t, "of nobody", s.ask(http.MethodGet, "/api/v1/pins/vault.none", secretOf("acme", signalbox.RoleAuditor), ""), 404, "not_found")
	if strings.ReplaceAll(hidden.Error.Message, "open", "none") != absent.Error.Message {
		t.Errorf("one is told apart from what is not there: %q, %q", hidden.Error.Message, absent.Error.Message)
	}
}
