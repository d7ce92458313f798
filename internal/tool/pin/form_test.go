package pin

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox/internal/platform/json"
)

func read(t testing.TB, entry string) Listed {
	t.Helper()
	l, err := Read(json.Value(entry))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRead(t *testing.T) {
	const plain = `{"name":"a","description":"Does it.","inputSchema":{"type":"object","properties":{"x":{"type":"number","maximum":10}}}}`
	for _, c := range []struct {
		name, entry string
		same        bool
	}{
		{"in another order", `{"inputSchema":{"properties":{"x":{"maximum":1e1,"type":"number"}},"type":"object"},"description":"Does it.","name":"a"}`, true},
		{"with white space and escapes", strings.Replace(plain, `"Does it."`, ` "D\u006fes it." `, 1), true},
		{"what models do not see", strings.Replace(plain, `{"name"`, `{"_meta":{"at":17},"icons":[],"execution":{},"name"`, 1), true},
		{"another name", strings.Replace(plain, `"a"`, `"b"`, 1), false},
		{"a title", strings.Replace(plain, `{"name"`, `{"title":"A","name"`, 1), false},
		{"another description", strings.Replace(plain, "Does it.", "Does it!", 1), false},
		{"no description", strings.Replace(plain, `"description":"Does it.",`, "", 1), false},
		{"another schema", strings.Replace(plain, "10", "11", 1), false},
		{"a schema of results", strings.Replace(plain, `{"name"`, `{"outputSchema":{},"name"`, 1), false},
		{"annotations", strings.Replace(plain, `{"name"`, `{"annotations":{"readOnlyHint":true},"name"`, 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a, b := read(t, plain), read(t, c.entry); (a.Hash == b.Hash) != c.same || (a.Definition == b.Definition) != c.same {
				t.Errorf("%s\n%s", a.Definition, b.Definition)
			}
		})
	}
	for name, entry := range map[string]string{
		"no JSON": "{", "a text": `"a"`, "no name": "{}", "a number for a name": `{"name":1}`, "a name twice": `{"name":"a","name":"b"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if l, err := Read(json.Value(entry)); err == nil {
				t.Errorf("got %+v", l)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	const before = `{"annotations":{},"description":"Reads.\nSlowly.","inputSchema":{"properties":{"a/b":{"type":"string"},"n":{"enum":[1,2,3]}}},"name":"a"}`
	for _, c := range []struct {
		name, before, after string
		want                []string
	}{
		{"equal", before, before, nil},
		{"a line of a text", before, strings.Replace(before, "Slowly", "Fast", 1), []string{`- /description: "Slowly."`, `+ /description: "Fast."`}},
		{"what nobody sees", before, strings.Replace(before, "Reads.", "Reads.\u200b", 1), []string{`- /description: "Reads."`, `+ /description: "Reads.⟨U+200B⟩"`}},
		{"an escaped name", before, strings.Replace(before, "string", "number", 1), []string{
			`- /inputSchema/properties/a~1b/type: "string"`, `+ /inputSchema/properties/a~1b/type: "number"`,
		}},
		{"in the middle of a list", before, strings.Replace(before, "1,2,3", "1,3", 1), []string{
			`- /inputSchema/properties/n/enum/1: 2`, `- /inputSchema/properties/n/enum/2: 3`, `+ /inputSchema/properties/n/enum/1: 3`,
		}},
		{"a member more", before, strings.Replace(before, `"name"`, `"b":null,"name"`, 1), []string{`+ /b: null`}},
		{"a member less", `{"a":[],"b":1,"c":2}`, `{"a":[],"c":2}`, []string{"- /b: 1"}},
		{"nothing before", "", `{"name":"a"}`, []string{`+ /name: "a"`}},
		{"text that looks like a number", `{"a":1}`, `{"a":"1"}`, []string{"- /a: 1", `+ /a: "1"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Diff(c.before, c.after); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func TestDiffIsBounded(t *testing.T) {
	long := func(c string) string { return `{"a":["` + strings.Repeat(c+`","`, 2000) + `"]}` }
	got := Diff(long("x"), long("y"))
	if len(got) != MaxDiff+1 || got[MaxDiff] != "… and 3800 lines more" {
		t.Errorf("%d lines, the last is %s", len(got), got[len(got)-1])
	}
	if got := Diff(`{"a":"x"}`, `{"a":"`+strings.Repeat("ü", 2*maxLine)+`"}`); len(got) != 2 || len([]rune(got[1])) != maxLine+3 {
		t.Errorf("%d lines of %d characters", len(got), len([]rune(got[1])))
	}
}

func TestChanged(t *testing.T) {
	got := Changed(`{"annotations":{},"description":"a","name":"n"}`, `{"description":"b","name":"n","title":"t"}`)
	if want := []string{"annotations", "description", "title"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if got := Changed("", ""); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

// The difference is empty for equal definitions and for no others, and each of its lines is one of theirs.
func TestDiffOfAny(t *testing.T) {
	document := rapid.Custom(func(t *rapid.T) string {
		m := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c/d", "e"}), rapid.SampledFrom([]any{"x", "x\ny", 1, nil, []string{}, []string{"x", "y"}, map[string]int{"x": 1}}), 0, 4)
		text, err := json.Marshal(m.Draw(t, "members"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := document.Draw(t, "a"), document.Draw(t, "b")
		diff := Diff(a, b)
		if (len(diff) == 0) != (a == b) {
			t.Fatalf("%s and %s differ by %v", a, b, diff)
		}
		minus, plus := 0, 0
		for _, line := range diff {
			if strings.HasPrefix(line, "- ") {
				minus++
			} else {
				plus++
			}
		}
		if len(lines(a))-minus != len(lines(b))-plus {
			t.Fatalf("%d and %d lines, -%d +%d", len(lines(a)), len(lines(b)), minus, plus)
		}
	})
}
