package alert

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// accountsOf is what a call in a run pays from: money, tokens and steps of a tenant, team, key, agent and run.
func accountsOf(r *rig) []string {
	var all []string
	for _, owner := range []string{"tenant acme -", "team acme cs", "key acme k", "agent acme a"} {
		for _, window := range []string{"usd day", "usd month", "tokens day"} {
			all = append(all, owner+" - "+window+" 2026-11-22T00:00:00Z")
		}
	}
	all = append(all, "run acme r - steps run -")
	for _, a := range append(all, runAccount("acme", "r")) {
		account, err := signalbox.ParseAccount(a)
		if err != nil {
			panic(err)
		}
		r.ledger.set(a, call.Balance{Account: account, Cap: int64(1000 * usd), Settled: int64(cent), WarnAt: 800, ResetAt: midnight.Unix()})
	}
	return all
}

func seedRules() []signalbox.AlertRule {
	return append(ladder(), rule("d1", signalbox.AlertPerDay, 100*usd, signalbox.ActionNotify, 0), rule("d2", signalbox.AlertPerDay, 300*usd, signalbox.ActionNotify, 0),
		rule("m1", signalbox.AlertPerMonth, 2000*usd, signalbox.ActionNotify, 0), rule("m2", signalbox.AlertPerMonth, 5000*usd, signalbox.ActionNotify, 0))
}

// BenchmarkEnded tells of calls with 14 accounts.
func BenchmarkEnded(b *testing.B) {
	b.Run("no threshold near", func(b *testing.B) {
		r := newRig(b, seedRules()...)
		defer r.stop(b)
		rec := outcome("call_1", "r", cent, accountsOf(r)...)
		b.ReportAllocs()
		for b.Loop() {
			r.Ended(rec)
		}
	})
	b.Run("above two thresholds", func(b *testing.B) {
		r := newRig(b, seedRules()...)
		defer r.stop(b)
		rec := outcome("call_1", "r", cent, accountsOf(r)...)
		r.ledger.settle(runAccount("acme", "r"), 3*usd)
		b.ReportAllocs()
		for b.Loop() {
			r.Ended(rec)
		}
	})
	b.Run("three accounts", func(b *testing.B) {
		r := newRig(b, seedRules()...)
		defer r.stop(b)
		rec := outcome("call_1", "r", cent, accountsOf(r)[:2]...)
		b.ReportAllocs()
		for b.Loop() {
			r.Ended(rec)
		}
	})
}

// BenchmarkEnter enters and leaves, while 4,096 other calls are under way.
func BenchmarkEnter(b *testing.B) {
	for _, brakes := range []int{0, 1000} {
		b.Run(fmt.Sprintf("%d brakes", brakes), func(b *testing.B) {
			r := newRig(b)
			defer r.stop(b)
			var list []signalbox.Brake
			for i := range brakes {
				list = append(list, halt(fmt.Sprint(i), fmt.Sprint("run", i), time.Time{}))
			}
			r.Sync(list)
			for i := range 4096 {
				_, leave, err := r.Enter(context.Background(), track(fmt.Sprint("call_", i), fmt.Sprint(i%100)))
				if err != nil {
					b.Fatal(err)
				}
				defer leave()
			}
			t := track("call_bench", "r")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				_, leave, err := r.Enter(ctx, t)
				if err != nil {
					b.Fatal(err)
				}
				leave()
			}
		})
	}
}

func BenchmarkProgress(b *testing.B) {
	r := newRig(b, seedRules()...)
	defer r.stop(b)
	r.ledger.settle(runAccount("acme", "r"), cent)
	t := track("call_bench", "r")
	_, leave, err := r.Enter(context.Background(), t)
	if err != nil {
		b.Fatal(err)
	}
	defer leave()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Progress(t, nil, signalbox.Money(i%1000))
	}
}
