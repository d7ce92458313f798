package openapi

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func base(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestRequests(t *testing.T) {
	for _, c := range []struct {
		name, tool, base, arguments string
		want                        string // Method, address and body.
		header                      string // Name and value of one.
	}{
		{"nothing", "listPets", "https://x.example.com", `{}`, "GET https://x.example.com/pets ", "Accept: application/json, */*;q=0.5"},
		{
			"query in all ways", "listPets", "https://x.example.com/v1/?key=k",
			`{"where":{"field":"a","and":[]},"filter":{"kind":"c t","age":3},"ids":[1,2],"tag":["a&b","c+d"],"limit":5}`,
			`GET https://x.example.com/v1/pets?key=k&limit=5&tag=a%26b&tag=c%2Bd&ids=1%2C2&filter%5Bkind%5D=c%20t&filter%5Bage%5D=3&where=%7B%22field%22%3A%22a%22%2C%22and%22%3A%5B%5D%7D `, "",
		},
		{"header", "listPets", "https://x.example.com", `{"X-Request-Reason":"why not"}`, "GET https://x.example.com/pets ", "X-Request-Reason: why not"},
		{"path", "getPet", "https://x.example.com/v1", `{"petId":"a b"}`, "GET https://x.example.com/v1/pets/a%20b ", ""},
		{"slash stays in its segment", "getPet", "https://x.example.com/v1", `{"petId":"a/b?c#d;e"}`, "GET https://x.example.com/v1/pets/a%2Fb%3Fc%23d%3Be ", ""},
		{"verb after a colon", "post_owners_id_pets_petId_move", "https://x.example.com", `{"id":"x:y","petId":"p:move","query_id":"q"}`, "POST https://x.example.com/owners/x%3Ay/pets/p%3Amove:move?id=q ", ""},
		{
			"body as it was written", "createPet", "https://x.example.com", `{"body": {"name" : "Rex","kind":"dog", "weight":1.50e1} }`,
			`POST https://x.example.com/pets {"name" : "Rex","kind":"dog", "weight":1.50e1}`, "Content-Type: application/json",
		},
		{"deletion", "deletePet", "https://x.example.com", `{"petId":"7"}`, "DELETE https://x.example.com/pets/7 ", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := pets(t).Tool(c.tool).Request(context.Background(), base(t, c.base), []byte(c.arguments))
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(req.Body)
			if got := req.Method + " " + req.URL.String() + " " + string(data); err != nil || got != c.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, c.want)
			}
			if name, value, ok := strings.Cut(c.header, ": "); ok && req.Header.Get(name) != value {
				t.Errorf("got %s: %q, want %q", name, req.Header.Get(name), value)
			}
			if req.GetBody != nil && len(data) > 0 {
				t.Error("the body can be sent again")
			}
		})
	}
}

func TestArgumentsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, tool, arguments, field, want string }{
		{"missing", "getPet", `{}`, "arguments.petId", `The argument "petId" of "getPet" is missing.`},
		{"unknown", "getPet", `{"petId":"1","force":true}`, "arguments.force", `has no argument "force"; it has: petId`},
		{"other case", "getPet", `{"petid":"1"}`, "arguments.petid", `has no argument "petid"`},
		{"fixed by the configuration", "listPets", `{"X-Api-Key":"mine"}`, "arguments.X-Api-Key", `has no argument "X-Api-Key"`},
		{"type", "getPet", `{"petId":7}`, "arguments.petId", "does not fit its schema: type at #/properties/petId"},
		{"length", "getPet", `{"petId":"` + strings.Repeat("s", 41) + `"}`, "arguments.petId", "maxLength at #/properties/petId"},
		{"exclusive bound", "listPets", `{"limit":0}`, "arguments.limit", "exclusiveMinimum at #/properties/limit"},
		{"element", "listPets", `{"ids":[1,"two"]}`, "arguments.ids", "type at #/properties/ids/items"},
		{"body", "createPet", `{"body":{"name":"Rex","kind":"horse"}}`, "arguments.body", "enum at #/$defs/Kind"},
		{"member of the body", "createPet", `{"body":{"name":"Rex"}}`, "arguments.body", `it lacks ["kind"]`},
		{"further member", "post_owners_id_pets_petId_move", `{"id":"1","petId":"2","query_id":"3","request_body":{"a":1}}`, "arguments.request_body", "additionalProperties at"},
		{"steps up", "getPet", `{"petId":".."}`, "arguments.petId", "has a step"},
		{"steps behind a slash", "getPet", `{"petId":"a/../../admin"}`, "arguments.petId", "has a step"},
		{"steps before a parameter", "getPet", `{"petId":"..;x=1/admin"}`, "arguments.petId", "has a step"},
		{"backslash", "getPet", `{"petId":"..\\admin"}`, "arguments.petId", "has a backslash"},
		{"encoded", "getPet", `{"petId":"%2e%2e%2fadmin"}`, "arguments.petId", "is percent-encoded already"},
		{"empty", "getPet", `{"petId":""}`, "arguments.petId", "is empty"},
		{"line break", "getPet", `{"petId":"a\r\nX: y"}`, "arguments.petId", "has a control character"},
		{"line break in a header", "listPets", `{"X-Request-Reason":"a\r\nX: y"}`, "arguments.X-Request-Reason", "holds printable ASCII only"},
		{"no object", "getPet", `[]`, "arguments", "can not be read"},
		{"twice", "getPet", `{"petId":"1","petId":"2"}`, "arguments", "can not be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := pets(t).Tool(c.tool).Refuse([]byte(c.arguments))
			if err == nil || err.Code != signalbox.CodeInvalid || err.Field != c.field || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v at %q\nwant %s at %q", err, err.Field, c.want, c.field)
			}
			if _, again := pets(t).Tool(c.tool).Request(context.Background(), base(t, "http://x.example.com"), []byte(c.arguments)); again == nil {
				t.Error("a request was made of them")
			}
		})
	}
}

func TestConditionsOfThreeOne(t *testing.T) {
	tool := readFile(t, "orders.json", Options{}).Tool("orders.change")
	for _, c := range []struct {
		name, arguments, want string
	}{
		{"null", `{"id":1,"body":{"note":null}}`, ""},
		{"tuple", `{"id":1,"body":{"point":[1,2]}}`, ""},
		{"condition met", `{"id":1,"body":{"state":"closed","reason":"done"}}`, ""},
		{"condition", `{"id":1,"body":{"state":"closed"}}`, `it lacks ["reason"]`},
		{"constant", `{"id":1,"body":{"state":"open","reason":"r"}}`, "const at"},
		{"bound", `{"id":0,"body":{}}`, "exclusiveMinimum at"},
		{"number in another form", `{"id":7.0,"body":{}}`, "a number in its plain form"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := tool.Refuse([]byte(c.arguments))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// No value of an argument is in the error about it.
func TestErrorsShowNoValues(t *testing.T) {
	const canary = "hunter2"
	for _, arguments := range []string{
		`{"body":"hunter2"}`, `{"body":{"name":"hunter2","kind":"hunter2"}}`, `{"body":{"name":"a","kind":"cat","weight":"hunter2"}}`,
		`{"body":{"name":"a","kind":"cat","owner":{"email":["hunter2"]}}}`,
	} {
		if err := pets(t).Tool("createPet").Refuse([]byte(arguments)); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: got %v", arguments, err)
		}
	}
}

// Whatever a value is, the request goes to the path of the tool with one more segment, and a server that decodes the path
// once finds the value there.
func TestPathArgumentsStayInTheirSegment(t *testing.T) {
	tool := pets(t).Tool("getPet")
	alphabet := rapid.StringOfN(rapid.SampledFrom([]rune(`ab./\;%2eF:?#&=@ é雪~*+"'<>`+"\x00\n\t")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		value := alphabet.Draw(t, "value")
		req, err := tool.Request(context.Background(), &url.URL{Scheme: "http", Host: "x.example.com", Path: "/v1"}, []byte(`{"petId":`+string(json.Quote(value))+`}`))
		if err != nil {
			return
		}
		escaped := req.URL.EscapedPath()
		rest, found := strings.CutPrefix(escaped, "/v1/pets/")
		if !found || rest == "" || strings.ContainsAny(rest, `/\?#;`) || req.URL.RawQuery != "" || req.URL.Host != "x.example.com" {
			t.Fatalf("%q goes to %s", value, req.URL)
		}
		if back, err := url.PathUnescape(rest); err != nil || back != value {
			t.Fatalf("%q arrives as %q (%v)", value, back, err)
		}
		for _, reading := range []string{rest, strings.ReplaceAll(rest, "%2F", "/")} {
			for step := range strings.SplitSeq(reading, "/") {
				if plain, _ := url.PathUnescape(step); strings.Trim(plain, ". ") == "" {
					t.Fatalf("%q has the step %q", value, step)
				}
			}
		}
	})
}

func TestResults(t *testing.T) {
	text := http.Header{"Content-Type": {"text/plain"}}
	data := http.Header{"Content-Type": {"application/json"}}
	for _, c := range []struct {
		name, tool string
		status     int
		header     http.Header
		body, want string
	}{
		{"object", "getPet", 200, data, `{"a":1.0}`, `{"content":[{"type":"text","text":"{\"a\":1.0}"}],"structuredContent":{"a":1.0},"isError":false,"_meta":{"signalbox/openapi":{"status":200}}}`},
		{"list", "listPets", 200, data, `[1]`, `{"content":[{"type":"text","text":"[1]"}],"isError":false,"_meta":{"signalbox/openapi":{"status":200}}}`},
		{"no strict JSON", "getPet", 200, data, `{"a":1,"a":2}`, `{"content":[{"type":"text","text":"{\"a\":1,\"a\":2}"}],"isError":false,"_meta":{"signalbox/openapi":{"status":200}}}`},
		{"nothing", "deletePet", 204, nil, ``, `{"content":[{"type":"text","text":"The API answered 204 No Content, without a body."}],"isError":false,"_meta":{"signalbox/openapi":{"status":204}}}`},
		{"made", "createPet", 201, http.Header{"Location": {"/pets/1"}}, `ok`, `{"content":[{"type":"text","text":"ok"}],"isError":false,"_meta":{"signalbox/openapi":{"status":201,"location":"/pets/1"}}}`},
		{"image", "getPet", 200, http.Header{"Content-Type": {"image/png"}}, "\x89PNG", `{"content":[{"type":"image","data":"iVBORw==","mimeType":"image/png"}],"isError":false,"_meta":{"signalbox/openapi":{"status":200}}}`},
		{"bytes", "getPet", 200, http.Header{"Content-Type": {"application/zip"}}, "\xff", `{"content":[{"type":"resource","resource":{"uri":"signalbox:getPet","mimeType":"application/zip","blob":"/w=="}}],"isError":false,"_meta":{"signalbox/openapi":{"status":200}}}`},
		{"refused", "getPet", 404, text, "no such pet", `{"content":[{"type":"text","text":"The API answered 404 Not Found.\nno such pet"}],"isError":true,"_meta":{"signalbox/openapi":{"status":404}}}`},
		{"redirect", "getPet", 302, http.Header{"Location": {"http://x.example.com/"}}, "", `{"content":[{"type":"text","text":"The API answered 302 Found. Redirects are not followed. Location: http://x.example.com/"}],"isError":true,"_meta":{"signalbox/openapi":{"status":302,"location":"http://x.example.com/"}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.header == nil {
				c.header = http.Header{}
			}
			if got := string(pets(t).Tool(c.tool).Result(c.status, c.header, []byte(c.body))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Clients check answers against the schema that the list shows; what does not fit reaches them as an error, whole.
func TestAnswersThatDoNotFit(t *testing.T) {
	tool := readFile(t, "orders.json", Options{}).Tool("plant")
	data := http.Header{"Content-Type": {"application/json"}}
	for _, c := range []struct{ name, body, want string }{
		{"fits", `{"value":1,"children":[{"value":2,"more":true}]}`, `"isError":false`},
		{"members may be missing or null", `{"children":null}`, `"isError":false`},
		{"another type", `{"value":"one"}`, `not with what its OpenAPI document says: type at #/$defs/Tree/properties/value.`},
		{"no object", `[]`, `it is no object in strict JSON`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(tool.Result(200, data, []byte(c.body)))
			whole := string(json.Quote(c.body))
			if !strings.Contains(got, c.want) || !strings.Contains(got, whole) {
				t.Errorf("got %s, want %s and %s", got, c.want, whole)
			}
		})
	}
}

func TestErrorsOfTheAPIAreBounded(t *testing.T) {
	got := string(pets(t).Tool("getPet").Result(500, http.Header{}, []byte(strings.Repeat("é", MaxFailed))))
	if len(got) > MaxFailed+500 || !strings.Contains(got, "[The rest is cut off.]") {
		t.Errorf("got %d bytes", len(got))
	}
}
