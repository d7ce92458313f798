package audit

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// records draws records out of their fields, so that one with a field that the writer does not know is found. Half of
// their text is plain.
func records(texts *rapid.Generator[string]) *rapid.Generator[signalbox.Record] {
	of := func(draw func(*rapid.T) reflect.Value) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any { return draw(t).Interface() })
	}
	types := map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[string](): texts.AsAny(),
		reflect.TypeFor[time.Time](): of(func(t *rapid.T) reflect.Value {
			at := time.Unix(rapid.Int64Range(0, 1<<37).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
			return reflect.ValueOf(at.UTC())
		}),
		reflect.TypeFor[signalbox.Money](): of(func(t *rapid.T) reflect.Value {
			return reflect.ValueOf(signalbox.Money(rapid.Int64Range(-int64(signalbox.MaxMoney), int64(signalbox.MaxMoney)).Draw(t, "money")))
		}),
		reflect.TypeFor[map[string]string](): rapid.Just(map[string]string(nil)).AsAny(),
	}
	for _, named := range []reflect.Type{
		reflect.TypeFor[signalbox.Role](), reflect.TypeFor[signalbox.Kind](), reflect.TypeFor[signalbox.Basis](),
		reflect.TypeFor[signalbox.Protocol](), reflect.TypeFor[signalbox.Code](), reflect.TypeFor[signalbox.Status](),
		reflect.TypeFor[signalbox.Outcome](), reflect.TypeFor[signalbox.RecordType](), reflect.TypeFor[signalbox.GuardAction](),
		reflect.TypeFor[signalbox.GuardPlace](), reflect.TypeFor[signalbox.GuardDetector](),
	} {
		types[named] = of(func(t *rapid.T) reflect.Value { return reflect.ValueOf(texts.Draw(t, "text")).Convert(named) })
	}
	return rapid.MakeCustom[signalbox.Record](rapid.MakeConfig{Types: types})
}

var someText = rapid.OneOf(rapid.SampledFrom([]string{"", "acme", "call_01", "a \"quoted\\\" line\nand <more> & \u2028 é 한글 \x7f"}), rapid.String())

// What is written by hand is byte for byte what the encoder of all other JSON writes, for every record that has no broken
// text, and nothing is left to that encoder.
func TestTextIsThatOfMarshal(t *testing.T) {
	drawn := records(someText)
	rapid.Check(t, func(t *rapid.T) {
		r := drawn.Draw(t, "record")
		want, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := plainText(&r); !ok || !bytes.Equal(got, want) {
			t.Fatalf("got (%t)\n%s\nwant\n%s", ok, got, want)
		}
	})
}

// Whatever the text, an entry's content is what the encoder of all other JSON makes of the repaired record.
func TestEncodeAnyText(t *testing.T) {
	drawn := records(rapid.OneOf(someText, rapid.SampledFrom([]string{"\xff", "é\xec\x95", "\xff\xfe\"\n"})))
	rapid.Check(t, func(t *rapid.T) {
		r := drawn.Draw(t, "record")
		e, err := Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		repaired := clean(reflect.ValueOf(r)).Interface().(signalbox.Record)
		if want, err := json.Marshal(&repaired); err != nil || !bytes.Equal(e.Content, want) {
			t.Fatalf("got (%v)\n%s\nwant\n%s", err, e.Content, want)
		}
	})
}

func TestTextGivesUp(t *testing.T) {
	for name, change := range map[string]func(*signalbox.Record){
		"broken text":     func(r *signalbox.Record) { r.What.InputSummary = "cut \xec\x95" },
		"a detail":        func(r *signalbox.Record) { r.What.Detail = map[string]string{"a": "b"} },
		"another zone":    func(r *signalbox.Record) { r.When.Timestamp = start.In(time.FixedZone("KST", 9*3600)) },
		"five-digit year": func(r *signalbox.Record) { r.Attempts[0].Started = start.AddDate(9000, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			r := someRecord(signalbox.RecordOutcome, 1)
			change(&r)
			if got, ok := plainText(&r); ok {
				t.Fatalf("got %s", got)
			}
		})
	}
}

// plainWords are texts without escapes.
var plainWords = rapid.OneOf(rapid.SampledFrom([]string{"", "acme", "call_01", "é 한글 <&> \x7f"}), rapid.StringMatching(`[a-z0-9_ ./:-]{0,12}`))

// What was written is read back without the reader of any JSON, and to the same record.
func TestScanIsUnmarshal(t *testing.T) {
	drawn := records(plainWords)
	rapid.Check(t, func(t *rapid.T) {
		r := drawn.Draw(t, "record")
		content, ok := plainText(&r)
		if !ok {
			t.Fatal("it was not written")
		}
		var got, want signalbox.Record
		if err := json.Unmarshal(content, &want); err != nil {
			t.Fatal(err)
		}
		if !scanRecord(content, &got) || !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v\nwant\n%+v\nof %s", got, want, content)
		}
	})
}

// Whatever stands in a log: where the scan takes it, the reader of any JSON takes it too, for the same record.
func FuzzScan(f *testing.F) {
	for _, typ := range []signalbox.RecordType{signalbox.RecordIntent, signalbox.RecordOutcome} {
		r := someRecord(typ, 1)
		r.Ledger = []signalbox.LedgerEntry{{Account: "tenant acme - - usd day 2026-11-22T00:00:00Z", Held: -5, Settled: 3, Closed: true}}
		r.Stations, r.Error = &signalbox.Stations{Gate: signalbox.StatusPassed}, &signalbox.Failure{Code: signalbox.CodeUpstream}
		content, err := json.Marshal(&r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
		f.Add(bytes.ReplaceAll(content, []byte(`"n":1`), []byte(`"n":01`)))
		f.Add(bytes.ReplaceAll(content, []byte(`acme`), []byte(`ac\u006de`)))
		f.Add(bytes.ReplaceAll(content, []byte(`Z"`), []byte(`+00:00"`)))
		f.Add(bytes.ReplaceAll(content, []byte(`"acme"`), []byte("\"\xff\"")))
		f.Add(append(content, ' '))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		var got, want signalbox.Record
		taken := scanRecord(content, &got)
		sameSays(t, &spare{}, content, taken)
		if !taken {
			return
		}
		if err := json.Unmarshal(content, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v (%v)\nof %q", got, want, err, content)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	r := someRecord(signalbox.RecordOutcome, 1)
	for i := range 7 {
		r.Ledger = append(r.Ledger, signalbox.LedgerEntry{
			Account: "agent acme researcher - usd day 2026-03-01T00:00:00Z", Held: -275_100, Settled: int64(55_500 + i),
		})
	}
	e, err := Encode(r)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(e); err != nil {
			b.Fatal(err)
		}
	}
}
