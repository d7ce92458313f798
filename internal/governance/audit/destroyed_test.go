package audit

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

func destroyedRecord(tenant, from, to string) *signalbox.Record {
	return &signalbox.Record{
		Type: signalbox.RecordAdmin,
		What: signalbox.What{Action: signalbox.ActionContentDestroyed, Detail: map[string]string{
			DestroyedTenant: tenant, DestroyedFrom: from, DestroyedTo: to,
		}},
	}
}

func TestLeafOutlivesItsContent(t *testing.T) {
	e, err := Encode(someRecord(signalbox.RecordOutcome, 1))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Leaf(e)
	if err != nil {
		t.Fatal(err)
	}
	gone := e
	gone.Content, gone.Digest = nil, sha256.Sum256(e.Content)
	if got, err := Leaf(gone); got != want || err != nil {
		t.Fatalf("the leaf is %v, %v; want %v", got, err, want)
	}
	for name, change := range map[string]func(e *signalbox.Entry){
		"digest":  func(e *signalbox.Entry) { e.Digest[0] ^= 1 },
		"time":    func(e *signalbox.Entry) { e.Time = e.Time.Add(1000) },
		"tenant":  func(e *signalbox.Entry) { e.Tenant = "globex" },
		"content": func(e *signalbox.Entry) { e.Content = []byte{} },
	} {
		other := gone
		change(&other)
		if got, err := Leaf(other); got == want || err != nil {
			t.Errorf("%s: the leaf is %v, %v", name, got, err)
		}
	}
}

func TestDestroyedNeedsEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d Destroyed
		tenants := rapid.SampledFrom([]string{"", "acme", "globex"})
		want := map[int64]string{}
		type span struct {
			tenant   string
			from, to int64
		}
		var spans []span
		for range rapid.IntRange(0, 8).Draw(t, "spans") {
			from := rapid.Int64Range(0, 300).Draw(t, "from")
			spans = append(spans, span{tenants.Draw(t, "tenant"), from, from + rapid.Int64Range(0, 100).Draw(t, "length")})
		}
		note := func() {
			for _, s := range spans {
				if err := d.Record(1000, destroyedRecord(s.tenant, strconv.FormatInt(s.from, 10), strconv.FormatInt(s.to, 10))); err != nil {
					t.Fatal(err)
				}
			}
		}
		first := rapid.Bool().Draw(t, "evidence first")
		if first {
			note()
		}
		for index := range int64(400) {
			tenant := tenants.Draw(t, "tenant of entry")
			e := signalbox.Entry{Index: index, Tenant: tenant, Content: []byte("x")}
			if rapid.Bool().Draw(t, "destroyed") {
				e.Content, e.Digest = nil, [32]byte{1}
				if !slices.ContainsFunc(spans, func(s span) bool { return s.tenant == tenant && s.from <= index && index < s.to }) {
					want[index] = tenant
				}
			}
			if err := d.Entry(e); err != nil {
				t.Fatal(err)
			}
		}
		if !first {
			note()
		}
		if got := maps.Collect(d.Unproven()); !maps.Equal(got, want) {
			t.Fatalf("unproven are %v, want %v", got, want)
		}
	})
}

func TestEvidenceThatIsNone(t *testing.T) {
	foreign := destroyedRecord("acme", "0", "5")
	foreign.Who.TenantID = "acme"
	for name, test := range map[string]struct {
		record *signalbox.Record
		want   string
	}{
		"no range":            {&signalbox.Record{Type: signalbox.RecordAdmin, What: signalbox.What{Action: signalbox.ActionContentDestroyed}}, "from is not"},
		"backwards":           {destroyedRecord("acme", "5", "4"), "between 5 and 10"},
		"beyond the record":   {destroyedRecord("acme", "5", "11"), "between 5 and 10"},
		"no number":           {destroyedRecord("acme", "0", "x"), "to is not"},
		"a record of tenants": {foreign, "acme"},
	} {
		var d Destroyed
		if err := d.Record(10, test.record); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	var d Destroyed
	if err := d.Entry(signalbox.Entry{Content: []byte("x"), Digest: [32]byte{1}}); err == nil {
		t.Error("a content beside a digest is taken")
	}
	call := destroyedRecord("acme", "0", "10")
	call.Type = signalbox.RecordOutcome
	if err := d.Record(10, call); err != nil {
		t.Error(err)
	}
	if err := d.Entry(signalbox.Entry{Tenant: "acme", Digest: [32]byte{1}}); err != nil {
		t.Error(err)
	}
	if n := len(maps.Collect(d.Unproven())); n != 1 {
		t.Errorf("%d unproven; the record of a call is no evidence", n)
	}
}
