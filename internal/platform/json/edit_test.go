package json_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestEditor(t *testing.T) {
	set := func(name, value string) func(*json.Editor, json.Members) {
		return func(e *json.Editor, m json.Members) { e.Set(m, name, []byte(value)) }
	}
	del := func(names ...string) func(*json.Editor, json.Members) {
		return func(e *json.Editor, m json.Members) {
			for _, n := range names {
				e.Delete(m, n)
			}
		}
	}
	tests := []struct {
		name, in string
		edit     func(*json.Editor, json.Members)
		want     string // Or, with a leading "!", part of the error.
	}{
		{"nothing", ` { "a" : 1 } `, func(*json.Editor, json.Members) {}, ` { "a" : 1 } `},
		{"replace", `{ "a" : 1 , "b":1.50}`, set("a", `"x"`), `{ "a" : "x" , "b":1.50}`},
		{"insert", "{\"a\":1\n}", set("b", `[2]`), "{\"a\":1,\"b\":[2]\n}"},
		{"insert into empty", `{ }`, set("b", `2`), `{"b":2 }`},
		{"insert a name that needs escapes", `{}`, set("\"\n", `2`), `{"\"\n":2}`},
		{"delete the first", `{ "a":1, "b":2 }`, del("a"), `{ "b":2 }`},
		{"delete the last", `{ "a":1, "b":2 }`, del("b"), `{ "a":1 }`},
		{"delete the middle", `{"a":1 , "b":2 , "c":3}`, del("b"), `{"a":1 , "c":3}`},
		{"delete a run at the start", `{"a":1,"b":2,"c":3}`, del("b", "a"), `{"c":3}`},
		{"delete all", `{ "a":1, "b":2 }`, del("a", "b"), `{  }`},
		{"delete all, insert", `{"a":1}`, func(e *json.Editor, m json.Members) {
			e.Delete(m, "a")
			e.Insert(m, "A", []byte(`1`))
			e.Insert(m, "b", []byte(`2`))
		}, `{"A":1,"b":2}`},
		{"delete the last, insert", `{"a":1,"b":2}`, func(e *json.Editor, m json.Members) {
			e.Delete(m, "b")
			e.Insert(m, "c", []byte(`3`))
		}, `{"a":1,"c":3}`},
		{"nested insert", `{"a":{"x":1}}`, func(e *json.Editor, m json.Members) {
			inner, _ := m.Get("a").Object()
			e.Insert(inner, "y", []byte(`2`))
			e.Insert(m, "b", []byte(`3`))
		}, `{"a":{"x":1,"y":2},"b":3}`},
		{"delete what is not there", `{}`, del("a"), `!no member "a"`},
		{"insert what is there", `{"a":1}`, func(e *json.Editor, m json.Members) {
			e.Insert(m, "A", []byte(`1`))
		}, `!already has the member "a"`},
		{"insert twice", `{}`, func(e *json.Editor, m json.Members) {
			e.Insert(m, "a", []byte(`1`))
			e.Insert(m, "a", []byte(`1`))
		}, `!inserted twice`},
		{"bad value", `{"a":1}`, set("a", `{"x":1,"x":2}`), `!not valid JSON`},
		{"no value", `{"a":1}`, set("a", ``), `!not valid JSON`},
		{"overlap", `{"a":{"x":1}}`, func(e *json.Editor, m json.Members) {
			inner, _ := m.Get("a").Object()
			e.Set(inner, "x", []byte(`2`))
			e.Delete(m, "a")
		}, `!overlap`},
		{"foreign node", `{"a":1}`, func(e *json.Editor, _ json.Members) {
			other, _ := json.Parse([]byte(`1`), json.Limits{})
			e.Replace(other, []byte(`2`))
		}, `!not part of the document`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := json.Object([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			e := json.NewEditor(m.Node())
			tt.edit(e, m)
			out, err := e.Bytes()
			got := string(out)
			if err != nil {
				got = "!" + err.Error()
			}
			if strings.HasPrefix(tt.want, "!") {
				if !strings.HasPrefix(got, "!") || !strings.Contains(got, tt.want[1:]) {
					t.Errorf("got %s, want an error with %s", got, tt.want[1:])
				}
			} else if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// drawObject writes an object of n members with arbitrary white space and odd spellings, and returns the pieces.
func drawObject(t *rapid.T) (doc string, names, values []string) {
	space := rapid.SampledFrom([]string{"", " ", "\n\t", "\r\n  "})
	value := rapid.SampledFrom([]string{`1`, `1.500`, `-0`, `1e2`, `"a\u0062\"]}"`, `null`, `{ "x" : [ 1 , {} ] }`, `[ ]`, `"한"`})
	n := rapid.IntRange(0, 16).Draw(t, "members")
	var b strings.Builder
	b.WriteString("{" + space.Draw(t, "open"))
	for i := range n {
		if i > 0 {
			b.WriteString("," + space.Draw(t, "comma"))
		}
		name, v := string(rune('a'+i)), value.Draw(t, "value")
		names, values = append(names, name), append(values, v)
		b.WriteString(`"` + name + `"` + space.Draw(t, "name") + ":" + space.Draw(t, "colon") + v + space.Draw(t, "end"))
	}
	b.WriteString("}")
	return b.String(), names, values
}

func TestEditorProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, names, values := drawObject(t)
		m, err := json.Object([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		e := json.NewEditor(m.Node())
		want := map[string]string{}
		for i, name := range names {
			switch rapid.IntRange(0, 2).Draw(t, "edit") {
			case 0:
				want[name] = values[i] // Untouched: the very bytes.
			case 1:
				e.Replace(m.Get(name), []byte(`"new"`))
				want[name] = `"new"`
			case 2:
				e.Delete(m, name)
			}
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "inserts") {
			name := "new" + string(rune('0'+i))
			e.Insert(m, name, []byte(`{"i": 1}`))
			want[name] = `{"i": 1}`
		}
		out, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		after, err := json.Object(out)
		if err != nil {
			t.Fatalf("%s became %s: %v", doc, out, err)
		}
		got := map[string]string{}
		for _, member := range after.All() {
			got[member.Name] = string(member.Value.Bytes())
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s became %s\ngot  %v\nwant %v", doc, out, got, want)
		}
	})
}

// FuzzEdit replaces, inserts and deletes in documents of any shape: the result must parse and the rest must stay.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(`{"a":1, "b" : {"c":[1,2]} }`), 0, []byte(`true`))
	f.Add([]byte(`{ }`), 3, []byte(`{"x":1}`))
	f.Add([]byte(`{"a":1,"b":2,"c":3}`), 2, []byte(`"\""`))
	f.Fuzz(func(t *testing.T, doc []byte, pick int, value []byte) {
		m, err := json.Object(doc)
		if err != nil || !json.Value(value).IsValid() {
			return
		}
		before := bytes.Clone(doc)
		e := json.NewEditor(m.Node())
		e.Set(m, "inserted by the test", value)
		if m.Len() > 0 && pick >= 0 {
			e.Delete(m, m.All()[pick%m.Len()].Name)
		}
		out, err := e.Bytes()
		if err != nil {
			return // The document has the member in another spelling, or it is the deleted one.
		}
		after, err := json.Object(out)
		if err != nil && json.Check(value, json.Limits{MaxDepth: json.MaxDepth - 1}) == nil {
			t.Fatalf("%s became %s: %v", doc, out, err)
		}
		for i, member := range m.All() {
			if m.Len() > 0 && pick >= 0 && i == pick%m.Len() || member.Name == "inserted by the test" || err != nil {
				continue
			}
			if !bytes.Equal(after.Get(member.Name).Bytes(), member.Value.Bytes()) {
				t.Fatalf("member %q changed: %s became %s", member.Name, doc, out)
			}
		}
		if !bytes.Equal(before, doc) {
			t.Fatal("the input was changed")
		}
	})
}
