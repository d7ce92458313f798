// Package rest puts a REST API that an OpenAPI document describes behind the real binary, and has agents use it: what the
// policy permits happens once, what people must agree to waits, and everything else never reaches the API.
package rest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// The keys of agents, and of who approves.
const (
	keeper = "keeper-key-of-acme-00001"
	ann    = "ann-key-of-acme-0000001"
)

const config = `listen: 127.0.0.1:0
database: "sqlite:@DB@"
tenants: [{id: acme}]
keys:
  - {id: keeper, secret: keeper-key-of-acme-00001, tenant: acme, role: agent, agent: keeper}
  - {id: ann, secret: ann-key-of-acme-0000001, tenant: acme, role: approver, user: ann}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
  - {id: operator, secret: operator-key-of-acme-01, tenant: acme, role: operator}
agents:
  - id: keeper
    permissions:
      tools:
        - {name: "pets.*", operations: [read, write], resources: "/pets/*"}
        - {name: "pets.*", operations: [delete], resources: "/pets/old-*"}
        - {name: "dead.*", operations: [read], resources: "*"}
mcp_servers:
  pets:
    openapi: pets.yml
    url: "@API@/v1"
    headers: {X-Api-Key: operators-own-key-0001}
    price: {per_call: 0.002}
  dead: {openapi: pets.yml, url: "http://@NOBODY@"}
`

const document = `openapi: 3.1.0
info: {title: Pets, version: "1"}
servers: [{url: "https://elsewhere.example.com"}]
paths:
  /pets/{name}:
    parameters:
      - {name: name, in: path, required: true, schema: {$ref: "#/components/schemas/Name"}}
    get: {operationId: getPet, summary: One pet, responses: {200: {description: it}}}
    put:
      operationId: putPet
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [age], properties: {name: {type: string}, age: {type: integer, minimum: 0}}}
    delete: {operationId: dropPet}
  /pets/{name}/photo:
    parameters: [{name: name, in: path, required: true, schema: {type: string}}]
    put: {operationId: putPhoto, requestBody: {required: true, content: {image/png: {}}}}
components:
  schemas:
    Name: {type: string, maxLength: 40}
`

// world is an instance in front of a shelter.
type world struct {
	*harness.Instance
	t       *testing.T
	shelter *shelter
	calls   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, dir := newShelter(t), t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := os.WriteFile(filepath.Join(dir, "pets.yml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("@API@", s.URL, "@NOBODY@", l.Addr().String()).Replace(config)
	return &world{harness.Start(t, harness.Options{Whole: text, Dir: dir}), t, s, 0}
}

// answer is what a caller hears.
type answer struct {
	text   string // Of the result, or the message of the error.
	failed bool   // The tool says so.
	code   string // Of the error.
	field  string
	call   string
	cost   string
}

func (w *world) call(server, tool, arguments string) answer {
	w.t.Helper()
	w.calls++
	a := w.Send(w.t, http.MethodPost, "/mcp/"+server, keeper,
		fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, w.calls, tool, arguments),
		"Accept", "application/json, text/event-stream")
	var m struct {
		Result struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
			IsError bool `json:"isError"`
		} `json:"result"`
		Error struct {
			Message string `json:"message"`
			Data    struct {
				Code  string `json:"code"`
				Field string `json:"field"`
			} `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
		w.t.Fatalf("%s %s: %d %s: %v", tool, arguments, a.Status, a.Body, err)
	}
	out := answer{m.Error.Message, m.Result.IsError, m.Error.Data.Code, m.Error.Data.Field, a.Header.Get("X-Signalbox-Call"), a.Header.Get("X-Signalbox-Cost-Usd")}
	if len(m.Result.Content) > 0 {
		out.text = m.Result.Content[0].Text
	}
	return out
}

func (w *world) wantAsked(want ...string) {
	w.t.Helper()
	if got := w.shelter.asked(); !slices.Equal(got, want) {
		w.t.Errorf("the API was asked %q, want %q", got, want)
	}
}

func TestAnAgentAtARESTAPI(t *testing.T) {
	w := newWorld(t)
	t.Run("a read is permitted", func(t *testing.T) {
		a := w.call("pets", "getPet", `{"name":"rex"}`)
		if a.text != `{"name":"rex","age":3}` || a.failed || a.cost != "0.002" {
			t.Errorf("got %+v", a)
		}
		w.wantAsked("GET /v1/pets/rex")
		d := w.Call(t, a.call)
		if d.Outcome != signalbox.OutcomeOK || d.ToolName == nil || *d.ToolName != "pets.getPet" || d.RiskLevel == nil || *d.RiskLevel != "low" {
			t.Errorf("recorded %+v", d.Call)
		}
	})
	t.Run("what the API refuses is the tool's error", func(t *testing.T) {
		a := w.call("pets", "getPet", `{"name":"no body"}`)
		if !a.failed || !strings.Contains(a.text, "404 Not Found.\nthere is no such pet") {
			t.Errorf("got %+v", a)
		}
		w.wantAsked("GET /v1/pets/no%20body")
	})
	t.Run("a write needs an approval", func(t *testing.T) {
		done := make(chan answer)
		go func() { done <- w.call("pets", "putPet", `{"name":"tom","body":{"age":1,"name":"tom"}}`) }()
		approval := w.pending()
		if approval.Resources == nil || !slices.Equal(*approval.Resources, []string{"/pets/tom"}) || w.shelter.pet("tom") != "" {
			t.Errorf("it waits for %+v, and the API has %q", approval, w.shelter.pet("tom"))
		}
		if v := w.Send(t, http.MethodPost, "/api/v1/approvals/"+url.PathEscape(approval.ID)+"/approve", ann, `{"reason":"looked at it"}`); v.Status != http.StatusOK {
			t.Fatalf("%d %s", v.Status, v.Body)
		}
		if a := <-done; a.failed || a.code != "" || !strings.Contains(a.text, "204 No Content") {
			t.Errorf("got %+v", a)
		}
		if got := w.shelter.pet("tom"); got != `{"age":1,"name":"tom"}` {
			t.Errorf("the API has %s", got)
		}
		w.wantAsked("PUT /v1/pets/tom")
	})
	t.Run("a deletion is denied by the pattern", func(t *testing.T) {
		if a := w.call("pets", "dropPet", `{"name":"rex"}`); a.code != "forbidden" || !strings.Contains(a.text, `may not delete "/pets/rex" with pets.dropPet`) {
			t.Errorf("got %+v", a)
		}
		w.wantAsked()
	})
	w.refuses(t)
	t.Run("a dead API fails its own calls only", func(t *testing.T) {
		if a := w.call("dead", "getPet", `{"name":"rex"}`); a.code != "upstream" {
			t.Errorf("got %+v", a)
		}
		if names := w.listed("dead"); !slices.Equal(names, []string{"getPet"}) {
			t.Errorf("listed are %v", names)
		}
		if a := w.Send(t, http.MethodGet, "/readyz", "", ""); a.Status != http.StatusOK {
			t.Errorf("/readyz answers %d", a.Status)
		}
	})
	if got := w.shelter.shown(); len(got) != 1 || !got["|operators-own-key-0001"] {
		t.Errorf("the API was shown %v", got)
	}
	w.Complete(t)
}

// refuses makes calls of which nothing may reach the API.
func (w *world) refuses(t *testing.T) {
	for _, c := range []struct{ name, tool, arguments, code, field, text string }{
		{"argument missing", "getPet", `{}`, "invalid", "arguments.name", `"name" is missing`},
		{"argument too long", "getPet", `{"name":"` + strings.Repeat("x", 41) + `"}`, "invalid", "arguments.name", "maxLength at #/$defs/Name"},
		{"argument unknown", "getPet", `{"name":"rex","force":true}`, "invalid", "arguments.force", `no argument "force"`},
		{"body at fault", "putPet", `{"name":"rex","body":{"age":-1}}`, "invalid", "arguments.body", "minimum at #/properties/body/properties/age"},
		{"step up", "getPet", `{"name":"../admin"}`, "invalid", "arguments.name", "has a step"},
		{"step up, encoded", "getPet", `{"name":"%2e%2e%2fadmin"}`, "invalid", "arguments.name", "percent-encoded already"},
		{"slash", "getPet", `{"name":"rex/owner"}`, "forbidden", "", `"/pets/rex/owner"`},
		{"what is not built", "putPhoto", `{"name":"rex"}`, "not_found", "name", "has no tool"},
		{"approval of a fault", "putPet", `{"name":"rex","body":{}}`, "invalid", "arguments.body", "lacks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.call("pets", c.tool, c.arguments)
			if a.code != c.code || a.field != c.field || !strings.Contains(a.text, c.text) {
				t.Errorf("got %+v, want %s at %q: %s", a, c.code, c.field, c.text)
			}
			w.wantAsked()
		})
	}
}

// pending waits for the one approval that is pending.
func (w *world) pending() api.Approval {
	w.t.Helper()
	var page api.Page[api.Approval]
	harness.Eventually(w.t, func() error {
		a := w.Send(w.t, http.MethodGet, "/api/v1/approvals?state=pending", ann, "")
		if err := json.Unmarshal([]byte(a.Body), &page); err != nil || len(page.Items) != 1 {
			return fmt.Errorf("%d %s", a.Status, a.Body)
		}
		return nil
	})
	return page.Items[0]
}

// listed gives the names of the tools that the agent sees.
func (w *world) listed(server string) []string {
	w.t.Helper()
	a := w.Send(w.t, http.MethodPost, "/mcp/"+server, keeper, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`, "Accept", "application/json, text/event-stream")
	var m struct {
		Result struct {
			Tools []struct {
				Name string `json:"name"`
			} `json:"tools"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
		w.t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
	var names []string
	for _, tool := range m.Result.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// The document is a part of the configuration: a change of it is taken into use, a broken one is not.
func TestADocumentThatChanges(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.Dir, "pets.yml")
	if got := w.listed("pets"); !slices.Equal(got, []string{"getPet", "putPet", "dropPet"}) {
		t.Fatalf("listed are %v", got)
	}
	for _, c := range []struct {
		name, text, first, log string
	}{
		{"broken", strings.Replace(document, "#/components/schemas/Name", "names.yml#/Name", 1), "getPet", "none is ever read or fetched"},
		{"changed", strings.Replace(document, "operationId: getPet", "operationId: showPet", 1), "showPet", ""},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, func() error {
			if got := w.listed("pets"); got[0] != c.first || !strings.Contains(w.Stderr(), c.log) {
				return fmt.Errorf("%s: listed are %v", c.name, got)
			}
			return nil
		})
	}
}

// The command line knows what a call would do without a server, and says what of a document is not built.
func TestDocumentsOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pets.yml": document, "c.yml": strings.NewReplacer("@API@", "http://127.0.0.1:1", "@NOBODY@", "127.0.0.1:1", "@DB@", "x.db").Replace(config),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"check", "--config", "c.yml"}, 0, "warning: mcp_servers.pets.openapi: PUT /pets/{name}/photo: it is left out: at #/paths/~1pets~1{name}~1photo/put/requestBody it carries image/png, and no JSON."},
		{[]string{"policy", "explain", "--config", "c.yml", "--agent", "keeper", "--tool", "pets.dropPet", "--args", `{"name":"rex"}`}, 1, `may not delete "/pets/rex"`},
		{[]string{"policy", "explain", "--config", "c.yml", "--agent", "keeper", "--tool", "pets.dropPet", "--args", `{"name":"old-rex"}`}, 0, `delete "/pets/old-rex"`},
	} {
		r := harness.Run(t, dir, nil, c.args...)
		if r.Code != c.code || !strings.Contains(r.Stdout+r.Stderr, c.want) {
			t.Errorf("%s ends with %d, want %d and %s:\n%s%s", c.args, r.Code, c.code, c.want, r.Stdout, r.Stderr)
		}
	}
}
