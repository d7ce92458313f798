package seal_test

import (
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/seal"
)

var start = time.Date(2026, 11, 22, 10, 0, 0, 123_456_789, time.UTC)

// memory keeps subjects' keys as a store does.
type memory struct {
	mu    sync.Mutex
	keys  []signalbox.SubjectKey
	reads int
	fail  error
}

func (m *memory) SubjectKey(_ context.Context, id string) (signalbox.SubjectKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	for _, k := range m.keys {
		if k.ID == id {
			return k, m.fail
		}
	}
	return signalbox.SubjectKey{}, errors.Join(m.fail, signalbox.Errorf(signalbox.CodeNotFound, "none"))
}

func (m *memory) SubjectKeysOf(_ context.Context, tenant string, subject [32]byte) (list []signalbox.SubjectKey, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	for _, k := range m.keys {
		if k.Tenant == tenant && k.Subject == subject {
			list = append(list, k)
		}
	}
	return list, m.fail
}

// commit applies the effects of entries.
func (m *memory) commit(entries ...signalbox.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		for _, effect := range e.Effects {
			m.apply(effect)
		}
	}
}

func (m *memory) apply(effect signalbox.Effect) {
	switch e := effect.(type) {
	case signalbox.PutSubjectKey:
		for _, k := range m.keys {
			if k.ID == e.Key.ID {
				return
			}
		}
		m.keys = append(m.keys, e.Key)
	case signalbox.DestroySubject:
		for i := range m.keys {
			if k := &m.keys[i]; k.Tenant == e.Tenant && k.Subject == e.Subject {
				k.Wrapped, k.Gone = nil, e.At
			}
		}
	case signalbox.RewrapSubjectKey:
		for i := range m.keys {
			if k := &m.keys[i]; k.ID == e.ID {
				k.Wrapped, k.Master = e.Wrapped, e.Master
			}
		}
	}
}

func newMaster(t testing.TB) *seal.Master {
	t.Helper()
	m, _, err := seal.GenerateMaster(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, o seal.Options) *seal.Vault {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	v, err := seal.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// record has every personal field.
func record() signalbox.Record {
	cost := signalbox.Money(1234)
	return signalbox.Record{
		Type: signalbox.RecordOutcome, Call: "call_1", Time: start,
		Who: signalbox.Who{SubjectID: "subject-canary", UserID: "user-canary", TenantID: "acme", AgentID: "writer"},
		What: signalbox.What{
			Action: signalbox.ActionModelCall, ResourceID: "resource-canary", InputSummary: "input-canary \"é\"",
			OutputSummary: "output-canary\n", Cost: &cost, Tokens: &signalbox.Usage{Input: 3, Output: 4},
		},
		When: signalbox.When{Timestamp: start},
		Attempts: []signalbox.Attempt{
			{N: 1, Name: "m", Started: start, Message: "attempt-canary"}, {N: 2, Name: "m", Started: start},
		},
		Outcome: signalbox.OutcomeFailed, Error: &signalbox.Failure{Code: signalbox.CodeUpstream, Message: "error-canary", Remedy: "Wait."},
		Ledger: []signalbox.LedgerEntry{{Account: "tenant acme - - usd day 2026-11-22T00:00:00Z", Settled: 1234}},
	}
}

func encode(t testing.TB, v *seal.Vault, r signalbox.Record) signalbox.Entry {
	t.Helper()
	e, err := v.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func decode(t testing.TB, v *seal.Vault, e signalbox.Entry) signalbox.Record {
	t.Helper()
	r, err := v.Decode(e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// plain is a record as decoding gives it: with its time cut, and without what says how it was sealed.
func plain(r signalbox.Record) signalbox.Record {
	r.Time, r.Sealed = r.Time.Truncate(time.Microsecond), nil
	return r
}

func TestWhatIsSealedComesBack(t *testing.T) {
	m := &memory{}
	master := newMaster(t)
	v := open(t, seal.Options{Master: master, Keys: m})
	want := record()
	e := encode(t, v, want)
	if !reflect.DeepEqual(want, record()) {
		t.Fatalf("the caller's record was changed: %+v", want)
	}
	m.commit(e)
	for name, vault := range map[string]*seal.Vault{"the same": v, "another process": open(t, seal.Options{Master: master, Keys: m})} {
		if got := plain(decode(t, vault, e)); !reflect.DeepEqual(got, plain(want)) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, got, plain(want))
		}
	}
	offline, err := audit.Decode(e)
	if err != nil || offline.Content != signalbox.ContentSealed || offline.Who.UserID != "" || len(offline.Ledger) != 1 {
		t.Errorf("without a vault: %v, %+v", err, offline)
	}
}
