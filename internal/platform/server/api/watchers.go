package api

import (
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// Bounds of requests that wait for something to happen: long polls, and streams of events.
const (
	MaxWatchers       = 512 // In this process.
	MaxWatchersPerKey = 16
)

// watchers counts the requests that wait. It is safe for concurrent use.
type watchers struct {
	mu     sync.Mutex
	all    int
	perKey map[string]int
}

// enter counts one more, until leave is called, once.
func (w *watchers) enter(key string) (leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.perKey[key] >= MaxWatchersPerKey:
		return nil, signalbox.Errorf(signalbox.CodeRateLimited, "%d requests with this key wait already, which is the limit.", MaxWatchersPerKey).
			WithRemedy("End some of them, or ask without waiting.").WithRetryAfter(time.Second)
	case w.all >= MaxWatchers:
		return nil, signalbox.Errorf(signalbox.CodeUnavailable, "%d requests wait already, which is the limit.", MaxWatchers).
			WithRemedy("Ask without waiting, or retry later.").WithRetryAfter(5 * time.Second)
	}
	if w.perKey == nil {
		w.perKey = map[string]int{}
	}
	w.all++
	w.perKey[key]++
	return func() { w.leave(key) }, nil
}

func (w *watchers) leave(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.perKey[key]--; w.perKey[key] == 0 {
		delete(w.perKey, key)
	}
}
