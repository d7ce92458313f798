package sqlite

import (
	"sync"

	"github.com/signalbox/signalbox"
)

// Bounds of what a tail keeps. A tail that is full begins anew: whoever reads it is far behind, and reads the file.
const (
	tailEntries = 8192
	tailBytes   = 16 << 20 // Of content.
)

// tail is the end of the log in memory, for the projector: it reads each entry once, and soon. Reading the file would cost
// as much again as decoding.
type tail struct {
	mu      sync.Mutex
	entries []signalbox.Entry // Without gaps; from the first that was not read yet.
	bytes   int
}

// add takes the entries of a batch that is durable.
func (l *tail) add(batch []signalbox.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries)+len(batch) > tailEntries || l.bytes > tailBytes {
		l.drop(len(l.entries))
	}
	for _, e := range batch {
		e.Effects = nil
		l.entries = append(l.entries, e)
		l.bytes += len(e.Content)
	}
}

// page gives up to limit entries from that index on; false where they must be read from the file. What is before them is
// forgotten.
func (l *tail) page(from int64, limit int) ([]signalbox.Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 || from < l.entries[0].Index {
		return nil, false
	}
	l.drop(int(min(from-l.entries[0].Index, int64(len(l.entries)))))
	return append([]signalbox.Entry(nil), l.entries[:min(limit, len(l.entries))]...), len(l.entries) > 0
}

// forget begins anew: what is in memory is not what the file holds any more.
func (l *tail) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(len(l.entries))
}

// drop forgets the first n.
func (l *tail) drop(n int) {
	for i := range l.entries[:n] {
		l.bytes -= len(l.entries[i].Content)
	}
	rest := copy(l.entries, l.entries[n:])
	clear(l.entries[rest:])
	l.entries = l.entries[:rest]
}
