package openapi

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func readFile(t testing.TB, name string, o Options) *API {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	api, err := Read(data, o)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func pets(t testing.TB) *API {
	t.Helper()
	return readFile(t, "pets.json", Options{Headers: []string{"x-api-key"}})
}

// withOperation is a document of one operation, and what it refers to.
func withOperation(version, path, operation, components string) string {
	return `{"openapi":"` + version + `","paths":{"` + path + `":` + operation + `},"components":` + components + `}`
}

func TestToolsOfADocument(t *testing.T) {
	var got []string
	for _, tool := range append(pets(t).Tools, readFile(t, "orders.json", Options{}).Tools...) {
		m := tool.Mapping()
		got = append(got, tool.Name+" "+tool.Method+" "+string(m.Operation)+" "+string(m.Path)+" "+strings.Join(tool.arguments(), ","))
	}
	want := []string{
		"listPets GET read /pets limit,tag,ids,filter,where,X-Request-Reason",
		"createPet POST write /pets body",
		"getPet GET read /pets/{petId} petId",
		"replacePet PUT write /pets/{petId} petId,body",
		"deletePet DELETE delete /pets/{petId} petId",
		"post_owners_id_pets_petId_move POST write /owners/{id}/pets/{petId}:move id,petId,query_id,body,header_ID,request_body",
		"orders.change PATCH write /orders/{id} id,body",
		"plant POST write /trees body",
		"stats GET read /stats ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWarningsNameOperationAndPlace(t *testing.T) {
	want := []string{
		`GET /pets: the parameter "session" at #/paths/~1pets/get/parameters/7 is left out: it stands in "cookie".`,
		`POST /pets: the pattern at #/components/schemas/Pet/allOf/1/properties/code/pattern is not checked, as it is none that is built.`,
		`PUT /pets/{petId}: the pattern at #/components/schemas/Pet/allOf/1/properties/code/pattern is not checked, as it is none that is built.`,
		`POST /pets/{petId}/photo: it is left out: at #/paths/~1pets~1{petId}~1photo/post/requestBody it carries multipart/form-data, and no JSON.`,
	}
	if got := pets(t).Warnings; !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEntriesOfTheList(t *testing.T) {
	for _, c := range []struct{ file, tool, want string }{
		{"pets.json", "deletePet", `{"name":"deletePet","description":"Deprecated. DELETE /pets/{petId}","inputSchema":{"type":"object",` +
			`"properties":{"petId":{"type":"string","maxLength":40}},"required":["petId"],"additionalProperties":false},` +
			`"annotations":{"readOnlyHint":false,"destructiveHint":true,"idempotentHint":true,"openWorldHint":true},` +
			`"_meta":{"signalbox/openapi":{"method":"DELETE","path":"/pets/{petId}","arguments":{"petId":"path petId"}}}}`},
		{"orders.json", "plant", `{"name":"plant","description":"POST /trees","inputSchema":{"type":"object",` +
			`"properties":{"body":{"$ref":"#/$defs/Tree","description":"The tree"}},"required":["body"],"additionalProperties":false,` +
			`"$defs":{"Tree":{"type":"object","required":["value"],"properties":{"value":{"type":"integer"},"children":{"type":"array","items":{"$ref":"#/$defs/Tree"}}}}}},` +
			`"outputSchema":{"type":"object","$ref":"#/$defs/Tree","$defs":{"Tree":{"type":["object","null"],` +
			`"properties":{"value":{"type":["integer","null"]},"children":{"type":["array","null"],"items":{"$ref":"#/$defs/Tree"}}}}}},` +
			`"annotations":{"readOnlyHint":false,"destructiveHint":false,"idempotentHint":false,"openWorldHint":true},` +
			`"_meta":{"signalbox/openapi":{"method":"POST","path":"/trees","arguments":{"body":"body application/json; charset=utf-8"}}}}`},
	} {
		t.Run(c.tool, func(t *testing.T) {
			if got := string(readFile(t, c.file, Options{}).Tool(c.tool).Entry()); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// What OpenAPI 3.0 says in its own way is said as JSON Schema says it.
func TestSchemasOfThreeZero(t *testing.T) {
	input := string(pets(t).Tool("createPet").input)
	for _, want := range []string{
		`"required":["kind"]`, // The id is for answers only.
		`"kind":{"$ref":"#/$defs/Kind"}`,
		`"owner":{"type":["object","null"]`,
		`"examples":["a@b.example"]`,
		`"weight":{"type":"number","exclusiveMinimum":0}`,
		`"code":{"type":"string"}`,
	} {
		if !strings.Contains(input, want) {
			t.Errorf("the schema lacks %s: %s", want, input)
		}
	}
	for _, not := range []string{"readOnly", "nullable", "discriminator", `"id"`, "means nothing"} {
		if strings.Contains(input, not) {
			t.Errorf("the schema has %s: %s", not, input)
		}
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	ok := `"responses":{"200":{"description":"ok"}}`
	for _, c := range []struct{ name, document, want string }{
		{"no JSON", `{"openapi":`, "The OpenAPI document #: it is not strict JSON"},
		{"duplicate key", `{"openapi":"3.0.0","openapi":"3.1.0","paths":{}}`, "is not strict JSON"},
		{"Swagger", `{"swagger":"2.0","paths":{}}`, "is of Swagger 2.0"},
		{"version", `{"openapi":"3.2.0","paths":{}}`, `has the version "3.2.0"`},
		{"no paths", `{"openapi":"3.1.0"}`, "has no paths"},
		{"no operation", `{"openapi":"3.1.0","paths":{"/a":{}}}`, "#/paths: it has no operation that can be a tool"},
		{
			"file", withOperation("3.0.0", "/a", `{"get":{"parameters":[{"$ref":"common.yml#/limit"}],`+ok+`}}`, `{}`),
			`The OpenAPI document #/paths/~1a/get/parameters/0: it refers to "common.yml#/limit", which is another document; none is ever read or fetched.`,
		},
		{
			"address in a schema that nothing uses", withOperation("3.0.0", "/a", `{"get":{`+ok+`}}`, `{"schemas":{"default":{"properties":{"x":{"$ref":"https://evil.example.com/x"}}}}}`),
			`#/components/schemas/default/properties/x: it refers to "https://evil.example.com/x"`,
		},
		{"file of the machine", withOperation("3.1.0", "/a", `{"$ref":"file:///etc/passwd"}`, `{}`), `refers to "file:///etc/passwd"`},
		{"nowhere", withOperation("3.1.0", "/a", `{"get":{"responses":{"default":{"$ref":"#/components/responses/no"}}}}`, `{}`), "where nothing is"},
		{"anchor", withOperation("3.1.0", "/a", `{"get":{"parameters":[{"$ref":"#limit"}]}}`, `{}`), `the anchor "#limit"`},
		{"circle of references", withOperation("3.1.0", "/a", `{"$ref":"#/components/pathItems/x"}`, `{"pathItems":{"x":{"$ref":"#/components/pathItems/x"}}}`), "without end"},
		{"same name", `{"openapi":"3.1.0","paths":{"/a":{"get":{"operationId":"x y"}},"/b":{"post":{"operationId":"x/y"}}}}`, `#/paths/~1b/post: it gives a tool the name "x_y", which GET /a has`},
		{"parameter missing", withOperation("3.1.0", "/a/{id}", `{"get":{}}`, `{}`), `has no parameter in path that is called "id"`},
		{"parameter too many", withOperation("3.1.0", "/a", `{"get":{"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}]}}`, `{}`), `a parameter "id" in path that the path does not have`},
		{"parameter without a name", withOperation("3.1.0", "/a", `{"get":{"parameters":[{"in":"query"}]}}`, `{}`), "is a parameter without a name"},
		{"operation is a list", withOperation("3.1.0", "/a", `{"get":[]}`, `{}`), "#/paths/~1a/get: it is no object"},
		{"path is a text", withOperation("3.1.0", "/a", `"get"`, `{}`), "#/paths/~1a: it is no object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read([]byte(c.document), Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if e := signalbox.AsError(err); e.Code != signalbox.CodeInvalid || e.Remedy == "" {
				t.Errorf("got code %s and remedy %q", e.Code, e.Remedy)
			}
		})
	}
}

// What is not built leaves the operation out, and the warning says why; others of the document are served.
func TestOperationsThatAreLeftOut(t *testing.T) {
	parameter := func(p string) string { return `{"get":{"operationId":"x","parameters":[` + p + `]}}` }
	schema := func(s string) string {
		return `{"post":{"operationId":"x","requestBody":{"required":true,"content":{"application/json":{"schema":` + s + `}}}}}`
	}
	for _, c := range []struct{ name, path, item, want string }{
		{"trace", "/a", `{"trace":{}}`, "TRACE /a: it is left out: at #/paths/~1a/trace it has the method TRACE"},
		{"own servers", "/a", `{"get":{"servers":[{"url":"https://b.example.com"}]}}`, "has servers of its own"},
		{"servers of the path", "/a", `{"servers":[{"url":"https://b.example.com"}],"get":{}}`, "has servers of its own"},
		{"steps", "/a/../b", `{"get":{}}`, "has a path with empty segments or steps"},
		{"empty segment", "/a//b", `{"get":{}}`, "has a path with empty segments or steps"},
		{"query in the path", "/a?x=1", `{"get":{}}`, "has a path that is more than segments"},
		{"escape in the path", "/a/%2e%2e/b", `{"get":{}}`, "has a path that is more than segments"},
		{"cookie", "/a", parameter(`{"name":"c","in":"cookie","required":true,"schema":{"type":"string"}}`), `needs the parameter "c", which stands in "cookie"`},
		{"style", "/a/{id}", parameter(`{"name":"id","in":"path","style":"matrix","schema":{"type":"string"}}`), `has the style "matrix"`},
		{"list in path", "/a/{id}", parameter(`{"name":"id","in":"path","schema":{"type":"array"}}`), "is a list, which is not built there"},
		{"object in query", "/a", parameter(`{"name":"o","in":"query","required":true,"schema":{"type":"object"}}`), "is an object"},
		{"content", "/a", parameter(`{"name":"o","in":"query","required":true,"content":{"text/plain":{}}}`), "has no schema, and no content of JSON"},
		{"header's name", "/a", parameter(`{"name":"a b","in":"header","required":true,"schema":{"type":"string"}}`), "has a name that no header has"},
		{"body of GET", "/a", `{"get":{"requestBody":{"required":true,"content":{"application/json":{}}}}}`, "has a body, which requests of this method have not"},
		{"dynamic reference", "/a", schema(`{"$dynamicRef":"#node"}`), "has a schema with $dynamicRef"},
		{"identifier", "/a", schema(`{"properties":{"a":{"$id":"https://x.example.com/a"}}}`), "has a schema with $id"},
		{"dialect", "/a", schema(`{"$schema":"http://json-schema.org/draft-04/schema#"}`), "has a schema of the dialect"},
		{"type", "/a", schema(`{"type":"file"}`), `has the type "file"`},
		{"pattern of names", "/a", schema(`{"patternProperties":{"^(?!x)":{}}}`), "has a pattern for names that is not built"},
		{"schema is a list", "/a", schema(`{"items":[{}]}`), "has a schema that is no object"},
		{"by itself", "/a", schema(`{"$ref":"#/components/schemas/Self"}`), "has a schema that is defined by itself"},
		{"by itself in a circle", "/a", schema(`{"items":{"$ref":"#/components/schemas/A"}}`), "has a schema that is defined by itself"},
		{"bound of no number", "/a", schema(`{"minLength":"x"}`), "has schemas that can not be checked"},
		{"large", "/a", schema(`{"description":"` + strings.Repeat("x", MaxSchemaBytes) + `"}`), "has schemas of more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			document := `{"openapi":"3.1.0","paths":{"/good":{"get":{"operationId":"good"}},"` + c.path + `":` + c.item + `},"components":{"schemas":{
				"Self":{"anyOf":[{"type":"string"},{"$ref":"#/components/schemas/Self"}]},
				"A":{"$ref":"#/components/schemas/B"},"B":{"allOf":[{"not":{"$ref":"#/components/schemas/A"}}]}}}}`
			api, err := Read([]byte(document), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(api.Tools) != 1 || len(api.Warnings) != 1 || !strings.Contains(api.Warnings[0], c.want) {
				t.Errorf("got %d tools and %q, want %q", len(api.Tools), api.Warnings, c.want)
			}
		})
	}
}

func TestNamesOfTools(t *testing.T) {
	long := strings.Repeat("n", 200)
	for _, c := range []struct{ id, want string }{
		{"getPet", "getPet"},
		{"pets.get-all_1", "pets.get-all_1"},
		{"Get all pets!", "Get_all_pets"},
		{"동물", "get_a_b"},
		{"", "get_a_b"},
		{long, long[:MaxName-9] + "_"},
	} {
		t.Run(c.id, func(t *testing.T) {
			api, err := Read([]byte(`{"openapi":"3.1.0","paths":{"/a/b":{"get":{"operationId":"`+c.id+`"}}}}`), Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := api.Tools[0].Name
			if !strings.HasPrefix(got, c.want) || len(c.want) < 100 && got != c.want || len(got) > MaxName {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestListIsStrictJSON(t *testing.T) {
	list := pets(t).List()
	if err := json.Check(list, json.Limits{CaseVariants: true}); err != nil {
		t.Error(err)
	}
	if again := pets(t).List(); string(again) != string(list) {
		t.Error("the list differs from one reading to the next")
	}
}

func TestTooManyOperations(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"openapi":"3.1.0","paths":{`)
	for i := range MaxTools + 1 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"/a` + strings.Repeat("x", i) + `":{"get":{}}`)
	}
	b.WriteString(`}}`)
	if _, err := Read([]byte(b.String()), Options{}); err == nil || !strings.Contains(err.Error(), "one operation more than the 1000") {
		t.Errorf("got %v", err)
	}
}
