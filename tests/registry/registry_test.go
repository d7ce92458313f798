package registry

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/registry"
	"github.com/signalbox/signalbox/tests/harness"
)

const (
	namespace = "com.example.box/in."
	catalog   = "/.well-known/ai-catalog.json"
)

// Each caller is shown what he can reach, and nobody else's servers are there.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	i := launch(t, "")
	for _, c := range []struct{ name, key, sees string }{
		{"reader", reader, "all_servers files"},
		{"clerk", clerk, "all_servers files mail"},
		{"no agent", nobody, ""},
		{"another tenant", other, "all_servers files mail vault"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sees := strings.Fields(c.sees)
			var listed, named []string
			for _, e := range decoded[registry.Catalog](t, i, catalog, c.key).Entries {
				listed = append(listed, strings.TrimPrefix(e.Identifier, "urn:air:box.example.com:mcp:in."))
			}
			for _, a := range decoded[registry.List](t, i, "/v0.1/servers", c.key).Servers {
				named = append(named, strings.TrimPrefix(a.Server.Name, namespace))
			}
			if strings.Join(listed, " ") != c.sees || strings.Join(named, " ") != c.sees {
				t.Errorf("the catalog has %v, the registry %v, want %v", listed, named, sees)
			}
			for id, path := range map[string]string{"all_servers": "/mcp", "files": "/mcp/files", "mail": "/mcp/mail", "vault": "/mcp/vault", "no": "/mcp/no"} {
				want := http.StatusNotFound
				if strings.Contains(" "+c.sees+" ", " "+id+" ") {
					want = http.StatusOK
				}
				if a := get(t, i, path+"/server-card", c.key); a.Status != want {
					t.Errorf("the card of %s answers %d: %s", id, a.Status, a.Body)
				}
				if a := get(t, i, "/v0.1/servers/"+url.PathEscape(namespace+id)+"/versions/latest", c.key); a.Status != want {
					t.Errorf("the registry answers %d about %s: %s", a.Status, id, a.Body)
				}
			}
		})
	}
	t.Run("nobody", func(t *testing.T) { refusesStrangers(t, i) })
	t.Run("what cards say", func(t *testing.T) { cards(t, i) })
	t.Run("what a client keeps", func(t *testing.T) { kept(t, i) })
	t.Run("pages", func(t *testing.T) { pages(t, i) })
	t.Run("errors of the registry", func(t *testing.T) { registryErrors(t, i) })
	t.Run("pages of other origins", func(t *testing.T) { origins(t, i) })
}

// Who has no key, or may make no calls, is shown nothing.
func refusesStrangers(t *testing.T, i *harness.Instance) {
	for _, path := range []string{catalog, "/mcp/server-card", "/mcp/files/server-card", "/v0.1/servers", "/v0.1/servers/x/versions", "/v0.1/publish", "/v0.1/servers/x/versions/1"} {
		for key, want := range map[string]int{"": 401, "nobody-has-this-key-0001": 401, harness.Auditor: 403} {
			a := get(t, i, path, key)
			if a.Status != want || strings.Contains(a.Body, "files") || a.Header.Get("ETag") != "" {
				t.Errorf("%s with %q: %d %s", path, key, a.Status, a.Body)
			}
		}
	}
	if a := i.Send(t, http.MethodGet, catalog, clerk, "", "X-Signalbox-Agent", "reader"); a.Status != http.StatusForbidden {
		t.Errorf("a key that is bound to an agent reads as another: %d %s", a.Status, a.Body)
	}
	if a := i.Send(t, http.MethodGet, catalog, nobody, "", "X-Signalbox-Agent", "reader"); a.Status != http.StatusOK || !strings.Contains(a.Body, "in.files") {
		t.Errorf("a key that is bound to none does not read as one: %d %s", a.Status, a.Body)
	}
}

func cards(t *testing.T, i *harness.Instance) {
	a := get(t, i, "/mcp/files/server-card", reader)
	if got := a.Header.Get("Content-Type"); got != registry.CardType {
		t.Errorf("the type is %s", got)
	}
	card := decoded[registry.Card](t, i, "/mcp/files/server-card", reader)
	if card.Name != namespace+"files" || card.Title != "Files of the team" || card.Description != "Reads and writes what the team keeps." {
		t.Errorf("it says %+v", card)
	}
	r := card.Remotes[0]
	if len(card.Remotes) != 1 || r.URL != "https://box.example.com/in/mcp/files" || len(r.Protocols) < 4 || r.Protocols[0] != "2026-07-28" || !r.Headers[0].Required {
		t.Errorf("it leads to %+v", card.Remotes)
	}
	joint := decoded[registry.Card](t, i, "/mcp/server-card", reader)
	if joint.Remotes[0].URL != "https://box.example.com/in/mcp" {
		t.Errorf("the joint one leads to %+v", joint.Remotes)
	}
	if got := get(t, i, catalog, reader).Header.Get("Content-Type"); got != registry.CatalogType {
		t.Errorf("the type of the catalog is %s", got)
	}
	for _, e := range decoded[registry.Catalog](t, i, catalog, reader).Entries {
		path, found := strings.CutPrefix(e.URL, "https://box.example.com/in")
		if a := get(t, i, path, reader); !found || a.Status != http.StatusOK || e.Type != registry.CardType {
			t.Errorf("%+v leads to %d %s", e, a.Status, a.Body)
		}
	}
}

// A client that has a document already does not get it again; what belongs to one caller is kept by nobody for others.
func kept(t *testing.T, i *harness.Instance) {
	for _, path := range []string{catalog, "/mcp/server-card", "/mcp/files/server-card", "/v0.1/servers"} {
		a := get(t, i, path, clerk)
		tag := a.Header.Get("ETag")
		if a.Status != 200 || tag == "" || !strings.Contains(a.Header.Get("Cache-Control"), "private") || !strings.Contains(a.Header.Get("Vary"), "Authorization") {
			t.Errorf("%s: %d %v", path, a.Status, a.Header)
		}
		for _, header := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			if a := get(t, i, path, clerk, "If-None-Match", header); a.Status != http.StatusNotModified || a.Body != "" {
				t.Errorf("%s with %s: %d %s", path, header, a.Status, a.Body)
			}
		}
		if a := get(t, i, path, clerk, "If-None-Match", `"x"`); a.Status != http.StatusOK {
			t.Errorf("%s with another tag: %d", path, a.Status)
		}
		if a := get(t, i, path, "", "If-None-Match", tag); a.Status != http.StatusUnauthorized {
			t.Errorf("%s with the tag and no key: %d", path, a.Status)
		}
	}
	if get(t, i, catalog, clerk).Header.Get("ETag") == get(t, i, catalog, reader).Header.Get("ETag") {
		t.Error("two callers who see different catalogs have the same tag")
	}
}

func pages(t *testing.T, i *harness.Instance) {
	var got []string
	for path := "/v0.1/servers?limit=2&version=latest"; ; {
		page := decoded[registry.List](t, i, path, clerk)
		for _, a := range page.Servers {
			got = append(got, strings.TrimPrefix(a.Server.Name, namespace))
		}
		if page.Metadata.NextCursor == "" {
			break
		}
		path = "/v0.1/servers?limit=2&version=latest&cursor=" + url.QueryEscape(page.Metadata.NextCursor)
	}
	if strings.Join(got, " ") != "all_servers files mail" {
		t.Errorf("got %v", got)
	}
	since := decoded[registry.List](t, i, "/v0.1/servers", clerk).Servers[0].Meta.Official.Updated
	for query, want := range map[string]int{
		"search=MAI": 1, "search=nothing": 0, "version=0.0.0": 0,
		"updated_since=" + url.QueryEscape(since.Format(time.RFC3339Nano)):                 3,
		"updated_since=" + url.QueryEscape(since.Add(time.Second).Format(time.RFC3339)):    0,
		"include_deleted=true&updated_since=" + since.Add(-time.Hour).Format(time.RFC3339): 3,
	} {
		if page := decoded[registry.List](t, i, "/v0.1/servers?"+query, clerk); page.Metadata.Count != want || len(page.Servers) != want {
			t.Errorf("%s gives %+v", query, page)
		}
	}
	versions := decoded[registry.List](t, i, "/v0.1/servers/"+url.PathEscape(namespace+"mail")+"/versions", clerk)
	one := decoded[registry.Answer](t, i, "/v0.1/servers/"+url.PathEscape(namespace+"mail")+"/versions/"+url.PathEscape(versions.Servers[0].Server.Version), clerk)
	if one.Server.Remotes[0].URL != "https://box.example.com/in/mcp/mail" || one.Server.Remotes[0].Protocols != nil || !one.Meta.Official.Latest {
		t.Errorf("it says %+v", one)
	}
}

func registryErrors(t *testing.T, i *harness.Instance) {
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/v0.1/servers?limit=0", 400, `"field":"limit"`},
		{"GET", "/v0.1/servers?limit=101", 400, `"field":"limit"`},
		{"GET", "/v0.1/servers?cursor=%21", 400, `"field":"cursor"`},
		{"GET", "/v0.1/servers?updated_since=yesterday", 400, `"field":"updated_since"`},
		{"GET", "/v0.1/servers/" + url.PathEscape(namespace+"no") + "/versions", 404, `{"error":"Server not found","code":"not_found"`},
		{"GET", "/v0.1/servers/" + url.PathEscape(namespace+"mail") + "/versions/0.0.0", 404, `{"error":"Server version not found"`},
		{"GET", "/v0.1/health", 404, `{"error":"Not found"`},
		{"POST", "/v0.1/publish", 501, `{"error":"Publishing is not supported by this registry","code":"not_implemented"`},
		{"PUT", "/v0.1/servers/" + url.PathEscape(namespace+"mail") + "/versions/1", 501, `"error"`},
	} {
		a := i.Send(t, c.method, c.path, clerk, "")
		if a.Status != c.status || !strings.Contains(a.Body, c.want) || !strings.Contains(a.Body, `"request_id":"`) {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.Status, a.Body)
		}
	}
}

// A page of any origin may read cards with a key that it was given, and is told so before it asks.
func origins(t *testing.T, i *harness.Instance) {
	for _, path := range []string{catalog, "/mcp/server-card", "/mcp/files/server-card"} {
		asked := i.Send(t, http.MethodOptions, path, "", "", "Origin", "https://page.example", "Access-Control-Request-Method", "GET")
		told := i.Send(t, http.MethodGet, path, reader, "", "Origin", "https://page.example")
		if asked.Status != http.StatusNoContent || told.Status != http.StatusOK || !strings.Contains(asked.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("%s: %d, %d", path, asked.Status, told.Status)
		}
		for _, a := range []harness.Answer{asked, told, get(t, i, path, "", "Origin", "https://page.example")} {
			if a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %d %v", path, a.Status, a.Header)
			}
		}
	}
}

func found(p api.FoundPage) string {
	var list []string
	for _, f := range p.Items {
		list = append(list, f.ID)
	}
	return strings.Join(list, " ")
}

// A search finds what the caller could use, best first, and names who did not answer in time.
func TestSearch(t *testing.T) {
	t.Parallel()
	i := launch(t, "slow: {url: \""+hang(t)+"\"}")
	for _, c := range []struct{ name, key, query, want, missing string }{
		{"a server that never answers", anyone, "q=letter", "mail.send", "slow"},
		{"by name", reader, "q=read", "reader files.read_image files.read_text", ""},
		{"exactly", reader, "q=read_text", "files.read_text", ""},
		{"by description", clerk, "q=letter", "mail.send", ""},
		{"by words of both", clerk, "q=files+picture", "files.read_image", ""},
		{"what may only be read", clerk, "q=files.", "files.read_image files.read_text", ""},
		{"tools", clerk, "q=read&kind=tool", "files.read_image files.read_text mail.send", ""},
		{"agents", reader, "q=clerk", "clerk", ""},
		{"without an agent", nobody, "q=read", "reader", ""},
		{"as an agent", nobody, "q=read&agent=reader", "reader files.read_image files.read_text", ""},
		{"a server of another tenant", clerk, "q=vault", "", ""},
		{"in that tenant", other, "q=vault", "vault.open", ""},
		{"agents of another tenant", other, "q=e&kind=agent", "clerk", ""},
		{"what is held is found by its name alone", clerk, "q=mail.list", "mail.list", ""},
		{"and not by what its server says", clerk, "q=ignore", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			page := decoded[api.FoundPage](t, i, "/api/v1/search?"+c.query, c.key)
			var missing []string
			for _, m := range page.Missing {
				missing = append(missing, m.Server)
			}
			if found(page) != c.want || strings.Join(missing, " ") != c.missing {
				t.Errorf("got %q, missing %v", found(page), missing)
			}
		})
	}
	t.Run("what is said of a hit", func(t *testing.T) {
		t.Parallel()
		for id, want := range map[string][3]string{
			"files.read_text": {"read", "0.002", "false"}, "mail.send": {"write", "0.05", "false"}, "mail.list": {"write", "-", "true"},
		} {
			f := decoded[api.FoundPage](t, i, "/api/v1/search?kind=tool&q="+id, clerk).Items[0]
			price := "-"
			if f.Price != nil {
				price = *f.Price
			}
			if f.ID != id || string(*f.Operation) != want[0] || price != want[1] || *f.Held != (want[2] == "true") || *f.Held != (f.Description == nil) {
				t.Errorf("of %s it says %+v", id, f)
			}
		}
	})
	t.Run("by command", func(t *testing.T) {
		t.Parallel()
		r := harness.Run(t, t.TempDir(), i.Env(anyone), "search", "mail.list")
		if r.Code != 0 || !strings.Contains(r.Stdout, "mail.list") || !strings.Contains(r.Stdout, "held") || !strings.Contains(r.Stderr, "slow") {
			t.Errorf("code %d: %s%s", r.Code, r.Stdout, r.Stderr)
		}
	})
}
