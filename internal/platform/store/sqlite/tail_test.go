package sqlite

import (
	"testing"

	"github.com/signalbox/signalbox"
)

func TestTail(t *testing.T) {
	entries := func(from, to int64) (list []signalbox.Entry) {
		for i := from; i < to; i++ {
			list = append(list, signalbox.Entry{Index: i, Content: make([]byte, 10), Effects: []signalbox.Effect{signalbox.Post{}}})
		}
		return list
	}
	var l tail
	reads := func(from int64, limit int, first int64, n int) {
		t.Helper()
		page, ok := l.page(from, limit)
		if ok != (n > 0) || len(page) != n || n > 0 && (page[0].Index != first || page[0].Effects != nil) {
			t.Errorf("from %d: %d entries, %v", from, len(page), ok)
		}
	}
	reads(0, 10, 0, 0)
	l.add(entries(5, 8))
	l.add(entries(8, 12))
	reads(4, 10, 0, 0) // Before it: the file has them.
	reads(5, 3, 5, 3)
	reads(8, 100, 8, 4)
	if len(l.entries) != 4 || l.bytes != 40 {
		t.Errorf("keeps %d entries of %d bytes", len(l.entries), l.bytes)
	}
	reads(12, 10, 0, 0) // The end, for now.
	reads(20, 10, 0, 0)
	l.add(entries(12, 12+tailEntries))
	l.add(entries(12+tailEntries, 13+tailEntries)) // Nobody reads: it begins anew.
	reads(12, 10, 0, 0)
	reads(12+tailEntries, 10, 12+tailEntries, 1)
	l.add([]signalbox.Entry{{Index: 13 + tailEntries, Content: make([]byte, tailBytes+1)}})
	l.add(entries(14+tailEntries, 15+tailEntries))
	reads(13+tailEntries, 1, 0, 0)
	reads(14+tailEntries, 1, 14+tailEntries, 1)
}
