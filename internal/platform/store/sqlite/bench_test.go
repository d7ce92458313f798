package sqlite_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// plain is a sequencer without a tree: these figures are the store's alone.
type plain struct{ next int64 }

var content = make([]byte, 1000)

func (*plain) Encode(r signalbox.Record) (signalbox.Entry, error) {
	return signalbox.Entry{Time: r.Time, Type: r.Type, Tenant: r.Who.TenantID, Call: r.Call, Content: content}, nil
}

func (p *plain) Sequence(entries []signalbox.Entry) (signalbox.Batch, error) {
	for i := range entries {
		entries[i].Index = p.next + int64(i)
		entries[i].Leaf = sha256.Sum256([]byte(entries[i].Call))
	}
	return signalbox.Batch{Entries: entries}, nil
}

func (p *plain) Committed(b signalbox.Batch) { p.next += int64(len(b.Entries)) }

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAppend measures durable appends, each with its disk sync, by how many goroutines append at once.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 32, 256} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkAppend(b, n) })
	}
}

func benchmarkAppend(b *testing.B, goroutines int) {
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "s.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	w := store.NewWriter(db, &plain{}, store.Options{})
	r := signalbox.Record{
		Type: signalbox.RecordOutcome, Call: signalbox.NewID(signalbox.CallPrefix, time.Now()), Time: time.Now(),
		Who: signalbox.Who{TenantID: "acme"},
	}
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	before := cpu()
	for range goroutines {
		group.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if _, err := w.Append(context.Background(), r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	used := cpu() - before
	b.StopTimer()
	s := w.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/record")
	b.ReportMetric(float64(s.Committed)/float64(s.Batches), "records/batch")
	if err := w.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSync is the disk alone, beside which the figures above are to be read.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 8192)
	for b.Loop() {
		if _, err := f.WriteAt(buf, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
