package audit

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// sameSays checks that the spare takes a content exactly where the scan does, and says of it what [Decode] says.
func sameSays(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, p *spare, content []byte, taken bool,
) {
	t.Helper()
	e := signalbox.Entry{Type: signalbox.RecordOutcome, Tenant: "acme", Content: content}
	got, ok := p.read(&e)
	if ok != taken {
		t.Fatalf("taken: got %t, want %t, of %q", ok, taken, content)
	}
	if !ok {
		return
	}
	r, err := Decode(e)
	want := says{tenant: r.Who.TenantID, outcome: r.Outcome, attempted: len(r.Attempts) > 0, replay: r.Context.ReplayOf != "", action: r.What.Action}
	if err != nil || got != want {
		t.Fatalf("got %+v, want %+v (%v), of %q", got, want, err, content)
	}
}

// One spare reads every record that is written as it is in the log, changed ones too, to what the whole reader says of it.
func TestSpareSaysWhatDecodeSays(t *testing.T) {
	drawn, room := records(plainWords), &spare{}
	rapid.Check(t, func(t *rapid.T) {
		r := drawn.Draw(t, "record")
		content, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		sameSays(t, room, content, true)
		at := rapid.IntRange(0, len(content)-1).Draw(t, "at")
		content[at] = rapid.Byte().Draw(t, "byte")
		var whole signalbox.Record
		sameSays(t, room, content, scanRecord(content, &whole))
		cut := content[:at]
		sameSays(t, room, cut, scanRecord(cut, &signalbox.Record{}))
	})
}

func TestPlainBytes(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				text := strings.Repeat("!", at) + string([]byte{byte(c)}) + strings.Repeat("~", n-at-1)
				plain, ascii := plainBytes(text)
				if plain != (c >= ' ' && c != '\\') || ascii != (c < utf8.RuneSelf) {
					t.Fatalf("%q: got plain %t, ascii %t", text, plain, ascii)
				}
			}
		}
	}
}

// A time is taken exactly where it is spelled as the time package spells it.
func TestParseTimeIsThatOfTheTimePackage(t *testing.T) {
	check := func(t interface {
		Helper()
		Fatalf(format string, args ...any)
	}, text string,
	) {
		t.Helper()
		want, err := time.Parse(time.RFC3339Nano, text)
		taken := err == nil && want.Location() == time.UTC && want.Format(time.RFC3339Nano) == text
		if got, ok := parseTime(text); ok != taken || ok && got != want { // The same down to the zone.
			t.Fatalf("%q: got %v %t, want %v %t", text, got, ok, want, taken)
		}
	}
	for _, text := range []string{
		"", "Z", "2026-02-28T23:59:59Z", "2026-02-29T00:00:00Z", "2024-02-29T00:00:00.5Z", "2024-00-01T00:00:00Z", "2024-01-00T00:00:00Z",
		"2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00.Z",
		"2024-01-01T00:00:00.50Z", "2024-01-01T00:00:00,5Z", "2024-01-01T00:00:00.0000000001Z", "2024-01-01T00:00:00+00:00",
		"0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2024-01-01T0:00:00Z", "+024-01-01T00:00:00Z",
	} {
		check(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-1<<36, 1<<37).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		text := []byte(at.UTC().Format(time.RFC3339Nano))
		check(t, string(text))
		text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0123456789-:.,TZ+ ")).Draw(t, "byte")
		check(t, string(text))
	})
}
