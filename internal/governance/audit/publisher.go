package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// PublishInterval is the shortest time between two checkpoints, and under load the longest.
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
	signer Signer
	tree   func() Tree
	store  CheckpointStore
	report func(error)

	mu     sync.Mutex // Held while a checkpoint is made or stored.
	signed int64      // Size of the newest stored checkpoint; -1 where none is stored.
	newest []byte     // And the checkpoint, with the cosignatures it has got so far.
	offer  func([]byte)
	cancel context.CancelFunc
	nudge  chan struct{} // A checkpoint is wanted at once.
	stop   chan struct{}
	done   chan struct{}
}

// StartPublisher starts the goroutine; the caller must Stop it. tree gives the durable tree ([Sequencer.Tree]); src is the
// log it was restored from. Report is told of each failed attempt, which is made again in the next interval.
//
// It refuses to start where [CheckSigner] does: signing a second history under the same name would help whoever rewrote
// the first.
func StartPublisher(ctx context.Context, signer Signer, tree func() Tree, src HashSource, store CheckpointStore, report func(error)) (*Publisher, error) {
	signed, stored, err := CheckSigner(ctx, signer, src, store)
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Publisher{
		signer: signer, tree: tree, store: store, report: report, signed: signed, newest: stored, offer: func([]byte) {},
		cancel: cancel, nudge: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go p.run(own)
	return p, nil
}

// Offer names who is told of every checkpoint once it is stored, the newest one that is there already included. It must
// not block.
func (p *Publisher) Offer(to func(signed []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offer = to
	if p.newest != nil {
		to(p.newest)
	}
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
		case <-p.nudge:
		case <-tick.C:
		}
	}
}

// Nudge has a checkpoint made at once instead of at the end of the interval: of what an earlier process has left unsigned,
// say, before this one may die as early as that did. It does not wait for it.
func (p *Publisher) Nudge() {
	select {
	case p.nudge <- struct{}{}:
	default: // It has been told already.
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
	signed, err := p.signer.Sign(t)
	if err != nil {
		return err
	}
	if err := p.store.PutCheckpoint(ctx, signed); err != nil {
		return err
	}
	p.signed, p.newest = t.Size(), signed
	p.offer(signed)
	return nil
}

// Cosign stores the checkpoint once more with the cosignatures, which the caller has verified: whole signature lines of
// the note format. Where a newer checkpoint was stored meanwhile, that one stays the newest.
func (p *Publisher) Cosign(ctx context.Context, signed, cosignatures []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if textOf(signed) == textOf(p.newest) {
		note := bytes.Clone(p.newest)
		for line := range bytes.Lines(cosignatures) {
			note = append(withoutSigner(note, line), line...)
		}
		if err := p.store.PutCheckpoint(ctx, note); err != nil {
			return err
		}
		p.newest = note
		return nil
	}
	if err := p.store.PutCheckpoint(ctx, append(bytes.Clone(signed), cosignatures...)); err != nil {
		return err
	}
	return p.store.PutCheckpoint(ctx, p.newest)
}

// textOf is what of a signed note is signed.
func textOf(signed []byte) string {
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	return string(text)
}

// withoutSigner removes an earlier signature of the same key from a signed note: a witness may be asked again, and one
// cosignature of it is enough.
func withoutSigner(signed, line []byte) []byte {
	text, lines, _ := bytes.Cut(signed, []byte("\n\n"))
	kept := append(bytes.Clone(text), "\n\n"...)
	who := signatureKey(line)
	for l := range bytes.Lines(lines) {
		if who == "" || signatureKey(l) != who {
			kept = append(kept, l...)
		}
	}
	return kept
}

// signatureKey is the name and hash of the key of a signature line, "" where it is none.
func signatureKey(line []byte) string {
	name, text, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(line)), signatureMark), " ")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) < 4 {
		return ""
	}
	return name + "+" + hex.EncodeToString(raw[:4])
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
