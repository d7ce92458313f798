package audit

import (
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/signalbox/signalbox"
)

// destroy does what a store does when the retention of records is over.
func destroy(m *memory, indices ...int) {
	for _, i := range indices {
		e := &m.entries[i]
		e.Digest, e.Content = sha256.Sum256(e.Content), nil
	}
}

func TestVerifyWantsAReasonForDestroyedContent(t *testing.T) {
	evidence := func(tenant, from, to string) signalbox.Record {
		return signalbox.Record{
			Type: signalbox.RecordAdmin, Time: start, When: signalbox.When{Timestamp: start},
			What: signalbox.What{Action: signalbox.ActionContentDestroyed, Detail: map[string]string{"tenant": tenant, "from": from, "to": to}},
		}
	}
	other := evidence("acme", "0", "6")
	other.What.Action = signalbox.ActionStarted
	tests := map[string]struct {
		evidence signalbox.Record
		want     []int64
	}{
		"all of it":      {evidence("acme", "0", "6"), nil},
		"too little":     {evidence("acme", "0", "2"), []int64{2, 3}},
		"another tenant": {evidence("other", "0", "6"), []int64{1, 2, 3}},
		"another act":    {other, []int64{1, 2, 3}},
		"no range":       {evidence("acme", "", ""), []int64{6, 1, 2, 3}},
		"beyond itself":  {evidence("acme", "2", "999"), []int64{6, 1, 2, 3}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "x")
			write(t, m, s, append(someCalls(0, 3), test.evidence)...)
			destroy(m, 1, 2, 3)
			r, err := Verify(t.Context(), m, Options{Verifier: k.Verifier()})
			if err != nil || r.Destroyed != 3 {
				t.Fatalf("%d destroyed (%v), want 3", r.Destroyed, err)
			}
			var got []int64
			for _, f := range r.Findings {
				if f.Check != CheckDestroyed {
					t.Errorf("got %+v", f)
				}
				got = append(got, f.Index)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestVerifyChecksTheDigestOfDestroyedContent(t *testing.T) {
	m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "x")
	write(t, m, s, someCalls(0, 3)...)
	destroy(m, 1)
	m.entries[1].Digest[5] ^= 1
	r, err := Verify(t.Context(), m, Options{Verifier: k.Verifier()})
	if err != nil || !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Check == CheckLeaf && f.Index == 1 }) {
		t.Fatalf("got %+v (%v)", r.Findings, err)
	}
}
