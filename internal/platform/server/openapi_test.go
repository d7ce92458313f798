package server

import (
	"context"
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/json"
)

const petsDocument = `{"openapi":"3.1.0","paths":{
	"/pets/{petId}":{
		"parameters":[{"name":"petId","in":"path","required":true,"schema":{"type":["string","number","boolean"]}}],
		"get":{"operationId":"getPet"},"delete":{"operationId":"deletePet"},
		"post":{"operationId":"searchPet","parameters":[{"name":"X-Key","in":"header","required":true,"schema":{"type":"string"}},{"name":"q","in":"query","schema":{"type":"string"}}]},
		"patch":{"operationId":"uploadPet","requestBody":{"required":true,"content":{"image/png":{}}}}}}}`

// parsed reads a configuration with an API; more is added to its server.
func parsed(t testing.TB, document, more string) (*config.Config, error) {
	t.Helper()
	o := ConfigOptions()
	o.ReadFile = func(string) ([]byte, error) { return []byte(document), nil }
	return config.Parse("c.yml", []byte(`
agents:
  - {id: keeper, permissions: {tools: [{name: "pets.*", operations: [read, write, delete], resources: ["*"]}]}}
mcp_servers:
  pets: {openapi: pets.json, url: "http://pets.example.com/v1?key=k", headers: {X-Key: k}`+more+`}
`), nil, o)
}

func TestConfigurationsWithAnAPI(t *testing.T) {
	for _, c := range []struct{ name, document, more, want string }{
		{"good", petsDocument, "", ""},
		{
			"tool that is none", petsDocument, ", tools: {getPets: {operation: read}}",
			`c.yml:5:99: mcp_servers.pets.tools.getPets: The OpenAPI document of "pets" has no operation that makes a tool "getPets"; write one of: getPet, deletePet, searchPet`,
		},
		{
			"remote reference", `{"openapi":"3.0.0","paths":{"/a":{"$ref":"http://x.example.com/a.yml"}}}`, "",
			`c.yml:5:19: mcp_servers.pets.openapi: The OpenAPI document #/paths/~1a: it refers to "http://x.example.com/a.yml", which is another document; none is ever read or fetched`,
		},
		{"not OpenAPI", `{"a":1}`, "", `mcp_servers.pets.openapi: The OpenAPI document #: it has the version "" under openapi`},
	} {
		t.Run(c.name, func(t *testing.T) {
			loaded, err := parsed(t, c.document, c.more)
			if c.want == "" {
				if err != nil || len(loaded.Warnings) != 1 || !strings.HasPrefix(loaded.Warnings[0].String(), "mcp_servers.pets.openapi: PATCH /pets/{petId}: it is left out") {
					t.Errorf("got %v and %v", err, loaded)
				}
				return
			}
			var problems config.Problems
			if !errors.As(err, &problems) || !strings.Contains(problems.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestDeclarationsWinOverMethodAndPath(t *testing.T) {
	c, err := parsed(t, petsDocument, `, tools: {searchPet: {operation: read}, deletePet: {resources: [{arg: petId, kind: name}]}, getPet: {price: {per_call: 1}}}`)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := CompilePolicy(c)
	if err != nil {
		t.Fatal(err)
	}
	for tool, want := range map[string]signalbox.Access{
		"searchPet": {Operation: signalbox.OperationRead, Resource: "/pets/a%20b"},
		"deletePet": {Operation: signalbox.OperationDelete, Resource: "a b"},
		"getPet":    {Operation: signalbox.OperationRead, Resource: "/pets/a%20b"},
	} {
		d := p.Decide(asKeeper(tool, `{"petId":"a b"}`))
		if len(d.Accesses) != 1 || d.Accesses[0] != want {
			t.Errorf("%s: got %v, want %v", tool, d.Accesses, want)
		}
	}
}

func asKeeper(tool, arguments string) policy.Request {
	return policy.Request{
		Caller: signalbox.Caller{Tenant: "default", Agent: "keeper"}, Kind: signalbox.KindTool,
		Tool: &signalbox.ToolRequest{Server: "pets", Name: tool, Arguments: []byte(arguments)},
	}
}

// What the policy decides about is what is sent: for all arguments that pass both, the path of the request is the resource
// of the first access.
func TestPolicyDecidesAboutThePathThatIsSent(t *testing.T) {
	c, err := parsed(t, petsDocument, "")
	if err != nil {
		t.Fatal(err)
	}
	described, err := readAPIs(c)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := compilePolicy(c, described)
	if err != nil {
		t.Fatal(err)
	}
	base := &url.URL{Scheme: "http", Host: "pets.example.com", Path: "/v1"}
	text := rapid.Map(rapid.StringOfN(rapid.SampledFrom([]rune(`ab./\;%2eF:?#@ é雪*[]{}`+"\u200b\x00")), 0, 10, -1), func(s string) string { return string(json.Quote(s)) })
	value := rapid.OneOf(text, rapid.SampledFrom([]string{"7", "7.0", "7e0", "-1.5", "true", "null", "[1]", "{}", "-0", "1E400"}))
	both := 0
	rapid.Check(t, func(t *rapid.T) {
		arguments := `{"petId":` + value.Draw(t, "value") + `}`
		tool := rapid.SampledFrom([]string{"getPet", "deletePet"}).Draw(t, "tool")
		d := p.Decide(asKeeper(tool, arguments))
		req, err := described["pets"].Tool(tool).Request(context.Background(), base, []byte(arguments))
		if err != nil || !d.Allowed {
			return
		}
		both++
		sent := strings.TrimPrefix(req.URL.EscapedPath(), "/v1")
		if d.Accesses[0].Resource != sent || path.Clean(sent) != sent {
			t.Fatalf("%s is judged as %q and sent as %q", arguments, d.Accesses[0].Resource, sent)
		}
		if want := (map[string]signalbox.Operation{"GET": "read", "DELETE": "delete"})[req.Method]; d.Operation != want {
			t.Fatalf("%s is judged as %s", req.Method, d.Operation)
		}
	})
	if both == 0 {
		t.Error("no arguments passed both: nothing was compared")
	}
}
