package pin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the store and the log that all processes share.
type world struct {
	mu      sync.Mutex
	at      time.Time
	pins    map[string]signalbox.Pin
	claims  map[string]string
	records []signalbox.Record
	wrong   []string
	reads   int
	fails   map[string]error // Of what is asked next, by its name; kept.
	reading func()           // Told before pins are given. May be nil.
}

func newWorld() *world {
	return &world{at: noon, pins: map[string]signalbox.Pin{}, claims: map[string]string{}, fails: map[string]error{}}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// fail makes a kind of request fail from now on; nil lets it work again.
func (w *world) fail(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fails[what] = err
}

// Pins gives those of a server.
func (w *world) Pins(_ context.Context, server string) ([]signalbox.Pin, error) {
	w.mu.Lock()
	var list []signalbox.Pin
	for _, id := range slices.Sorted(maps.Keys(w.pins)) {
		if p := w.pins[id]; server == "" || p.Server == server {
			list = append(list, p)
		}
	}
	w.reads++
	err, told := w.fails["read"], w.reading
	w.mu.Unlock()
	if told != nil {
		told()
	}
	return list, err
}

// Claim gives a name to a holder.
func (w *world) Claim(_ context.Context, name, holder string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fails["claim"]; err != nil {
		return false, err
	}
	if other, taken := w.claims[name]; taken {
		return other == holder, nil
	}
	w.claims[name] = holder
	return true, nil
}

// Unclaim takes it back.
func (w *world) Unclaim(_ context.Context, name, holder string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fails["unclaim"]; err != nil {
		return err
	}
	if w.claims[name] == holder {
		delete(w.claims, name)
	}
	return nil
}

// Append writes a record with its effects. Whoever writes pins must hold their server's claim.
func (w *world) Append(_ context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fails[r.What.Action]; err != nil {
		return 0, err
	}
	w.records = append(w.records, r)
	for _, e := range effects {
		put, ok := e.(signalbox.PutPins)
		if !ok {
			w.wrong = append(w.wrong, fmt.Sprintf("the effect %T", e))
		}
		for _, p := range put.Pins {
			if holder := w.claims[signalbox.PinClaim(p.Server)]; holder != r.Context.Replica {
				w.wrong = append(w.wrong, fmt.Sprintf("%s wrote %s, which %q has claimed", r.Context.Replica, p.ID(), holder))
			}
			w.pins[p.ID()] = p
		}
	}
	return int64(len(w.records)), nil
}

// check fails the test where something was written that must not be.
func (w *world) check(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.wrong {
		t.Error(text)
	}
	for name, holder := range w.claims {
		t.Errorf("%s still has %q", holder, name)
	}
}

// actions gives what was recorded.
func (w *world) actions() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, r := range w.records {
		list = append(list, r.What.Action)
	}
	return strings.Join(list, " ")
}

// last is the newest record.
func (w *world) last() signalbox.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[len(w.records)-1]
}

// masker hides one word.
type masker struct{}

func (masker) Mask(text string) string { return strings.ReplaceAll(text, "sk_live", "[secret]") }

// process makes a process of the world. told are the tools that it tells people of.
func process(t testing.TB, w *world, name string) (k *Keeper, told *[]string) {
	t.Helper()
	told = &[]string{}
	k = New(Options{
		Store: w, Log: w, Masker: masker{}, Now: w.now, Holder: name,
		Settings: func(server string) Settings { return Settings{HoldFirst: server == "careful", HoldFlagged: true} },
		Held: func(_ string, pins []signalbox.Pin) {
			for _, p := range pins {
				*told = append(*told, p.ID())
			}
		},
	})
	if err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k, told
}

// tool is a tool in its n-th form.
func tool(name string, n int) json.Value {
	return json.Value(fmt.Sprintf(`{"name":%s,"description":"Form %d."}`, json.Quote(name), n))
}

// see shows a list to a process.
func see(t testing.TB, k *Keeper, server string, entries ...json.Value) [][32]byte {
	t.Helper()
	forms, err := k.Seen(t.Context(), server, entries)
	if err != nil {
		t.Fatal(err)
	}
	return forms
}
