package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// BenchmarkCommit is what a batch costs while a leader places what was committed; an operation is one record.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			db, err := postgres.Open(b.Context(), postgrestest.Database(b), postgres.Options{Now: time.Now, Replica: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if err := db.Join(b.Context()); err != nil {
				b.Fatal(err)
			}
			stop := placing(b, db)
			defer stop()
			batch := signalbox.Batch{Entries: make([]signalbox.Entry, size)}
			for i := range batch.Entries {
				batch.Entries[i] = signalbox.Entry{Time: time.Now(), Type: signalbox.RecordOutcome, Tenant: "acme", Call: "call", Content: make([]byte, 2000)}
			}
			done := 0
			for b.Loop() {
				if done++; done%size != 0 && size > 1 {
					continue
				}
				if err := db.Commit(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			begun, left := time.Now(), int64(1)
			for left > 0 {
				if left, err = db.Pending(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(time.Since(begun).Milliseconds()), "ms-behind")
		})
	}
}

func placing(b *testing.B, db *postgres.DB) (stop func()) {
	b.Helper()
	begun := make(chan bool, 10)
	o := options(db, func(leads bool, _ error) { begun <- leads })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); db.Lead(ctx, o) }()
	if !<-begun {
		b.Fatal("it does not lead")
	}
	return func() { cancel(); <-done }
}
