package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// BenchmarkPost measures commits of batches of 64 records without posts, with five accounts on which all records of all
// replicas post, and with five out of ten thousand; by how many replicas commit at once.
func BenchmarkPost(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		for _, accounts := range []int{0, 5, 10_000} {
			b.Run(fmt.Sprintf("replicas=%d/accounts=%d", replicas, accounts), func(b *testing.B) {
				benchmarkPost(b, replicas, accounts)
			})
		}
	}
}

func benchmarkPost(b *testing.B, replicas, accounts int) {
	const size = 64
	url := postgrestest.Database(b)
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range replicas {
		id := fmt.Sprint("replica_", i)
		db, err := postgres.Open(b.Context(), url, postgres.Options{Replica: id, Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Join(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { db.Leave(context.Background()); db.Close() })
		group.Go(func() {
			<-start
			for done := i * size; done < b.N; done += size * replicas {
				if err := db.Commit(context.Background(), postingBatch(id, done, size, accounts)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	b.ResetTimer()
	close(start)
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func postingBatch(id string, first, size, accounts int) signalbox.Batch {
	batch := signalbox.Batch{Entries: make([]signalbox.Entry, size)}
	for i := range batch.Entries {
		e := &batch.Entries[i]
		*e = signalbox.Entry{Time: time.Now(), Type: signalbox.RecordOutcome, Tenant: "acme", Content: make([]byte, 1000)}
		if accounts == 0 {
			continue
		}
		p := signalbox.Post{Replica: id}
		for j := range 5 {
			account := fmt.Sprintf("key acme key_%05d - usd day 2026-11-22T00:00:00Z", ((first+i)*5+j)*3571%accounts)
			p.Entries = append(p.Entries, signalbox.LedgerEntry{Account: account, Held: 100, Settled: 90})
		}
		e.Effects = []signalbox.Effect{p}
	}
	return batch
}

// BenchmarkDraw measures durable draws of one account by several replicas at once: what a hot account costs at most.
func BenchmarkDraw(b *testing.B) {
	for _, replicas := range []int{1, 3, 8} {
		b.Run(fmt.Sprintf("replicas=%d", replicas), func(b *testing.B) { benchmarkDraw(b, replicas) })
	}
}

func benchmarkDraw(b *testing.B, replicas int) {
	url := postgrestest.Database(b)
	db, err := postgres.Open(b.Context(), url, postgres.Options{Replica: "r0", Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	for i := range replicas {
		other, err := postgres.Open(b.Context(), url, postgres.Options{Replica: fmt.Sprint("r", i), Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		if err := other.Join(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { other.Leave(context.Background()); other.Close() })
	}
	var group sync.WaitGroup
	b.ResetTimer()
	for i := range replicas {
		group.Go(func() {
			draws := []signalbox.Draw{{Account: budget, Cap: 1 << 50, Most: 1000}}
			for done := i; done < b.N; done += replicas {
				if _, err := db.Draw(context.Background(), fmt.Sprint("r", i), draws); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "draws/s")
}
