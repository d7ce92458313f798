package retention

import (
	"errors"
	"iter"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func TestBefore(t *testing.T) {
	for name, test := range map[string]struct {
		policy Policy
		want   time.Time
		ok     bool
	}{
		"for ever":               {Policy{Tenant: "acme", MinDays: 365}, time.Time{}, false},
		"after content_days":     {Policy{"acme", 10, 20}, now.Add(-20 * Day), true},
		"never before min_days":  {Policy{"acme", 30, 20}, now.Add(-30 * Day), true},
		"nothing of Signalbox's": {Policy{"", 1, 1}, time.Time{}, false},
		"a hundred years":        {Policy{"acme", 36525, 36525}, now.Add(-36525 * Day), true},
	} {
		if got, ok := test.policy.Before(now); !got.Equal(test.want) || ok != test.ok {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, ok, test.want, test.ok)
		}
	}
}

func sequence(list []Header, err error) iter.Seq2[Header, error] {
	return func(yield func(Header, error) bool) {
		for _, h := range list {
			if !yield(h, nil) {
				return
			}
		}
		if err != nil {
			yield(Header{}, err)
		}
	}
}

// TestNextDestroysWhatIsOver walks random logs range by range, and looks at what is left.
func TestNextDestroysWhatIsOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := make([]Header, rapid.IntRange(0, 3000).Draw(t, "records"))
		start := now.Add(-time.Duration(rapid.IntRange(0, 3500).Draw(t, "minutes ago")) * time.Minute)
		tenants := []string{"acme", "globex", ""}[:rapid.IntRange(1, 3).Draw(t, "tenants")]
		skew := rapid.Uint64().Draw(t, "skew")
		for i := range list {
			jitter := time.Duration(skew>>(i%50)&3) * time.Minute
			list[i] = Header{
				Index: int64(i), Time: start.Add(time.Duration(i)*time.Minute + jitter), Tenant: tenants[i%len(tenants)],
				Destroyed: skew>>(i%60)&7 == 0,
			}
		}
		before := now.Add(-time.Duration(rapid.IntRange(0, 3500).Draw(t, "cutoff")) * time.Minute)
		gone := map[int64]bool{}
		for from := int64(0); ; {
			r, err := Next("acme", before, from, sequence(list[from:], nil))
			if err != nil {
				t.Fatal(err)
			}
			check(t, r, from)
			for i := r.From; i < r.To && r.Records > 0; i++ {
				gone[i] = list[i].Tenant == "acme"
			}
			from = r.To
			if r.Records < MaxRecords {
				break
			}
		}
		old := true
		for _, h := range list {
			old = old && h.Time.Before(before)
			want := old && h.Tenant == "acme" && !h.Destroyed
			if got := gone[h.Index] && !h.Destroyed; got != want {
				t.Fatalf("record %d of %q at %v is destroyed: %v, want %v", h.Index, h.Tenant, h.Time, got, want)
			}
		}
	})
}

func check(t *rapid.T, r Range, from int64) {
	if r.From != from || r.To < from || r.Records < 0 || r.Records > MaxRecords || r.Records > r.To-r.From {
		t.Fatalf("range %+v from %d on", r, from)
	}
}

func TestNextGivesNothingAfterAnError(t *testing.T) {
	broken := errors.New("broken")
	old := []Header{{Index: 5, Time: now.Add(-Day), Tenant: "acme"}}
	r, err := Next("acme", now, 5, sequence(old, broken))
	if !errors.Is(err, broken) || r != (Range{From: 5, To: 5}) {
		t.Fatalf("%+v, %v", r, err)
	}
}
