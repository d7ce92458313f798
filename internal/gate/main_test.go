package gate

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memoryLog keeps records in memory, and refuses them while err is set.
type memoryLog struct {
	mu      sync.Mutex
	err     error
	records []signalbox.Record
	effects []signalbox.Effect
}

func (l *memoryLog) Append(_ context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	l.records = append(l.records, r)
	l.effects = append(l.effects, effects...)
	return int64(len(l.records) - 1), nil
}

func (l *memoryLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *memoryLog) all() []signalbox.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]signalbox.Record(nil), l.records...)
}

// keyList is a source of created keys.
type keyList struct {
	keys []signalbox.Key
	err  error
}

func (s keyList) Keys(context.Context) ([]signalbox.Key, error) { return s.keys, s.err }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

const staticSecret = "correct-horse-battery"

func staticKey(t *testing.T, k signalbox.Key, secret string) signalbox.Key {
	t.Helper()
	if k.Role == "" {
		k.Role = signalbox.RoleAgent
	}
	if k.Tenant == "" {
		k.Tenant = "acme"
	}
	key, err := StaticKey(k, secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ring(t *testing.T, keys ...signalbox.Key) *Keyring {
	t.Helper()
	k, err := NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func wantCode(t *testing.T, err error, want signalbox.Code) *signalbox.Error {
	t.Helper()
	if got := signalbox.CodeOf(err); got != want {
		t.Fatalf("got code %q (%v), want %q", got, err, want)
	}
	if err == nil {
		return nil
	}
	e := signalbox.AsError(err)
	if e.Message == "" || e.Remedy == "" {
		t.Errorf("an error without message or remedy: %+v", e)
	}
	return e
}
