package store

import (
	"sync"
	"sync/atomic"
	"time"
)

// slow watches the commit under way. One goroutine begins and ends; anybody reads.
type slow struct {
	is atomic.Bool

	mu    sync.Mutex
	timer *time.Timer
	now   int64 // Which commit is under way; a timer of an earlier one that comes late means nothing.
	under bool  // One is.
}

// begin starts the watch; tell is called, from a goroutine of its own, when the commit has become a slow one.
func (s *slow) begin(tell func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now++
	s.under = true
	this := s.now
	s.timer = time.AfterFunc(SlowCommit, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.under && s.now == this {
			s.is.Store(true)
			tell()
		}
	})
}

// end ends the watch and reports whether the commit was a slow one.
func (s *slow) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
	s.under = false
	return s.is.Swap(false)
}
