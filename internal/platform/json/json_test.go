package json_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox/internal/platform/json"
)

type record struct {
	Name  string     `json:"name"`
	Tags  []string   `json:"tags"`
	Count int        `json:"count"`
	Rest  json.Value `json:",embed"`
}

func TestUnmarshal(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"good", `{"name":"x","other":{"a":1.50}}`, ""},
		{"duplicate", `{"name":"x","name":"y"}`, "duplicate object member name"},
		{"trailing", `{} 1`, "after top-level value"},
		{"byte order mark", "\xef\xbb\xbf{}", "invalid character"},
		{"wrong type", `{"count":"x"}`, "a string that does not fit int at /count"},
		{"too large", `{"count":99999999999999999999}`, "a number that does not fit int"},
		{"empty", ``, "the document ends too early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r record
			err := json.Unmarshal([]byte(tt.in), &r)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestUnmarshalReplaces(t *testing.T) {
	r := record{Name: "old", Tags: []string{"old"}, Count: 7}
	if err := json.Unmarshal([]byte(`{"tags":["new"]}`), &r); err != nil {
		t.Fatal(err)
	}
	if r.Name != "" || r.Count != 0 || len(r.Tags) != 1 || r.Tags[0] != "new" {
		t.Errorf("got %+v, want only the new tag", r)
	}
}

func TestUnmarshalKnown(t *testing.T) {
	var r struct {
		Name string `json:"name"`
	}
	err := json.UnmarshalKnown([]byte(`{"name":"x","extra":1}`), &r)
	if err == nil || !strings.Contains(err.Error(), "unknown name at /extra") {
		t.Errorf("got %v, want unknown name at /extra", err)
	}
}

func TestMarshal(t *testing.T) {
	in := record{Name: "x", Rest: json.Value(`{"b":1.50,"a":2}`)}
	got, err := json.Marshal(in)
	if want := `{"name":"x","tags":[],"count":0,"b":1.50,"a":2}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	got, err = json.MarshalIndent(map[string]int{"b": 1, "a": 2})
	if want := "{\n  \"a\": 2,\n  \"b\": 1\n}"; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestCanonical(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"order and space", `{ "b" : 1, "a" : [ 1.0, 1e2 ] }`, `{"a":[1,100],"b":1}`},
		{"order by UTF-16", "{\"\ufb33\":1,\"\U0001f600\":2}", "{\"\U0001f600\":2,\"\ufb33\":1}"},
		{"escapes", `"\u0041\u000a\/"`, `"A\n/"`},
		{
			"numbers as in RFC 8785", `[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0]`,
			`[333333333.3333333,1e+30,4.5,0.002,1e-27,0]`,
		},
		{"integer beyond binary64 stays", `[9007199254740993]`, `[9007199254740993]`},
		{"overflow stays", `[1e400]`, `[1e400]`},
		{"far exponent stays", `[1e99999999999]`, `[1e99999999999]`},
		{"case variants are data", `{"b":1,"B":2}`, `{"B":2,"b":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Canonical([]byte(tt.in))
			want := tt.want
			if tt.name == "numbers as in RFC 8785" { // The RFC rounds the first one; here it keeps its digits.
				want = strings.Replace(want, "333333333.3333333", "333333333.33333329", 1)
			}
			if err != nil || string(got) != want {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
}

func TestIndent(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an object":   {`{"a":1.50,"b":"x\ny\u200b"}`, "{\n  \"a\": 1.50,\n  \"b\": \"x\\ny\\u200b\"\n}"},
		"no object":   {`{}`, `{}`},
		"not JSON":    {`{"a":`, `{"a":`},
		"two members": {`{"a":1,"a":2}`, "{\n  \"a\": 1,\n  \"a\": 2\n}"},
	} {
		if got := string(json.Indent([]byte(c.text))); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestCanonicalNumbers compares the numbers of many spellings as exact fractions before and after.
func TestCanonicalNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
		out, err := json.Canonical([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		before, _ := new(big.Rat).SetString(in)
		after, ok := new(big.Rat).SetString(string(out))
		if !ok || before.Cmp(after) != 0 {
			t.Fatalf("%s became %s", in, out)
		}
		again, err := json.Canonical(out)
		if err != nil || string(again) != string(out) {
			t.Fatalf("%s became %s, then %s", in, out, again)
		}
	})
}

func TestNode(t *testing.T) {
	m, err := json.Object([]byte(`{"s":"a\nb","i":-12,"f":1.5,"e":1e3,"big":99999999999999999999,"t":true,"n":null,"a":[1,"x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := m.Get("s").Text(); err != nil || s != "a\nb" {
		t.Errorf("text: got %q, %v", s, err)
	}
	if i, err := m.Get("i").Int(); err != nil || i != -12 {
		t.Errorf("int: got %d, %v", i, err)
	}
	if b, err := m.Get("t").Bool(); err != nil || !b {
		t.Errorf("bool: got %v, %v", b, err)
	}
	for _, name := range []string{"f", "e", "big", "s", "n", "absent"} {
		if _, err := m.Get(name).Int(); err == nil {
			t.Errorf("int of %s: got none, want an error", name)
		}
	}
	if !m.Get("n").Null() || !m.Get("absent").Null() || m.Get("absent").Exists() || !m.Get("n").Exists() {
		t.Error("null and absent are not told apart")
	}
	if list, err := m.Get("a").Array(); err != nil || len(list) != 2 || string(list[1].Bytes()) != `"x"` {
		t.Errorf("array: got %v, %v", list, err)
	}
	if _, err := m.Get("a").Object(); err == nil || !strings.Contains(err.Error(), "an array where an object is expected") {
		t.Errorf("object of an array: got %v", err)
	}
	if _, err := json.Array([]byte(`{}`)); err == nil {
		t.Error("array of an object: got none, want an error")
	}
}

func TestKnown(t *testing.T) {
	names := json.NewNames("model", "max_tokens", "topK")
	tests := []struct{ name, in, want string }{
		{"exact", `{"model":1,"topK":1,"other":1}`, ""},
		{"capital", `{"Model":1}`, `name "Model" must be written "model"`},
		{"lower case of a name with a capital", `{"topk":1}`, `name "topk" must be written "topK"`},
		{"Kelvin sign", "{\"max_to\u212aens\":1}", `must be written "max_tokens"`},
		{"escaped", `{"\u004dodel":1}`, `name "Model" must be written "model"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := json.Object([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := m.Known(names); err != nil {
				got = err.Error()
			}
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
