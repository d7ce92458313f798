package mirror

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestReadFindsWhatIsRepeated(t *testing.T) {
	schema := `{"type":"object","properties":{
		"region":{"type":"string","x-mcp-header":"Region"},
		"where":{"type":"object","properties":{"level":{"type":"integer","x-mcp-header":"lvl"},"x-mcp-header":{"type":"string"}}},
		"dry":{"type":"boolean","x-mcp-header":"Dry-Run"},
		"plain":{"type":"string","default":{"x-mcp-header":"no"},"examples":[{"x-mcp-header":"no"}],"enum":[{"x-mcp-header":1}]}}}`
	params, err := Read(json.Value(schema))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range params {
		got = append(got, p.Header+"="+strings.Join(p.Path, "."))
	}
	want := []string{"Mcp-Param-Region=region", "Mcp-Param-lvl=where.level", "Mcp-Param-Dry-Run=dry"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, none := range []string{``, `{}`, `true`, `{"properties":{"x-mcp-header":{"type":"object"}}}`} {
		if params, err := Read(json.Value(none)); err != nil || params != nil {
			t.Errorf("%s: got %v, %v", none, params, err)
		}
	}
}

func TestReadRefusesWhatBreaksTheRules(t *testing.T) {
	const ok = `{"type":"string","x-mcp-header":"A"}`
	for name, schema := range map[string]string{
		"an empty name":                   `{"properties":{"a":{"type":"string","x-mcp-header":""}}}`,
		"a name with a blank":             `{"properties":{"a":{"type":"string","x-mcp-header":"My Region"}}}`,
		"a name with a colon":             `{"properties":{"a":{"type":"string","x-mcp-header":"a:b"}}}`,
		"a name with a line end":          `{"properties":{"a":{"type":"string","x-mcp-header":"a\r\nb"}}}`,
		"a name that is not ASCII":        `{"properties":{"a":{"type":"string","x-mcp-header":"Región"}}}`,
		"a name that is a number":         `{"properties":{"a":{"type":"string","x-mcp-header":1}}}`,
		"a name that is null":             `{"properties":{"a":{"type":"string","x-mcp-header":null}}}`,
		"a number":                        `{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}`,
		"an object":                       `{"properties":{"a":{"type":"object","x-mcp-header":"A"}}}`,
		"a list":                          `{"properties":{"a":{"type":"array","x-mcp-header":"A"}}}`,
		"null":                            `{"properties":{"a":{"type":"null","x-mcp-header":"A"}}}`,
		"several types":                   `{"properties":{"a":{"type":["string","null"],"x-mcp-header":"A"}}}`,
		"no type":                         `{"properties":{"a":{"x-mcp-header":"A"}}}`,
		"the same twice":                  `{"properties":{"a":` + ok + `,"b":` + ok + `}}`,
		"the same but for case":           `{"properties":{"a":` + ok + `,"b":{"type":"string","x-mcp-header":"a"}}}`,
		"the same at different depths":    `{"properties":{"a":` + ok + `,"b":{"type":"object","properties":{"c":` + ok + `}}}}`,
		"the root":                        `{"type":"string","x-mcp-header":"A"}`,
		"items":                           `{"properties":{"a":{"type":"array","items":` + ok + `}}}`,
		"properties within items":         `{"properties":{"a":{"type":"array","items":{"properties":{"b":` + ok + `}}}}}`,
		"a list of items":                 `{"properties":{"a":{"type":"array","items":[` + ok + `]}}}`,
		"prefixItems":                     `{"properties":{"a":{"prefixItems":[` + ok + `]}}}`,
		"oneOf":                           `{"oneOf":[{"properties":{"a":` + ok + `}}]}`,
		"allOf within a property":         `{"properties":{"a":{"allOf":[` + ok + `]}}}`,
		"not":                             `{"not":{"properties":{"a":` + ok + `}}}`,
		"then":                            `{"if":{},"then":{"properties":{"a":` + ok + `}}}`,
		"a definition":                    `{"$defs":{"a":` + ok + `},"properties":{"b":{"$ref":"#/$defs/a"}}}`,
		"a pattern of properties":         `{"patternProperties":{"^a":` + ok + `}}`,
		"all further properties":          `{"additionalProperties":` + ok + `}`,
		"a dependent schema":              `{"dependentSchemas":{"a":{"properties":{"b":` + ok + `}}}}`,
		"what is no JSON and has the key": `{"x-mcp-header"`,
	} {
		t.Run(name, func(t *testing.T) {
			if params, err := Read(json.Value(schema)); err == nil {
				t.Errorf("got %v", params)
			}
		})
	}
	many := strings.Builder{}
	for i := range MaxHeaders + 1 {
		name := strings.Repeat("a", i+1)
		many.WriteString(`,"` + name + `":{"type":"string","x-mcp-header":"` + name + `"}`)
	}
	if _, err := Read(json.Value(`{"properties":{` + many.String()[1:] + `}}`)); err == nil {
		t.Error("too many were read")
	}
}

var params = []Param{{"Mcp-Param-Region", []string{"region"}}, {"Mcp-Param-level", []string{"where", "level"}}, {"Mcp-Param-Dry", []string{"dry"}}}

func TestHeaders(t *testing.T) {
	for arguments, want := range map[string]string{
		`{}`: "", `{"region":null,"where":[1],"dry":{}}`: "", `{"where":{"level":1.5}}`: "", `{"where":{"level":9007199254740992}}`: "",
		`{"where":{"level":1e400}}`: "", `{"region":"eu"}`: "Region=eu", `{"region":""}`: "Region=", `{"dry":false}`: "Dry=false",
		`{"where":{"level":-7}}`: "Level=-7", `{"where":{"level":4.20e1}}`: "Level=42", `{"where":{"level":9007199254740991}}`: "Level=9007199254740991",
		`{"region":"Hello, 世界"}`: "Region==?base64?SGVsbG8sIOS4lueVjA==?=", `{"region":" padded "}`: "Region==?base64?IHBhZGRlZCA=?=",
		`{"region":"line1\nline2"}`: "Region==?base64?bGluZTEKbGluZTI=?=", `{"region":"=?base64?literal?="}`: "Region==?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=",
		`{"region":"=?base64?open"}`: "Region==?base64?open",
	} {
		var got []string
		for name, values := range Headers(params, json.Value(arguments)) {
			got = append(got, strings.TrimPrefix(name, Prefix)+"="+strings.Join(values, ","))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", arguments, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	const arguments = `{"region":"Hello, 世界","where":{"level":42}}`
	good := http.Header{"Mcp-Param-Region": {"=?base64?SGVsbG8sIOS4lueVjA==?="}, "Mcp-Param-Level": {"42"}}
	for name, c := range map[string]struct {
		header, value string
		ok            bool
	}{
		"as it is":                  {"Mcp-Param-Level", "42", true},
		"another way to write it":   {"Mcp-Param-Level", "42.0", true},
		"an unknown one":            {"Mcp-Param-Other", "x", true},
		"another number":            {"Mcp-Param-Level", "43", false},
		"a fraction of big numbers": {"Mcp-Param-Level", "84/2", false},
		"hexadecimal":               {"Mcp-Param-Level", "0x2a", false},
		"a huge number":             {"Mcp-Param-Level", "1e999999999", false},
		"the text as it is":         {"Mcp-Param-Region", "Hello, 世界", false},
		"broken base64":             {"Mcp-Param-Region", "=?base64?SGVsbG8?=", false},
		"other text":                {"Mcp-Param-Region", "eu", false},
		"nothing there":             {"Mcp-Param-Dry", "true", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := good.Clone()
			h.Set(c.header, c.value)
			if err := Check(params, json.Value(arguments), h); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
	twice, none := good.Clone(), good.Clone()
	twice.Add("Mcp-Param-Level", "42")
	none.Del("Mcp-Param-Level")
	for _, h := range []http.Header{twice, none, {}} {
		if Check(params, json.Value(arguments), h) == nil {
			t.Errorf("%v was taken", h)
		}
	}
	good.Set("Mcp-Param-Other", "x")
	good.Set("Authorization", "x")
	if others := Others(params, good); len(others) != 1 || others.Get("Mcp-Param-Other") != "x" {
		t.Errorf("got %v", others)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if got, ok := Decode(Encode(text)); !ok || got != text {
			t.Errorf("%q: got %q", text, got)
		}
		if arguments := json.Value(`{"region":` + string(json.Quote(text)) + `}`); Check(params, arguments, Headers(params, arguments)) != nil {
			t.Errorf("%q does not agree with itself", text)
		}
	})
}

// Whatever a schema and arguments are: what is written agrees with what is read.
func FuzzMirror(f *testing.F) {
	f.Add([]byte(`{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}`), []byte(`{"a":"x"}`))
	f.Add([]byte(`{"properties":{"a":{"properties":{"b":{"type":"integer","x-mcp-header":"B"}}}}}`), []byte(`{"a":{"b":-0.0e5}}`))
	f.Add([]byte(`{"items":{"x-mcp-header":"A"}}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, schema, arguments []byte) {
		params, err := Read(schema)
		if err != nil {
			return
		}
		h := Headers(params, arguments)
		if err := Check(params, arguments, h); err != nil {
			t.Errorf("%v: %v", h, err)
		}
		if others := Others(params, h); len(others) != 0 {
			t.Errorf("unknown: %v", others)
		}
	})
}
