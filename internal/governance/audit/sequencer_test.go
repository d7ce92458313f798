package audit

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestLeafDataIsCanonical(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := signalbox.Entry{
			Index: rapid.Int64Range(0, 1<<53).Draw(rt, "index"), Call: rapid.String().Draw(rt, "call"),
			Tenant: rapid.String().Draw(rt, "tenant"), Type: signalbox.RecordType(rapid.String().Draw(rt, "type")),
			Time:    time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(rt, "time")),
			Content: rapid.SliceOf(rapid.Byte()).Draw(rt, "content"),
		}
		data, err := LeafData(e)
		if err != nil {
			rt.Fatal(err)
		}
		canonical, err := json.Canonical(data)
		if err != nil || string(canonical) != string(data) {
			rt.Fatalf("got %s, canonical is %s (%v)", data, canonical, err)
		}
	})
}

func TestLeafDataFormat(t *testing.T) {
	e := signalbox.Entry{
		Index: 7, Time: start, Type: signalbox.RecordIntent, Tenant: `a"b`, Call: "call_1", Content: []byte("{}"),
	}
	want := `{"call":"call_1","content":"RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=","index":7,"tenant":"a\"b",` +
		`"time":"2026-03-01T09:00:00.123456Z","type":"intent","v":1}`
	got, err := LeafData(e)
	if err != nil || string(got) != want {
		t.Fatalf("got  %s (%v)\nwant %s", got, err, want)
	}
	leaf, err := Leaf(e)
	if err != nil || leaf != tlog.RecordHash([]byte(want)) {
		t.Fatalf("leaf = %v (%v)", leaf, err)
	}
}

func TestLeafDataRefusesWhatItCouldNotTellApart(t *testing.T) {
	good := signalbox.Entry{Time: start, Type: signalbox.RecordIntent, Tenant: "acme", Call: "call_1"}
	tests := map[string]struct {
		change func(*signalbox.Entry)
		want   error
	}{
		"call not UTF-8":   {func(e *signalbox.Entry) { e.Call = "call_\xff" }, ErrLeafText},
		"tenant not UTF-8": {func(e *signalbox.Entry) { e.Tenant = "\xc3" }, ErrLeafText},
		"type not UTF-8":   {func(e *signalbox.Entry) { e.Type = "\xc3" }, ErrLeafText},
		"nanoseconds":      {func(e *signalbox.Entry) { e.Time = e.Time.Add(1) }, ErrLeafTime},
		"year 10000":       {func(e *signalbox.Entry) { e.Time = e.Time.AddDate(8000, 0, 0) }, ErrLeafTime},
		"year 0":           {func(e *signalbox.Entry) { e.Time = e.Time.AddDate(-2026, 0, 0) }, ErrLeafTime},
		"negative index":   {func(e *signalbox.Entry) { e.Index = -1 }, ErrLeafIndex},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := good
			test.change(&e)
			if _, err := Leaf(e); !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestEncodeAndDecode(t *testing.T) {
	for _, typ := range []signalbox.RecordType{signalbox.RecordIntent, signalbox.RecordOutcome} {
		want := someRecord(typ, 3)
		e, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(e)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v (%v)\nwant %+v", typ, got, err, want)
		}
	}
}

func TestEncodeCutsTheTime(t *testing.T) {
	r := someRecord(signalbox.RecordIntent, 1)
	r.Time = time.Date(2026, 1, 2, 12, 0, 0, 1999, time.FixedZone("KST", 9*3600))
	e, err := Encode(r)
	if want := time.Date(2026, 1, 2, 3, 0, 0, 1000, time.UTC); err != nil || e.Time != want {
		t.Fatalf("got %v (%v), want %v", e.Time, err, want)
	}
}

func TestEncodeRepairsBrokenText(t *testing.T) {
	r := someRecord(signalbox.RecordOutcome, 1)
	r.Call, r.Who.TenantID = "call_\xff", "ac\xffme"
	r.What.OutputSummary = "cut in the middle of \xec\x95"
	r.What.Detail = map[string]string{"k\xfe": "v\xfd"}
	r.Attempts[0].ResponseName = "model\xff"
	r.Error = &signalbox.Failure{Code: signalbox.CodeUpstream, Message: "bad \xff"}
	e, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(e)
	if err != nil {
		t.Fatal(err)
	}
	if got.Call != "call_\uFFFD" || e.Tenant != "ac\uFFFDme" || got.What.Detail["k\uFFFD"] != "v\uFFFD" ||
		got.Attempts[0].ResponseName != "model\uFFFD" || got.Error.Message != "bad \uFFFD" {
		t.Errorf("got %+v", got)
	}
	if r.Attempts[0].ResponseName != "model\xff" || r.Error.Message != "bad \xff" || r.What.Detail["k\xfe"] == "" {
		t.Error("the caller's record was changed")
	}
}

func TestEncodeRefusesAHugeRecord(t *testing.T) {
	r := someRecord(signalbox.RecordIntent, 1)
	r.Context.Purpose = strings.Repeat("x", MaxContent)
	if _, err := Encode(r); signalbox.CodeOf(err) != signalbox.CodeTooLarge {
		t.Fatalf("got %v, want code too_large", err)
	}
}

func TestEncodeRefusesWhatHasNoJSON(t *testing.T) {
	r := someRecord(signalbox.RecordIntent, 1)
	r.When.Timestamp = r.When.Timestamp.AddDate(9000, 0, 0)
	if _, err := Encode(r); signalbox.CodeOf(err) != signalbox.CodeInternal {
		t.Fatalf("got %v, want code internal", err)
	}
}

func TestDecodeRefusesBrokenContent(t *testing.T) {
	if _, err := Decode(signalbox.Entry{Index: 4, Content: []byte(`{"who":`)}); signalbox.CodeOf(err) != signalbox.CodeInternal {
		t.Fatalf("got %v, want code internal", err)
	}
}

func TestSequenceAdvancesOnlyWhenCommitted(t *testing.T) {
	s := NewSequencer(Tree{})
	entry := func(call int) []signalbox.Entry {
		e, err := s.Encode(someRecord(signalbox.RecordIntent, call))
		if err != nil {
			t.Fatal(err)
		}
		return []signalbox.Entry{e}
	}
	if _, err := s.Sequence(entry(1)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Sequence(entry(2))
	if err != nil || b.Entries[0].Index != 0 || s.Tree().Size() != 0 {
		t.Fatalf("index %d, size %d (%v), want 0 and 0", b.Entries[0].Index, s.Tree().Size(), err)
	}
	s.Committed(b)
	want, err := Leaf(b.Entries[0])
	if err != nil || s.Tree().Size() != 1 || s.Tree().Root() != want || b.Entries[0].Leaf != want {
		t.Fatalf("size %d, root %v (%v), want 1 and %v", s.Tree().Size(), s.Tree().Root(), err, want)
	}
	s.Committed(signalbox.Batch{})
	if s.Tree().Size() != 1 {
		t.Fatal("an empty batch changed the tree")
	}
}

func TestSequenceRefusesAnEntryWithoutLeaf(t *testing.T) {
	s := NewSequencer(Tree{})
	_, err := s.Sequence([]signalbox.Entry{{Time: start.Add(1)}})
	if !errors.Is(err, ErrLeafTime) || signalbox.CodeOf(err) != signalbox.CodeInternal {
		t.Fatalf("got %v", err)
	}
}

func TestCommittedOfAnotherBatchPanics(t *testing.T) {
	s := NewSequencer(Tree{})
	b, err := s.Sequence([]signalbox.Entry{{Time: start}})
	if err != nil {
		t.Fatal(err)
	}
	s.Committed(b)
	defer func() {
		if recover() == nil {
			t.Error("a batch was committed twice without a panic")
		}
	}()
	s.Committed(b)
}

func TestRestoreContinuesTheTree(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 129, 400, largeCalls} {
		m, s := &memory{}, NewSequencer(Tree{})
		if n == largeCalls {
			m, s = largeLog(t)
		} else {
			write(t, m, s, someCalls(0, n)...)
		}
		got, err := Restore(t.Context(), m)
		if err != nil || got.Size() != int64(2*n) || got.Root() != s.Tree().Root() {
			t.Fatalf("%d calls: size %d, root %v (%v), want %v", n, got.Size(), got.Root(), err, s.Tree().Root())
		}
		more := someLeaves(300, 5)
		a, tilesA := got.Append(more)
		b, tilesB := s.Tree().Append(more)
		if a.Root() != b.Root() || !reflect.DeepEqual(tilesA, tilesB) {
			t.Fatalf("%d calls: the restored tree grows differently", n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	r := someRecord(signalbox.RecordOutcome, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSequence(b *testing.B) {
	s := NewSequencer(Tree{})
	entries := make([]signalbox.Entry, 64)
	for i := range entries {
		entries[i], _ = Encode(someRecord(signalbox.RecordOutcome, i))
	}
	b.ReportAllocs()
	for b.Loop() {
		batch, err := s.Sequence(entries)
		if err != nil {
			b.Fatal(err)
		}
		s.Committed(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/entry")
}
