package audit

import (
	"context"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// PublishInterval is the shortest time between two checkpoints.
const PublishInterval = time.Second

// CheckpointStore keeps signed checkpoints. PutCheckpoint returns when the note is durable; storing one twice is
// harmless. LatestCheckpoint gives the one stored last, nil where there is none.
type CheckpointStore interface {
	PutCheckpoint(ctx context.Context, signed []byte) error
	LatestCheckpoint(ctx context.Context) ([]byte, error)
}

// Publisher signs the root of the durable tree when the tree has grown, at most once in [PublishInterval], and once more
// when it stops.
type Publisher struct {
	key    *Key
	tree   func() Tree
	store  CheckpointStore
	report func(error)

	mu     sync.Mutex // Held while a checkpoint is made.
	signed int64      // Size of the newest stored checkpoint; -1 where none is stored.
	cancel context.CancelFunc
	stop   chan struct{}
	done   chan struct{}
}

// StartPublisher starts the goroutine; the caller must Stop it. tree gives the durable tree ([Sequencer.Tree]); src is the
// log it was restored from. Report is told of each failed attempt, which is made again in the next interval.
//
// It refuses to start where the newest stored checkpoint is not one of this log: signing a second history under the same
// name would help whoever rewrote the first. A stored checkpoint of another key is left alone: keys can be changed.
func StartPublisher(ctx context.Context, key *Key, tree func() Tree, src HashSource, store CheckpointStore, report func(error)) (*Publisher, error) {
	signed, err := lastSigned(ctx, key, src, store)
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Publisher{
		key: key, tree: tree, store: store, report: report, signed: signed,
		cancel: cancel, stop: make(chan struct{}), done: make(chan struct{}),
	}
	go p.run(own)
	return p, nil
}

// lastSigned checks the newest stored checkpoint against the log and gives its size.
func lastSigned(ctx context.Context, key *Key, src HashSource, store CheckpointStore) (int64, error) {
	stored, err := store.LatestCheckpoint(ctx)
	if err != nil || stored == nil {
		return -1, err
	}
	c, err := OpenCheckpoint(stored, key.Verifier())
	if err != nil {
		return -1, nil //nolint:nilerr // It is another key's.
	}
	root, err := RootAt(ctx, src, c.Size)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound || (err == nil && root != c.Root) {
		return -1, signalbox.Errorf(signalbox.CodeConflict,
			"The stored log is not the one whose checkpoint of size %d this key has signed.", c.Size).
			WithRemedy("Run `signalbox audit verify`; restore the newest backup. To go on with this log, use a new audit.key.").
			WithCause(err)
	}
	return c.Size, err
}

func (p *Publisher) run(ctx context.Context) {
	defer close(p.done)
	tick := time.NewTicker(PublishInterval) //nolint:forbidigo // It paces signatures and decides nothing.
	defer tick.Stop()
	for {
		if err := p.publish(ctx); err != nil {
			p.report(err)
		}
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
	}
}

// publish stores a checkpoint of the tree as it is now, if the newest one does not cover it.
func (p *Publisher) publish(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tree()
	if t.Size() == 0 || t.Size() <= p.signed {
		return nil
	}
	signed, err := p.key.Sign(t)
	if err != nil {
		return err
	}
	if err := p.store.PutCheckpoint(ctx, signed); err != nil {
		return err
	}
	p.signed = t.Size()
	return nil
}

// Stop ends the goroutine and signs once more, for what was written since. Call it once, after the last write. When ctx
// ends, a store that hangs is waited for no longer.
func (p *Publisher) Stop(ctx context.Context) error {
	defer context.AfterFunc(ctx, p.cancel)()
	defer p.cancel()
	close(p.stop)
	<-p.done
	return p.publish(ctx)
}
