package policy

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
)

func TestURIsHaveOneForm(t *testing.T) {
	for value, want := range map[string]string{
		"file:///data/a.txt":           "file:///data/a.txt",
		"FILE:///data/./b/../a.txt":    "file:///data/a.txt",
		"file:///data/%61.txt":         "file:///data/a.txt",
		"test://Static-Text":           "test://static-text",
		"test://template/7/data":       "test://template/7/data",
		"db://host/table?where=a%3D1":  "db://host/table?where=a%3D1",
		"doc://one#part":               "doc://one#part",
		"urn:isbn:1":                   "urn:isbn:1",
		"file:///data/../../etc":       "",
		"file:///data/%2e%2e/%2e%2e/x": "",
		"file:///a%2f..%2f..%2fetc":    "",
		"file:///a/%252e%252e/x":       "",
		"file://../etc/passwd":         "",
		"file://%2e%2e/etc":            "",
		"urn:a/../b":                   "",
		"urn:%2e%2e":                   "",
		"http://user@host/x":           "",
		"no scheme":                    "",
		"/etc/passwd":                  "",
		"file:///a\\b":                 "",
		"file:///a\u200bb":             "",
	} {
		got, err := URI(value)
		if (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q: got %q, %v, want %q", value, got, err, want)
		}
	}
}

func TestMethodsOfServersAreJudgedLikeTools(t *testing.T) {
	p, _, err := Compile(Config{
		Servers: map[string]Server{"files": {}, "other": {}},
		Agents: []Agent{{ID: "reader", Permissions: &signalbox.Permissions{Tools: []signalbox.ToolPermission{
			{Name: "files.resources/read", Operations: []signalbox.Operation{signalbox.OperationRead}, Resources: []string{"file:///data/**"}},
			{Name: "files.prompts/get", Operations: []signalbox.Operation{signalbox.OperationRead}, Resources: []string{"public*"}},
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		agent, server, method, arguments string
		want                             bool
	}{
		{"reader", "files", "resources/read", `{"uri":"file:///data/a/b.txt"}`, true},
		{"reader", "files", "resources/read", `{"uri":"file:///data/../etc/passwd"}`, false},
		{"reader", "files", "resources/read", `{"uri":"file:///data/%2e%2e/etc/passwd"}`, false},
		{"reader", "files", "resources/read", `{"uri":"file:///etc/passwd"}`, false},
		{"reader", "files", "resources/read", `{"URI":"file:///data/a"}`, false},
		{"reader", "other", "resources/read", `{"uri":"file:///data/a"}`, false},
		{"nobody", "files", "resources/read", `{"uri":"file:///data/a"}`, false},
		{"reader", "files", "prompts/get", `{"name":"public-one"}`, true},
		{"reader", "files", "prompts/get", `{"name":"secret"}`, false},
		{"reader", "files", "completion/complete", `{"ref":{"type":"ref/prompt","name":"public-one"}}`, false},
		{"reader", "files", "elicitation/create", `{}`, false},
	} {
		d := p.Decide(Request{
			Kind: signalbox.KindTool, Caller: signalbox.Caller{Agent: c.agent, Tenant: "acme"},
			Tool: &signalbox.ToolRequest{Server: c.server, Name: c.method, Arguments: []byte(c.arguments)},
		})
		if d.Allowed != c.want {
			t.Errorf("%s %s.%s %s: got %v, %q", c.agent, c.server, c.method, c.arguments, d.Allowed, d.Rule)
		}
	}
}

func TestReaches(t *testing.T) {
	for _, c := range []struct {
		pattern, server string
		want            bool
	}{
		{"books.find", "books", true},
		{"books.find", "films", false},
		{"*", "films", true},
		{"books.*", "books", true},
		{"b*", "books", true},
		{"b*.find", "books", true},
		{"b*.find", "films", false},
		{"*.find", "films", true},
		{"books", "books", false},
		{"book.*", "books", false},
		{"{books,songs}.find", "books", true},
		{"{books,songs}.find", "films", false},
		{"{songs.hear,books.find}", "books", true},
		{"{songs.hear,books.find}", "films", false},
		{"{songs.{hear,sing},fil{m,k}s.{find,f.x}}", "films", true},
		{"{songs.{hear,sing},fil{m,k}s.{find,f.x}}", "books", false},
		{"[b,{].find", "books", false},
		{"[bf]ilms.find", "films", true},
	} {
		agents := []Agent{{ID: "a", Permissions: &signalbox.Permissions{Tools: []signalbox.ToolPermission{
			{Name: c.pattern, Operations: []signalbox.Operation{signalbox.OperationRead}, Resources: []string{"*"}},
		}}}}
		p, _, err := Compile(Config{Servers: map[string]Server{"books": {}, "films": {}}, Agents: agents})
		if err != nil {
			t.Fatal(err)
		}
		caller := signalbox.Caller{Tenant: "acme", Agent: "a"}
		if got := p.Reaches(caller, c.server); got != c.want {
			t.Errorf("%s, %s: got %v", c.pattern, c.server, got)
		}
		if p.Reaches(signalbox.Caller{Tenant: "acme", Agent: "b"}, c.server) {
			t.Errorf("%s: an agent without permissions reaches it", c.pattern)
		}
		grant := signalbox.Grant{ID: "g", Tenant: "acme", Agent: "b", Tool: c.pattern}
		if got := p.Reaches(signalbox.Caller{Tenant: "acme", Agent: "b"}, c.server, grant); got != c.want {
			t.Errorf("%s, %s: a grant: got %v", c.pattern, c.server, got)
		}
	}
}

func TestChoicesAreFew(t *testing.T) {
	if n := len(choices(strings.Repeat("{a,b}", 200))); n > maxChoices {
		t.Errorf("a pattern was written out %d times", n)
	}
}
