package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
)

const someAPI = `# Pets
openapi: 3.1.0
info: {title: Pets, version: 1.10}
paths:
  /pets/{id}:
    get:
      operationId: getPet
      description: |
        One
        pet
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer, maximum: 9007199254740993, minimum: -1.5}}
      responses:
        200: {description: yes}
        404:
`

const someAPIAsJSON = `{"openapi":"3.1.0","info":{"title":"Pets","version":1.10},"paths":{"/pets/{id}":{"get":{"operationId":"getPet","description":"One\npet\n",` +
	`"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer","maximum":9007199254740993,"minimum":-1.5}}],` +
	`"responses":{"200":{"description":"yes"},"404":null}}}}}`

// documents are files that configurations of tests name.
var documents = map[string]string{
	"api.yml": someAPI, "api.json": "\ufeff" + someAPIAsJSON + "\n",
	"alias.yml":    "a: &x {b: 1}\nc: *x\n",
	"merge.yml":    "a: {<<: {b: 1}}\n",
	"twice.yml":    "paths:\n  /a: {}\n  /a: {}\n",
	"broken.json":  `{"openapi": "3.1.0", "openapi": "3.0.0"}`,
	"large.json":   `{"a": "` + strings.Repeat("x", MaxOpenAPIBytes) + `"}`,
	"deep.yml":     strings.Repeat("[", 100) + strings.Repeat("]", 100),
	"two.yml":      "a: 1\n---\nb: 2\n",
	"infinite.yml": "a: .inf\n",
}

func TestDocumentsInYAMLAreReadAsJSON(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"YAML", someAPI, someAPIAsJSON},
		{"JSON", someAPIAsJSON, someAPIAsJSON},
		{"JSON in the manner of YAML", `{a: 'b', "c": [1, 2.50, true, null, ~, 0x1F, 1_000]}`, `{"a":"b","c":[1,2.50,true,null,null,31,1000]}`},
		{"texts that look like something else", "a: '1'\nb: 2026-01-01\nc: \"no\"\n1: x\ntrue: y\n", `{"a":"1","b":"2026-01-01","c":"no","1":"x","true":"y"}`},
		{"folded", "a: >-\n  one\n  two\n", `{"a":"one two"}`},
		{"variables are none", "a: ${HOME}\n", `{"a":"${HOME}"}`},
		{"names that differ in case", "a: 1\nA: 2\n", `{"a":1,"A":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, p := documentJSON([]byte(c.text))
			if p != nil || strings.TrimSpace(string(got)) != c.want {
				t.Errorf("got  %s (%v)\nwant %s", got, p, c.want)
			}
		})
	}
}

func TestDocumentIsPartOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	path, document := filepath.Join(dir, "c.yml"), filepath.Join(dir, "apis", "pets.yml")
	if err := os.Mkdir(filepath.Dir(document), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		path: "mcp_servers: {pets: {openapi: apis/pets.yml, url: \"https://pets.example.com\"}}\n", document: someAPI,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, err := Load(path, testEnv, Options{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "text", before.MCPServers["pets"].OpenAPI.Text, someAPIAsJSON)
	equal(t, "files", before.Files(path), []string{path, document})
	if err := os.WriteFile(document, []byte(someAPI+"# A comment.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	same, err := Load(path, testEnv, Options{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "fingerprint after a comment", same.Fingerprint(), before.Fingerprint())
	if err := os.WriteFile(document, []byte(strings.Replace(someAPI, "One", "A", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := Load(path, testEnv, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if after.Fingerprint() == before.Fingerprint() || SameConnection(before.MCPServers["pets"], after.MCPServers["pets"]) {
		t.Error("a changed document is taken for the same")
	}
	changed, err := Reloadable(before, after)
	equal(t, "what changed", changed, []string{"mcp_servers"})
	equal(t, "reloadable", err, nil)
}

// Many lists one after the other are no deep nesting, and comments between deep lines hide none.
func TestLongDocumentsAreNotDeep(t *testing.T) {
	var long, deep strings.Builder
	for i := range 200 {
		fmt.Fprintf(&long, "/a%d:\n  get:\n    parameters:\n      - name: id\n        schema:\n          type: string\n      - name: to\n        schema:\n          type: string\n", i)
		fmt.Fprintf(&deep, "# A comment.\n%sa:\n", strings.Repeat(" ", i))
	}
	if _, p := documentJSON([]byte(long.String())); p != nil {
		t.Errorf("a long document: %v", p)
	}
	if _, p := documentJSON([]byte(deep.String())); p == nil || !strings.Contains(p.Message, "nested deeper") {
		t.Errorf("a deep document: %v", p)
	}
	config := "agents:\n"
	for i := range 100 {
		config += fmt.Sprintf("  - id: a%d\n    permissions:\n      tools:\n        - name: s.t\n          operations: [read]\n          resources:\n            - x\n            - y\n", i)
	}
	if _, err := Parse("c.yml", []byte(config+"mcp_servers: {s: {url: \"http://127.0.0.1\"}}\n"), testEnv, testOptions); err != nil {
		t.Errorf("a long configuration: %v", err)
	}
}

// A document gives JSON or a problem inside of the file, never both, and never a panic.
func FuzzDocument(f *testing.F) {
	for _, text := range documents {
		if len(text) < 1<<16 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, p := documentJSON(data)
		switch {
		case p != nil:
			if p.Message == "" || p.Remedy == "" || strings.Contains(p.Message, "gave up") {
				t.Errorf("%#v", p)
			}
		default:
			if err := json.Check(got, json.Limits{CaseVariants: true}); err != nil {
				t.Errorf("%q gives %q: %v", data, got, err)
			}
		}
	})
}
