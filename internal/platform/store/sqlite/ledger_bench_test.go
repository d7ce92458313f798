package sqlite_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// BenchmarkPost measures what posts add to commits: batches of records without any, with five accounts on which all
// records post, and with five out of ten thousand. Compare cpu-µs/record; the time itself is mostly the disk's.
func BenchmarkPost(b *testing.B) {
	for _, size := range []int{1, 16, 64} {
		for _, accounts := range []int{0, 5, 10_000} {
			b.Run(fmt.Sprintf("batch=%d/accounts=%d", size, accounts), func(b *testing.B) { benchmarkPost(b, size, accounts) })
		}
	}
}

func benchmarkPost(b *testing.B, size, accounts int) {
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "s.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	names := accountNames(accounts)
	next := int64(0)
	commit := func(n, stride int) {
		batch := signalbox.Batch{Entries: make([]signalbox.Entry, n)}
		for i := range batch.Entries {
			batch.Entries[i] = postingEntry(next, names, stride)
			next++
		}
		if err := db.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	for range accounts / 500 {
		commit(100, 1)
	}
	b.ResetTimer()
	before := cpu()
	for done := 0; done < b.N; done += size {
		commit(size, mixed)
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/record")
	b.StopTimer()
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// accountNames are in an order that is not that of their identities.
func accountNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = signalbox.Account{
			Kind: signalbox.OwnerKey, Tenant: "acme", Name: fmt.Sprintf("key_%x", sha256.Sum256(fmt.Append(nil, i)))[:16],
			Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Start: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		}.String()
	}
	return names
}

// mixed is a stride by which accounts that are used together are not those that were made together.
const mixed = 3571

func postingEntry(index int64, accounts []string, stride int) signalbox.Entry {
	e := signalbox.Entry{Index: index, Time: time.Now(), Type: signalbox.RecordIntent, Tenant: "acme", Content: content}
	if len(accounts) == 0 {
		return e
	}
	entries := make([]signalbox.LedgerEntry, 5)
	for i := range entries {
		entries[i] = signalbox.LedgerEntry{Account: accounts[(int(index)*5+i)*stride%len(accounts)], Held: 100, Settled: 90}
	}
	e.Effects = []signalbox.Effect{signalbox.Post{Replica: signalbox.LocalReplica, Entries: entries}}
	return e
}
