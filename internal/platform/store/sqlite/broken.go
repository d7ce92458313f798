package sqlite

import (
	"fmt"
	"sync"

	"github.com/signalbox/signalbox/internal/platform/store"
)

// broken remembers that nobody knows any more what the disk holds. From then on nothing is written and nothing synced,
// not even when the file is closed: a second try could succeed although the first has lost something. Nil never breaks.
type broken struct {
	mu     sync.Mutex
	reason error
	tell   chan error
}

func newBroken() *broken { return &broken{tell: make(chan error, 1)} }

// is gives the reason, nil while all is well.
func (b *broken) is() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reason
}

// by breaks by an error and gives it back, marked as uncertain. Only the first is told.
func (b *broken) by(what string, err error) error {
	err = fmt.Errorf("%w: %w", store.ErrUncertain, explain(what, err))
	if b == nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reason == nil {
		b.reason = err
		b.tell <- err
	}
	return err
}

// Broken gives at most one error: a sync has failed, or a commit of which nobody knows whether it is durable. Nothing is
// written from then on, and the process is to stop. It covers what the log's writer does not see: checkpoints of the
// write-ahead log, and everything that is written beside the log.
func (d *DB) Broken() <-chan error { return d.broken.tell }
