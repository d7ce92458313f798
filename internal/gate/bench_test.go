package gate

import (
	"context"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// BenchmarkStation is what a call costs in the gate, with two limits of its tenant and two of its key.
func BenchmarkStation(b *testing.B) {
	limits := []signalbox.Budget{
		{Unit: signalbox.UnitRequests, Per: signalbox.WindowMinute, Max: MaxLimit}, {Unit: signalbox.UnitConcurrent, Max: MaxLimit},
	}
	key, err := StaticKey(signalbox.Key{ID: "k", Tenant: "acme", Role: signalbox.RoleAgent, Budgets: limits}, staticSecret)
	if err != nil {
		b.Fatal(err)
	}
	ring, err := NewKeyring(key)
	if err != nil {
		b.Fatal(err)
	}
	h := Station(Options{
		Now: time.Now, Keys: ring, TenantLimits: func(string) []signalbox.Budget { return limits },
	})(answering(&oneShot{}, nil))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a, err := h.Serve(context.Background(), track(key, signalbox.Claims{Run: "run_1"}))
			if err != nil {
				b.Error(err)
				return
			}
			if err := a.Close(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkLookup is what finding a key costs.
func BenchmarkLookup(b *testing.B) {
	key, err := StaticKey(signalbox.Key{ID: "k", Tenant: "acme", Role: signalbox.RoleAgent}, staticSecret)
	if err != nil {
		b.Fatal(err)
	}
	ring, err := NewKeyring(key)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := ring.Lookup(staticSecret); err != nil {
			b.Fatal(err)
		}
	}
}
