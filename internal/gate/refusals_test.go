package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
)

func start(log *memoryLog) *Refusals {
	return StartRefusals(log, time.Now, slog.New(slog.DiscardHandler))
}

func TestRefusalsWriteOneRecordPerSourceAndMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{}
		f := start(log)
		first := time.Now().UTC()
		for i := range 1000 {
			f.Count("192.0.2.1", fmt.Sprintf("Reason %d.", i%5))
		}
		f.Count("2001:db8:0:7::1", "No key.")
		f.Count("2001:db8:0:7:ffff::2", "No key.")
		if n := len(log.all()); n != 0 {
			t.Fatalf("%d records within the minute", n)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		f.Count("192.0.2.1", "No key.")
		records := log.all()
		if len(records) != 2 {
			t.Fatalf("got %d records, want 2", len(records))
		}
		want := []map[string]string{
			{"source": "192.0.2.1", "count": "1000", "reasons": "Reason 0. Reason 1. Reason 2."},
			{"source": "2001:db8:0:7::/64", "count": "2", "reasons": "No key."},
		}
		for i, r := range records {
			if r.Type != signalbox.RecordAdmin || r.What.Action != signalbox.ActionRefusals {
				t.Errorf("got %+v", r)
			}
			want[i]["minute"] = first.Truncate(time.Minute).Format(time.RFC3339)
			if fmt.Sprint(r.What.Detail) != fmt.Sprint(want[i]) {
				t.Errorf("got %v, want %v", r.What.Detail, want[i])
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(log.all()); n != 3 || f.Total() != 1003 {
			t.Errorf("got %d records and %d refusals after the end, want 3 and 1003", n, f.Total())
		}
	})
}

func TestRefusalsFromManySourcesShareABucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{}
		f := start(log)
		for i := range 10 * MaxSources {
			f.Count(fmt.Sprintf("10.0.%d.%d", i/256, i%256), "No key.")
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		total, other := 0, ""
		for _, r := range log.all() {
			var n int
			fmt.Sscan(r.What.Detail["count"], &n)
			total += n
			if r.What.Detail["source"] == OtherSources {
				other = r.What.Detail["count"]
			}
		}
		if total != 10*MaxSources || len(log.all()) != MaxSources+1 || other != fmt.Sprint(9*MaxSources) {
			t.Errorf("got %d refusals in %d records, %s of them under other", total, len(log.all()), other)
		}
	})
}

func TestRefusalsWaitForTheLogWithinABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{err: errors.New("disk full")}
		f := start(log)
		const minutes = 3 * MaxMinutes
		for i := range minutes {
			f.Count("192.0.2.1", fmt.Sprintf("Reason %d.", i))
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		if n := len(f.minutes); n != MaxMinutes {
			t.Fatalf("%d minutes are kept, want %d", n, MaxMinutes)
		}
		if err := f.flush(t.Context(), time.Now().Add(time.Hour)); err == nil {
			t.Fatal("a log that is down gives no error")
		}
		log.fail(nil)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		total, until := 0, ""
		for _, r := range log.all() {
			var n int
			fmt.Sscan(r.What.Detail["count"], &n)
			total += n
			until = max(until, r.What.Detail["until"])
			if words := strings.Count(r.What.Detail["reasons"], "."); words > MaxReasons {
				t.Errorf("%d reasons", words)
			}
		}
		if total != minutes || until == "" {
			t.Errorf("got %d refusals until %q, want %d", total, until, minutes)
		}
	})
}

func TestRefusalsRestoreKeepsLaterCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{}
		f := start(log)
		f.Count("192.0.2.1", "A.")
		key := f.due(time.Now().Add(time.Hour))[0]
		b := f.remove(key)
		f.Count("192.0.2.1", "B.")
		f.restore(key, b)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		got := log.all()[0].What.Detail
		if len(log.all()) != 1 || got["count"] != "2" || got["reasons"] != "A. B." {
			t.Errorf("got %v", got)
		}
	})
}
