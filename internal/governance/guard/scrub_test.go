package guard

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func scrub(t testing.TB, doc string, answer bool, only ...signalbox.GuardDetector) (string, Scrubbed) {
	t.Helper()
	done, err := NewScrubber(only).Scrub([]byte(doc), answer)
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	masked, err := done.Doc()
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return string(masked), done
}

func TestScrub(t *testing.T) {
	cases := map[string]struct{ doc, want string }{
		"nothing":                  {`{ "a" : [1, true, null, "x \u00e9"] }`, `{ "a" : [1, true, null, "x \u00e9"] }`},
		"a mail":                   {`{"to":"kim@example.com" , "n":1.50}`, `{"to":"[email]" , "n":1.50}`},
		"within a text":            {`["call 010-1234-5678 now","a\/b"]`, `["call [phone] now","a\/b"]`},
		"an escaped at":            {`{"to":"kim\u0040example.com"}`, `{"to":"[email]"}`},
		"an address in a URL":      {`{"q":"?mail=kim%40example.com&x=1"}`, `{"q":"?mail=[email]&x=1"}`},
		"digits by surrogates    ": {`{"k":"\ud835\udfce\ud835\udfcf\ud835\udfce-1234-5678"}`, `{"k":"[phone]"}`},
		"digits of other scripts":  {`{"k":"\uff10\uff11\uff10-1234-5678"}`, `{"k":"[phone]"}`},
		"a name of a secret":       {`{"password":"hunter2","Api_Key":"x y","user":"u"}`, `{"password":"[secret]","Api_Key":"[secret]","user":"u"}`},
		"a list of secrets":        {`{"password":["a1","b2"]}`, `{"password":["[secret]","[secret]"]}`},
		"a schema of a secret":     {`{"password":{"type":"string"}}`, `{"password":{"type":"string"}}`},
		"a weak name":              {`{"token":"abc","key":"ab12cd34ef56"}`, `{"token":"abc","key":"[secret]"}`},
		"a document in a text":     {`{"text":"{\"a\": \"kim\\u0040example.com\", \"secret\":\"ab\\\"cd\"}"}`, `{"text":"{\"a\": \"[email]\", \"secret\":\"[secret]\"}"}`},
		"a name in such a document": {
			`{"text":"{\"kim@example.com\":1,\"secret\":\"ab\\\"cd\"}"}`, `{"text":"{\"[email]\":1,\"secret\":\"[secret]\"}"}`,
		},
		"a number in such a document":        {`{"text":"{\"n\": 4111111111111111}"}`, `{"text":"{\"n\": [card]}"}`},
		"a number that the text has not":     {`{"text":"{\"password\": [\n 1234\n]}"}`, `{"text":"[masked]"}`},
		"a document in a document":           {`["[\"{\\\"m\\\":\\\"kim@example.com\\\"}\"]"]`, `["[\"{\\\"m\\\":\\\"[email]\\\"}\"]"]`},
		"tags":                               {`{"password":"[secret]","m":"[email] password=[secret]"}`, `{"password":"[secret]","m":"[email] password=[secret]"}`},
		"a text that looks like a document":  {`["{kim@example.com}"]`, `["{[email]}"]`},
		"blanks":                             {`["       "]`, `["       "]`},
		"brackets of nothing":                {`["{","[[email]]"]`, `["{","[[email]]"]`},
		"an empty name":                      {`{"":"kim@example.com"}`, `{"":"[email]"}`},
		"a name of nothing but what is left": {`{"__":"abcdef123456"}`, `{"__":"abcdef123456"}`},
		"a long name of a secret":            {`{"` + strings.Repeat("x", 60) + `_password":"ab"}`, `{"` + strings.Repeat("x", 60) + `_password":"[secret]"}`},
		"in the data of an image":            {`{"type":"image","data":"kim@example.com"}`, `{"type":"image","data":"[email]"}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, _ := scrub(t, tc.doc, false); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
			checkScrubbed(t, tc.doc, false)
		})
	}
}

func TestScrubFindsWhatNothingCanReplace(t *testing.T) {
	cases := map[string]struct {
		doc  string
		want Finding
	}{
		"a name":                   {`{"x":{"kim@example.com":1}}`, Finding{signalbox.DetectEmail, "/x", true}},
		"a card number":            {`{"a":[0,4111111111111111]}`, Finding{signalbox.DetectCard, "/a/1", true}},
		"a number that is secret":  {`{"passcode":123456}`, Finding{signalbox.DetectSecret, "/passcode", true}},
		"under a name with a name": {`{"a/b~":{"kim@example.com":{"n":4111111111111111}}}`, Finding{signalbox.DetectEmail, "/a~1b~0", true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, done := scrub(t, tc.doc, false)
			if done.Fixed == nil || *done.Fixed != tc.want {
				t.Errorf("got %+v, want %+v", done.Fixed, tc.want)
			}
		})
	}
	if _, done := scrub(t, `{"n":123456789012,"f":411111111111111.1,"e":1e300,"i":-4111111111111111}`, false); done.Fixed != nil {
		t.Errorf("got %+v of plain numbers", done.Fixed)
	}
}

func TestScrubPassesOverWhatIsEncoded(t *testing.T) {
	const digits = "4111111111111111"
	cases := map[string]struct {
		doc, want string
		unseen    int64
	}{
		"an image":     {`{"content":[{"type":"image","data":"ab/cd\/` + digits + `==","mimeType":"image/png"}]}`, "=", 1},
		"sound":        {`{"content":[{"data":"` + digits + `","type":"audio"}]}`, "=", 1},
		"a blob":       {`{"contents":[{"uri":"file:///a","blob":"` + digits + `"},{"blob":"` + digits + `"}]}`, `{"contents":[{"uri":"file:///a","blob":"` + digits + `"},{"blob":"[card]"}]}`, 1},
		"no base64":    {`{"contents":[{"uri":"file:///a","blob":"` + digits + ` "},{"uri":"u","blob":7}]}`, `{"contents":[{"uri":"file:///a","blob":"[card] "},{"uri":"u","blob":7}]}`, 0},
		"other data":   {`{"content":[{"type":"text","data":"` + digits + `"},{"data":"` + digits + `"}]}`, `{"content":[{"type":"text","data":"[card]"},{"data":"[card]"}]}`, 0},
		"the state":    {`{"resultType":"input_required","requestState":"` + digits + `"}`, "=", 1},
		"no state":     {`{"resultType":"complete","requestState":"` + digits + `"}`, `{"resultType":"complete","requestState":"[card]"}`, 0},
		"a state deep": {`{"x":{"requestState":"` + digits + `"}}`, `{"x":{"requestState":"[card]"}}`, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := tc.want
			if want == "=" {
				want = tc.doc
			}
			got, done := scrub(t, tc.doc, true)
			if got != want || done.Unseen != tc.unseen {
				t.Errorf("got %s and %d unseen, want %s and %d", got, done.Unseen, want, tc.unseen)
			}
			checkScrubbed(t, tc.doc, true)
		})
	}
}

func TestScrubWithSomeDetectors(t *testing.T) {
	const doc = `{"m":"kim@example.com 010-1234-5678","password":"hunter2"}`
	if got, done := scrub(t, doc, false, signalbox.DetectPhone); got != `{"m":"kim@example.com [phone]","password":"hunter2"}` ||
		!reflect.DeepEqual(done.Counts, map[signalbox.GuardDetector]int64{signalbox.DetectPhone: 1}) {
		t.Errorf("got %s, %v", got, done.Counts)
	}
	if got, done := scrub(t, doc, false, signalbox.GuardDetectors()...); got != `{"m":"[email] [phone]","password":"[secret]"}` || len(done.Findings) != 3 {
		t.Errorf("got %s, %v", got, done.Findings)
	}
}

func TestScrubbedSingle(t *testing.T) {
	_, done := scrub(t, `{"to":"kim@example.com","path":"/home/kim@example.com"}`, false)
	at := done.Single(func(doc []byte) bool { return bytes.Contains(doc, []byte(`"/home/kim@`)) })
	if at != "/path" {
		t.Errorf("got %q, want /path", at)
	}
	if at := done.Single(func([]byte) bool { return true }); at != "" {
		t.Errorf("got %q, want nothing", at)
	}
}

func TestScrubBounds(t *testing.T) {
	if _, err := NewScrubber(nil).Scrub([]byte(`["`+strings.Repeat("a ", MaxScrubbed/2)+`","b"]`), false); !errors.Is(err, ErrTooMuch) {
		t.Errorf("got %v of a long text", err)
	}
	many := `[["` + strings.Repeat("a ", MaxScrubbed/4) + `","` + strings.Repeat("a ", MaxScrubbed/4+2) + `"],["x"],{"n":1}]`
	if _, err := NewScrubber(nil).Scrub([]byte(many), false); !errors.Is(err, ErrTooMuch) {
		t.Errorf("got %v of two long texts", err)
	}
	if _, err := NewScrubber(nil).Scrub([]byte(`{"a":1,"a":2}`), false); err == nil {
		t.Error("a document with two meanings was looked at")
	}
	_, done := scrub(t, `["`+strings.Repeat(`kim@example.com","`, 100)+`"]`, false)
	if len(done.Findings) != MaxFindings || done.Counts[signalbox.DetectEmail] != 100 {
		t.Errorf("got %d findings, %v", len(done.Findings), done.Counts)
	}
	_, done = scrub(t, `["`+strings.Repeat(`kim@example.com","`, 100)+`",4111111111111111]`, false)
	if want := (Finding{signalbox.DetectCard, "/101", true}); done.Fixed == nil || *done.Fixed != want {
		t.Errorf("got %+v, want %+v", done.Fixed, want)
	}
	phones := `["` + strings.Repeat(`010-1234-5678","`, MaxChecks) + `+99 123 456 789"]`
	if got, _ := scrub(t, phones, false); strings.Contains(got, "456") {
		t.Errorf("ends in %s", got[len(got)-40:])
	}
}

func TestPointersOfLongNames(t *testing.T) {
	_, done := scrub(t, `{"`+strings.Repeat("é", 100)+`":"kim@example.com"}`, false)
	if got, want := done.Findings[0].Pointer, "/"+strings.Repeat("é", 32)+cutMark; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestText(t *testing.T) {
	got, done, err := NewScrubber(nil).Text("no \"such\" user kim@example.com\n")
	if err != nil || got != "no \"such\" user [email]\n" || done.Counts[signalbox.DetectEmail] != 1 {
		t.Errorf("got %q, %v, %v", got, done.Counts, err)
	}
	if _, _, err := NewScrubber(nil).Text(strings.Repeat("a", MaxScrubbed+1)); !errors.Is(err, ErrTooMuch) {
		t.Errorf("got %v", err)
	}
}

// checkScrubbed checks what holds for every document.
func checkScrubbed(t failer, doc string, answer bool) {
	t.Helper()
	s := NewScrubber(nil)
	done, err := s.Scrub([]byte(doc), answer)
	if err != nil {
		return
	}
	once, err := done.Doc()
	if err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	checkShape(t, doc, string(once))
	again, err := s.Scrub(once, answer)
	if err != nil {
		t.Fatalf("%q became %q: %v", doc, once, err)
	}
	twice, err := again.Doc()
	if err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("masked twice (%v)\n doc   %q\n once  %q\n twice %q", err, doc, once, twice)
	}
	if done.Fixed == nil && len(again.Counts) > 0 {
		t.Fatalf("there is still %v in %q", again.Counts, once)
	}
}

// checkShape checks that nothing but texts differs, and that all bytes around those are the same.
func checkShape(t failer, doc, masked string) {
	t.Helper()
	before, after := pieces(t, doc), pieces(t, masked)
	if len(before) != len(after) {
		t.Fatalf("another shape\n of %q\n is %q", doc, masked)
	}
	for i := range before {
		if i%2 == 0 && before[i] != after[i] {
			t.Fatalf("other bytes outside of texts: %q became %q\n of %q\n is %q", before[i], after[i], doc, masked)
		}
	}
}

// pieces parts a document into what is no value that is a text, and such texts, by turns.
func pieces(t failer, doc string) []string {
	t.Helper()
	root, err := json.Parse([]byte(doc), json.Limits{CaseVariants: true})
	if err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	var list []string
	at := 0
	var visit func(json.Node)
	visit = func(n json.Node) {
		switch n.Kind() {
		case '{':
			members, _ := n.Object()
			for _, m := range members.All() {
				visit(m.Value)
			}
		case '[':
			elements, _ := n.Array()
			for _, e := range elements {
				visit(e)
			}
		case '"':
			list = append(list, doc[at:n.Start], doc[n.Start:n.End])
			at = n.End
		}
	}
	visit(root)
	return append(list, doc[at:])
}

// documents draws documents that have much in them to be found.
func documents() *rapid.Generator[string] {
	texts := rapid.OneOf(
		rapid.SampledFrom([]string{
			"kim@example.com", "010-1234-5678", "4111 1111 1111 1111", "900101-1234568", "123-45-6789", "DE89370400440532013000",
			"password=hunter2", "sk-ant-abcd1234", "Bearer abcdefgh12345678", "https://u:p@example.com/", "[secret]", "[email]", "plain",
			"-----BEGIN PRIVATE KEY-----", `\u0040`, "%40", `{"a":"kim@example.com"}`, `["pwd=\"ab\""]`, `{"password":1234}`,
		}),
		rapid.String(), rapid.StringMatching(`[a-z@.:= 0-9"\\{}\[\]-]{0,24}`),
	)
	joined := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(texts, 0, 4).Draw(t, "texts"), rapid.SampledFrom([]string{"", " ", ":", `"`, "\n", "="}).Draw(t, "between"))
	})
	names := rapid.OneOf(rapid.SampledFrom([]string{"a", "password", "token", "type", "data", "blob", "uri", "requestState", "kim@example.com"}), texts)
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			space := rapid.SampledFrom([]string{"", " ", "\n\t"}).Draw(t, "space")
			switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
			case kind < 2 && depth > 0:
				var list []string
				seen := map[string]bool{}
				for range rapid.IntRange(0, 4).Draw(t, "members") {
					name := names.Draw(t, "name")
					if quoted := string(json.Quote(name)); !seen[quoted] {
						seen[quoted] = true
						list = append(list, quoted+space+":"+value(depth-1).Draw(t, "value"))
					}
				}
				return "{" + space + strings.Join(list, ","+space) + "}"
			case kind < 4 && depth > 0:
				return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "list"), space+",") + "]"
			case kind == 4:
				return rapid.SampledFrom([]string{"1", "-0.5e7", "4111111111111111", "true", "null", "9001011234568"}).Draw(t, "scalar")
			case kind == 5 && depth > 0: // A document in a text.
				return string(json.Quote(value(depth-1).Draw(t, "inner")))
			}
			quoted := string(json.Quote(joined.Draw(t, "text")))
			if rapid.Bool().Draw(t, "escape") {
				quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, "@", `\u0040`), "4", `\u0034`)
			}
			return quoted
		})
	}
	return value(4)
}

func TestScrubAnyDocument(t *testing.T) {
	drawn := documents()
	rapid.Check(t, func(t *rapid.T) {
		doc, answer := drawn.Draw(t, "document"), rapid.Bool().Draw(t, "answer")
		checkScrubbed(t, doc, answer)
	})
}

// failer is a test, or a property's.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// What was found as a structure is found in its text, and the other way round: both come out alike.
func TestTextAndStructureAreMaskedAlike(t *testing.T) {
	drawn := documents()
	rapid.Check(t, func(t *rapid.T) {
		doc := drawn.Draw(t, "document")
		if doc[0] != '{' && doc[0] != '[' {
			return
		}
		s := NewScrubber(nil)
		structure, err := s.Scrub([]byte(doc), false)
		if err != nil || structure.Fixed != nil {
			return // It is blocked.
		}
		want, err := structure.Doc()
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := s.Text(doc); err != nil || got != string(want) {
			t.Fatalf("the text of %q\n is   %q (%v)\n want %q", doc, got, err, want)
		}
	})
}

func FuzzScrub(f *testing.F) {
	for _, file := range goldenFiles(f) {
		for _, c := range golden(f, file) {
			f.Add(string(json.Quote(c[0])), true)
		}
	}
	f.Add(`{"content":[{"type":"text","text":"{\"mail\":\"kim\\u0040example.com\"}"}],"structuredContent":{"mail":"kim@example.com"}}`, true)
	f.Add(`{"kim@example.com":4111111111111111,"password":["a1",2]}`, false)
	f.Fuzz(func(t *testing.T, doc string, answer bool) { checkScrubbed(t, doc, answer) })
}

// What is not even looked at has nothing in it.
func TestDullTextsHaveNothingInThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9 /,@.:=_+%-]{0,13}`), rapid.String()).Draw(t, "text")
		checks := MaxChecks
		if dull(text) && len(everything.search(text, &checks)) > 0 {
			t.Fatalf("something is in %q", text)
		}
	})
}
