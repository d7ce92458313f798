package registry

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

var since = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func site(address string) Site {
	return Site{URL: address, Version: "1.2.3", Protocols: []string{"2026-07-28", "2025-11-25"}, Since: since}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, address, id, want, urn string }{
		{"host", "https://box.example.com", "files", "com.example.box/files", "urn:air:box.example.com:mcp:files"},
		{"port", "http://box.example.com:8443", "files", "com.example.box/files", "urn:air:box.example.com:mcp:files"},
		{"path", "https://example.com/in/box", "files", "com.example/in.box.files", "urn:air:example.com:mcp:in.box.files"},
		{"capitals", "https://Box.Example.COM.", "files", "com.example.box/files", "urn:air:box.example.com:mcp:files"},
		{"one label", "http://localhost:8080", "files", "localhost/files", "urn:air:localhost:mcp:files"},
		{"IPv4", "http://127.0.0.1:8080", "files", "127.0.0.1/files", "urn:air:127.0.0.1:mcp:files"},
		{"IPv6", "http://[fd00::1%25eth0]:8080", "files", "fd00--1/files", "urn:air:fd00--1:mcp:files"},
		{"letters that names have not", "https://bücher.example/x_y", "files", "example.b-cher/x-y.files", "urn:air:b-cher.example:mcp:x-y.files"},
		{"joint", "https://box.example.com", JointID, "com.example.box/all_servers", "urn:air:box.example.com:mcp:all_servers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site(c.address)
			if got := s.Name(c.id); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := s.Catalog([]Server{{ID: c.id}}).Entries[0].Identifier; got != c.urn {
				t.Errorf("got %s, want %s", got, c.urn)
			}
		})
	}
}

// What is published about the formats: the draft of the server card (schema v1) and server.json of 2025-12-11 share these
// members and their bounds.
var (
	namePattern   = regexp.MustCompile(`^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$`)
	remotePattern = regexp.MustCompile(`^https?://[^\s]+$`)
)

// checkFormat holds a document against the format that it names.
func checkFormat(t interface{ Errorf(string, ...any) }, document any) {
	data, err := json.Marshal(document)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	var d struct {
		Schema      string  `json:"$schema"`
		Name        string  `json:"name"`
		Version     string  `json:"version"`
		Description string  `json:"description"`
		Title       *string `json:"title"`
		Remotes     []struct {
			Type      string   `json:"type"`
			URL       string   `json:"url"`
			Protocols []string `json:"supportedProtocolVersions"`
			Headers   []struct {
				Name string `json:"name"`
			} `json:"headers"`
		} `json:"remotes"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Errorf("%s: %v", data, err)
	}
	if n := len(d.Name); !namePattern.MatchString(d.Name) || n < 3 || n > 200 {
		t.Errorf("the name %q is none", d.Name)
	}
	if n := utf8.RuneCountInString(d.Description); n < 1 || n > 100 {
		t.Errorf("the description has %d characters", n)
	}
	if d.Title != nil && (*d.Title == "" || utf8.RuneCountInString(*d.Title) > 100) {
		t.Errorf("the title is %q", *d.Title)
	}
	if d.Version == "" || len(d.Version) > 255 || d.Version == "latest" {
		t.Errorf("the version is %q", d.Version)
	}
	if len(d.Remotes) != 1 || d.Remotes[0].Type != "streamable-http" || !remotePattern.MatchString(d.Remotes[0].URL) || d.Remotes[0].Headers[0].Name == "" {
		t.Errorf("the remotes are %s", data)
	}
	card := strings.HasSuffix(d.Schema, "/schemas/v1/server-card.schema.json")
	if !card && (!strings.HasSuffix(d.Schema, "/schemas/2025-12-11/server.schema.json") || d.Remotes[0].Protocols != nil) {
		t.Errorf("it is neither a card nor a server.json: %s", data)
	}
}

// Whatever a server is called and wherever the instance is, the documents are what their formats say.
func TestFormats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.StringMatching(`([a-z0-9äß-]{1,63}\.){0,6}[a-z]{1,20}`).Draw(t, "host")
		path := rapid.StringMatching(`(/[a-zA-Z0-9_~-]{1,20}){0,3}`).Draw(t, "path")
		server := Server{
			ID:    rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,62}`).Draw(t, "id"),
			Title: rapid.String().Draw(t, "title"), Description: rapid.String().Draw(t, "description"),
		}
		s := site("https://" + host + path)
		checkFormat(t, s.Card(server))
		checkFormat(t, s.Answer(server).Server)
	})
}

func TestCard(t *testing.T) {
	for _, c := range []struct {
		name   string
		tokens bool
		server Server
		want   string
	}{
		{"a server", false, Server{ID: "files", Title: "Files", Description: "Files of the team."}, `{"$schema":"https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json",` +
			`"name":"com.example.box/files","version":"1.2.3","description":"Files of the team.","title":"Files","remotes":[{"type":"streamable-http",` +
			`"url":"https://box.example.com/mcp/files","headers":[{"description":"An API key of Signalbox.","isRequired":true,"isSecret":true,` +
			`"value":"Bearer {key}","name":"Authorization","variables":{"key":{"description":"The key.","isRequired":true,"isSecret":true}}}],` +
			`"supportedProtocolVersions":["2026-07-28","2025-11-25"]}]}`},
		{"nothing said", false, Server{ID: "files"}, `"description":"The MCP server files, through Signalbox.","remotes"`},
		{"tokens are taken", true, Server{ID: "files"}, `"headers":[{"description":"An API key of Signalbox. Without one, a token: the endpoint says which authorization server gives it.","isSecret":true`},
		{"joint", false, Joint(), `"url":"https://box.example.com/mcp","headers"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site("https://box.example.com")
			s.Tokens = c.tokens
			got, err := json.Marshal(s.Card(c.server))
			if err != nil || !strings.Contains(string(got), c.want) {
				t.Errorf("got  %s %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestCatalog(t *testing.T) {
	s := site("https://box.example.com")
	for _, c := range []struct {
		name    string
		servers []Server
		want    string
	}{
		{"nothing", nil, `{"specVersion":"1.0","entries":[]}`},
		{"one", WithJoint([]Server{{ID: "files", Title: "Files"}}), `{"specVersion":"1.0","entries":[` +
			`{"identifier":"urn:air:box.example.com:mcp:all_servers","displayName":"All servers","type":"application/mcp-server-card+json","url":"https://box.example.com/mcp/server-card"},` +
			`{"identifier":"urn:air:box.example.com:mcp:files","displayName":"Files","type":"application/mcp-server-card+json","url":"https://box.example.com/mcp/files/server-card"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := json.Marshal(s.Catalog(c.servers))
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func ids(l List) string {
	var names []string
	for _, a := range l.Servers {
		_, id, _ := strings.Cut(a.Server.Name, "/")
		names = append(names, id)
	}
	return strings.Join(names, " ")
}

func TestList(t *testing.T) {
	s := site("https://box.example.com")
	servers := WithJoint([]Server{{ID: "search"}, {ID: "files"}, {ID: "file-store"}})
	for _, c := range []struct {
		name  string
		query Query
		want  string
		code  signalbox.Code
		field string
	}{
		{name: "all", want: "all_servers file-store files search"},
		{name: "search", query: Query{Search: "FILE"}, want: "file-store files"},
		{name: "search for the namespace", query: Query{Search: "example.box/s"}, want: "search"},
		{name: "search for nothing there", query: Query{Search: "mail"}},
		{name: "latest", query: Query{Version: "latest"}, want: "all_servers file-store files search"},
		{name: "the version", query: Query{Version: "1.2.3"}, want: "all_servers file-store files search"},
		{name: "another version", query: Query{Version: "1.2.4"}},
		{name: "updated since before", query: Query{UpdatedSince: since}, want: "all_servers file-store files search"},
		{name: "updated since later", query: Query{UpdatedSince: since.Add(time.Second)}},
		{name: "limit", query: Query{Limit: 2}, want: "all_servers file-store"},
		{name: "limit over 100", query: Query{Limit: 101}, code: signalbox.CodeInvalid, field: "limit"},
		{name: "limit under 0", query: Query{Limit: -1}, code: signalbox.CodeInvalid, field: "limit"},
		{name: "cursor", query: Query{Cursor: "?"}, code: signalbox.CodeInvalid, field: "cursor"},
		{name: "long search", query: Query{Search: strings.Repeat("a", 201)}, code: signalbox.CodeInvalid, field: "search"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := s.List(servers, c.query)
			if ids(got) != c.want || signalbox.CodeOf(err) != c.code || err != nil && signalbox.AsError(err).Field != c.field {
				t.Errorf("got %q, %v", ids(got), err)
			}
			if got.Metadata.Count != len(got.Servers) {
				t.Errorf("the count is %d", got.Metadata.Count)
			}
		})
	}
	if servers[1].ID != "search" {
		t.Error("the list has ordered what it was given")
	}
}

// Page after page gives everything, once and in order.
func TestPages(t *testing.T) {
	s := site("https://box.example.com")
	rapid.Check(t, func(t *rapid.T) {
		known := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,9}`), 0, 30, rapid.ID).Draw(t, "ids")
		limit := rapid.IntRange(1, 7).Draw(t, "limit")
		var servers []Server
		for _, id := range known {
			servers = append(servers, Server{ID: id})
		}
		var got []string
		q := Query{Limit: limit}
		for {
			page, err := s.List(servers, q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.Fields(ids(page))...)
			if q.Cursor = page.Metadata.NextCursor; q.Cursor == "" {
				break
			}
			if page.Metadata.Count != limit {
				t.Fatalf("a page that is not the last has %d", page.Metadata.Count)
			}
		}
		slices.Sort(known)
		if !slices.Equal(got, known) {
			t.Errorf("got %v, want %v", got, known)
		}
	})
}

func TestFind(t *testing.T) {
	s := site("https://box.example.com")
	servers := []Server{{ID: "files"}}
	for _, c := range []struct{ name, server, version, field string }{
		{"latest", "com.example.box/files", "latest", ""},
		{"by its version", "com.example.box/files", "1.2.3", ""},
		{"another version", "com.example.box/files", "1.2.4", "version"},
		{"unknown", "com.example.box/mail", "latest", "serverName"},
		{"of another site", "com.example/files", "latest", "serverName"},
		{"without its namespace", "files", "latest", "serverName"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := s.Find(servers, c.server, c.version)
			if c.field != "" {
				if e := signalbox.AsError(err); err == nil || e.Code != signalbox.CodeNotFound || e.Field != c.field {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || got.Server.Name != c.server || !got.Meta.Official.Latest || got.Meta.Official.Status != "active" {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	one, err := s.Versions(servers, "com.example.box/files")
	if err != nil || ids(one) != "files" || one.Metadata.Count != 1 {
		t.Errorf("got %+v, %v", one, err)
	}
	if _, err := s.Versions(servers, "com.example.box/mail"); signalbox.CodeOf(err) != signalbox.CodeNotFound {
		t.Errorf("got %v", err)
	}
}

// Every address that leaves is one of the site.
func TestAddresses(t *testing.T) {
	data, err := json.Marshal([]any{
		site("https://box.example.com").Card(Server{ID: "files"}), site("https://box.example.com").Catalog([]Server{{ID: "files"}}),
		site("https://box.example.com").Answer(Server{ID: "files"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range regexp.MustCompile(`https?://[^"]+`).FindAllString(string(data), -1) {
		if u, err := url.Parse(address); err != nil || u.Host != "box.example.com" && u.Host != "static.modelcontextprotocol.io" {
			t.Errorf("it names %s", address)
		}
	}
}
