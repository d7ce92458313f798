package api_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// A trace's pages are one waterfall: depth first, nothing twice, nothing missing.
func TestTracePages(t *testing.T) {
	s := open(t)
	s.write(bigTrace(400)...)
	for _, limit := range []int{1, 7, 1000} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			checkTrace(t, s, limit, 400, 1)
		})
	}
	a := s.ask(http.MethodGet, "/api/v1/traces/"+hex32(0)+"?cursor=100000-0", agent, "")
	if a.status != http.StatusOK {
		t.Errorf("a cursor beyond the end answers %d: %s", a.status, a.body)
	}
}

// A cursor is no key: with that of another tenant's page of the same trace nothing but the own calls are seen. One that
// nobody gave is the end, however large.
func TestTraceCursorsOfOthers(t *testing.T) {
	s := open(t)
	var calls []sample
	for n := range 20 {
		calls = append(calls, sample{n: n, tenant: tenants[n%2], trace: hex32(0), model: "of-" + tenants[n%2], outcome: "ok"})
	}
	s.write(all(calls...)...)
	for _, key := range []string{auditor, secretOf("globex", "developer")} {
		next := get[api.Trace](s, "/traces/"+hex32(0), key, "limit", "1").Next
		if next == nil {
			t.Fatal("there is one page")
		}
		page := get[api.Trace](s, "/traces/"+hex32(0), agent, "limit", "500", "cursor", *next)
		if page.SpanCount != 10 || len(page.Items) != 9 {
			t.Errorf("%d spans, %d of them on the page", page.SpanCount, len(page.Items))
		}
		for _, span := range page.Items {
			if span.ModelName == nil || *span.ModelName != "of-acme" {
				t.Errorf("acme sees %+v", span)
			}
		}
	}
	for _, cursor := range []string{"20-0", "9223372036854775807-0", "9223372036854775807-9223372036854775807"} {
		if page := get[api.Trace](s, "/traces/"+hex32(0), agent, "cursor", cursor); len(page.Items) != 0 || page.Next != nil {
			t.Errorf("the cursor %s gives %d spans and the next page %v", cursor, len(page.Items), page.Next)
		}
	}
}

// checkTrace reads all pages of the trace of so many calls, of which every tenth was tried twice.
func checkTrace(t *testing.T, s *site, limit, calls, agents int) {
	t.Helper()
	want := calls + agents + calls/10*2
	seen, last, cursor, pages := map[string]bool{}, 0, "", 0
	for {
		page := get[api.Trace](s, "/traces/"+hex32(0), agent, "limit", strconv.Itoa(limit), "cursor", cursor)
		if page.SpanCount != want || page.TraceID != hex32(0) || !page.Start.Equal(start) {
			t.Fatalf("page %d: %d spans from %s, want %d from %s", pages, page.SpanCount, page.Start, want, start)
		}
		if cost := (signalbox.Money(1_250) * signalbox.Money(calls)).String(); page.TotalCost != cost {
			t.Fatalf("page %d: costs %s, want %s", pages, page.TotalCost, cost)
		}
		for _, span := range page.Items {
			if seen[span.ID] || span.ParentID != nil && !seen[*span.ParentID] {
				t.Fatalf("span %s comes twice or before its parent", span.ID)
			}
			if span.Depth > last+1 || span.StartMS < 0 || span.DurationMS < 0 || span.SelfMS < 0 || span.SelfMS > span.DurationMS {
				t.Fatalf("span %+v after depth %d", span, last)
			}
			seen[span.ID], last = true, span.Depth
		}
		pages++
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	if len(seen) != want {
		t.Errorf("%d pages hold %d spans, want %d", pages, len(seen), want)
	}
}

// bigTrace are the records of one trace: an agent's calls, each the parent of nine further ones; every tenth call was
// tried twice.
func bigTrace(calls int) []signalbox.Record {
	var records []signalbox.Record
	for n := range calls {
		c := sample{
			n: n, tenant: "acme", agent: "planner", trace: hex32(0), parent: "00f0000000000000", model: "small", outcome: "ok",
			at: time.Duration(n) * time.Millisecond,
		}
		if n%10 != 0 {
			c.parent = sample{n: n / 10 * 10}.span()
		} else {
			c.attempts = 2
		}
		records = append(records, c.records()...)
	}
	return records
}

// A trace of 30,000 spans is read whole in pages of 10,000.
func TestTraceOf30000Spans(t *testing.T) {
	s, closeIt := openAt(t, filepath.Join(t.TempDir(), "s.db"))
	defer closeIt()
	calls := 25_000
	if slow {
		calls = 2_500
	}
	s.write(bigTrace(calls)...)
	checkTrace(t, s, 10_000, calls, 1)
}

// BenchmarkTracePage is the cost of one page of 10,000 lines out of a trace of 30,000 spans.
func BenchmarkTracePage(b *testing.B) {
	for _, calls := range []int{250, 25_000} {
		b.Run(fmt.Sprintf("%d calls", calls), func(b *testing.B) {
			s, closeIt := openAt(b, filepath.Join(b.TempDir(), "s.db"))
			defer closeIt()
			s.write(bigTrace(calls)...)
			b.ResetTimer()
			for b.Loop() {
				a := s.ask(http.MethodGet, "/api/v1/traces/"+hex32(0)+"?limit=10000", agent, "")
				if a.status != http.StatusOK {
					b.Fatalf("%d %s", a.status, a.body)
				}
			}
		})
	}
}
