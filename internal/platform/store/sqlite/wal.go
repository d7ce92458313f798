package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Bounds of the write-ahead log.
const (
	// DefaultWALPages is how many pages are written before a checkpoint: 16 MiB of 4 KiB pages. The WAL's file keeps
	// about that size and is overwritten, which makes syncs cheaper than growing it.
	DefaultWALPages = 4096
	// pageSize is SQLite's default, which our files have.
	pageSize = 4096
	// walInterval is how often the WAL is looked at besides.
	walInterval = 10 * time.Second
	// walLimit is the size to which a WAL that grew under a long read is cut back, in bytes.
	walLimit = 64 << 20
)

// checkpointer copies the WALs back into their files, so that no commit has to.
type checkpointer struct {
	handles []*handle
	wake    chan struct{}
	quit    chan struct{}
	once    sync.Once
	done    chan error
}

func startCheckpointer(pages int64, handles ...*handle) *checkpointer {
	c := &checkpointer{handles: handles, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan error, 1)}
	for _, h := range handles {
		h.watch(pages, c.wake)
	}
	go c.run()
	return c
}

// stop ends the goroutine and gives the errors of its work.
func (c *checkpointer) stop() error {
	c.once.Do(func() { close(c.quit) })
	return <-c.done
}

func (c *checkpointer) run() {
	var failure error
	ticker := time.NewTicker(walInterval)
	defer ticker.Stop()
	for {
		select {
		case <-c.quit:
			c.done <- failure
			close(c.done) // Whoever stops it again is not kept waiting.
			return
		case <-c.wake:
		case <-ticker.C:
		}
		failure = nil // A later checkpoint that works makes up for one that failed.
		for _, h := range c.handles {
			failure = errors.Join(failure, h.checkpoint())
		}
	}
}

// checkpoint copies the bulk while others write, and then the rest while they wait. The next transaction finds a WAL of
// which all is copied and starts it anew, unless a reader still looks at an old state; then the next round tries again.
// Nothing here waits for a reader.
func (h *handle) checkpoint() error {
	if h.written.Load() == 0 || h.broken.is() != nil {
		return nil
	}
	if _, err := h.side.Exec(passive); err != nil {
		return h.notCopied(err)
	}
	return h.alone(func(t *transaction) error {
		return h.notCopied(t.query(passive, func(row []driver.Value) error {
			if row[1] == row[2] { // Frames in the WAL, frames copied.
				h.written.Store(0)
			}
			return nil
		}))
	})
}

// notCopied is the error of a checkpoint. After most of them, such as those of a full disk, the next round copies the same
// again.
func (h *handle) notCopied(err error) error {
	if unsynced(err) {
		return h.broken.by("checkpoint", err)
	}
	return explain("checkpoint", err)
}

const passive = "PRAGMA wal_checkpoint(PASSIVE)"

// watch makes the handle wake the checkpointer after that many pages.
func (h *handle) watch(pages int64, wake chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pages, h.wake = pages, wake
}

// wrote counts what a transaction wrote, in bytes, as pages: its content, and two that change with every transaction.
func (h *handle) wrote(bytes int64) {
	const touched = 2
	if h.written.Add(bytes/pageSize+touched) < h.pages {
		return
	}
	select {
	case h.wake <- struct{}{}:
	default: // It has been told.
	}
}

// prefill gives the WAL's file its usual size before the first commit, because a sync of a file that grows costs several
// times one of a file that is written over. SQLite reads a WAL up to the first frame that is not valid, and zeros are not.
// Where there is no room, the WAL grows as it would have. An error that is marked as [errUnsynced] is one of the sync.
func prefill(wal string, size int64) error {
	f, err := os.OpenFile(wal, os.O_WRONLY, 0) // SQLite has made it.
	if err != nil {
		return cannotOpen(wal, err)
	}
	if err := lengthen(f, size); err != nil {
		return errors.Join(cannotOpen(wal, err), f.Close())
	}
	return f.Close()
}

// errUnsynced marks a failed sync that was not SQLite's.
var errUnsynced = errors.New("the file could not be synced")

// lengthen appends zeros up to a size and syncs. A sync that has failed is told whatever its reason: the pages that it was
// for are lost to the next one.
func lengthen(f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := info.Size(); at < size && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros, at)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return f.Truncate(info.Size())
	}
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%w: %w", errUnsynced, err)
	}
	return nil
}
