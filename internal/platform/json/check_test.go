package json_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestCheck(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	wide := func(last string) string {
		var b strings.Builder
		b.WriteString(`{`)
		for _, c := range "abcdefghijklmnopqrst" {
			b.WriteString(`"` + string(c) + `":1,`)
		}
		return b.String() + `"` + last + `":1}`
	}
	tests := []struct{ name, in, want string }{
		{"object", `{"a":1,"b":[{"a":2},{"a":3}]}`, ""},
		{"scalar", ` "x" `, ""},
		{"same name in siblings", `[{"a":1},{"a":1}]`, ""},
		{"depth at the limit", deep(json.MaxDepth), ""},
		{"depth above the limit", deep(json.MaxDepth + 1), "nested deeper than 128 levels"},
		{"duplicate", `{"a":1,"a":2}`, `duplicate name "a" at offset 7`},
		{"duplicate by escape", `{"a":1,"\u0061":2}`, `duplicate name "a" at offset 7`},
		{
			"duplicate by case", `{"messages":[{"model":1,"Model":2}]}`,
			`duplicate name "Model" (also written "model") at /messages/0 (offset 24)`,
		},
		{"duplicate by Kelvin sign", "{\"key\":1,\"\u212aey\":2}", "duplicate name \"\u212aey\" (also written \"key\")"},
		{"duplicate by long s", "{\"stop\":1,\"\u017ftop\":2}", `(also written "stop")`},
		{"duplicate in second element", `[{},{"a":{"b/c":{"x":1,"X":2}}}]`, `at /1/a/b~1c (offset`},
		{"duplicate in a wide object", wide("C"), `duplicate name "C" (also written "c")`},
		{"no duplicate in a wide object", wide("z"), ""},
		{"byte order mark", "\xef\xbb\xbf{}", "byte order mark"},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", "UTF-8"},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", "UTF-8"},
		{"lone surrogate", `{"a":"\ud800"}`, "surrogate"},
		{"trailing value", `{} {}`, "data after the end"},
		{"trailing garbage", `{}x`, "data after the end"},
		{"trailing NUL", "{}\x00", "data after the end"},
		{"empty", ``, "the document ends too early"},
		{"only space", `  `, "the document ends too early"},
		{"cut off", `{"a":[1,`, "the document ends too early"},
		{"comment", `{/**/}`, "invalid character"},
		{"trailing comma", `[1,]`, "invalid character"},
		{"no name", `{1:2}`, "object member name"},
		{"no comma", `{"a":1 "b":2}`, "invalid character"},
		{"single quotes", `{'a':1}`, "invalid character"},
		{"leading zero", `[01]`, "invalid character"},
		{"NaN", `[NaN]`, "invalid character"},
		{"mismatched brackets", `[}`, "invalid character"},
		{"control character", "[\"\n\"]", "invalid character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := json.Check([]byte(tt.in), json.Limits{}); err != nil {
				var syn *json.SyntaxError
				if !errors.As(err, &syn) {
					t.Fatalf("error of type %T, want *SyntaxError", err)
				}
				got = err.Error()
			}
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckLimits(t *testing.T) {
	tests := []struct {
		name, in string
		limits   json.Limits
		ok       bool
	}{
		{"own depth reached", `[[1]]`, json.Limits{MaxDepth: 2}, true},
		{"own depth exceeded", `[[[1]]]`, json.Limits{MaxDepth: 2}, false},
		{"case variants permitted", `{"a":1,"A":2}`, json.Limits{CaseVariants: true}, true},
		{"duplicates never", `{"a":1,"a":2}`, json.Limits{CaseVariants: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := json.Check([]byte(tt.in), tt.limits); (err == nil) != tt.ok {
				t.Errorf("got error %v, want success %v", err, tt.ok)
			}
		})
	}
}

// FuzzCheck compares Check with the library's own reading, which knows neither case nor our depth, and walks what was
// accepted, so that the unchecked stepping of Node meets every shape of valid document.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, ` {"a" : [1 , -2.5e+3, null,true,false,"x\"y\\"] } `, `{"a":1,"A":2}`, `"\\"`, `1`, `{"":""}`,
		`{"messages":[{"role":"user","content":"hi"}],"model":"m"}`, "[\"\u2028\"]", `[[[]],{}]`, "\xef\xbb\xbf1",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		valid := json.Value(data).IsValid()
		err := json.Check(data, json.Limits{MaxDepth: 10_000, CaseVariants: true})
		if valid != (err == nil) {
			t.Fatalf("library says valid=%v, Check says %v", valid, err)
		}
		strict := json.Check(data, json.Limits{})
		if strict == nil && !valid {
			t.Fatal("the strict check accepted what the lenient one refuses")
		}
		if root, err := json.Parse(data, json.Limits{}); err == nil {
			walk(t, root)
		}
	})
}

// walk steps through a document and checks that every span is a valid value by itself.
func walk(t *testing.T, n json.Node) {
	t.Helper()
	if !n.Bytes().IsValid() {
		t.Fatalf("span %v holds %q", n.Span, n.Bytes())
	}
	switch n.Kind() {
	case '{':
		m, err := n.Object()
		if err != nil {
			t.Fatal(err)
		}
		for _, member := range m.All() {
			walk(t, member.Value)
		}
	case '[':
		list, err := n.Array()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			walk(t, e)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	body := []byte(`{"model":"gpt-5.6","messages":[{"role":"system","content":"` + strings.Repeat("You are helpful. ", 20) +
		`"},{"role":"user","content":"` + strings.Repeat("What is it? ", 30) + `"}],"max_tokens":100,"stream":true,` +
		`"temperature":0.5,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := json.Check(body, json.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
