package audit

import (
	"context"
	"math"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// Bounds of what waits between reading and judging: portions of so many records and bytes of content, and portions for
// each core. With the largest records that is 9 MiB for two cores.
const (
	portionEntries = 256
	portionBytes   = 1 << 20
	portionsAhead  = 4
)

// checked is an entry with what can be found out about it alone. Its content is let go.
type checked struct {
	entry      signalbox.Entry
	leaf       tlog.Hash
	leafErr    error
	contentErr error  // Why the content is no record.
	tenant     string // What the content says of itself, from here on; of a destroyed one what the header says.
	outcome    signalbox.Outcome
	attempted  bool
	replay     bool
	evidence   *signalbox.Record // A record of destroyed content; nil for all others.
}

// portion is a part of the log, in order.
type portion struct {
	entries []checked
	bytes   int
	err     error // Nothing can be read behind it.
	done    chan struct{}
}

// read takes the log through three stages: one goroutine reads, as many as there are cores check each record by itself,
// and this one judges them in order. It returns when all have ended.
func (v *verifier) read() error {
	ctx, cancel := context.WithCancel(v.ctx)
	cores := runtime.GOMAXPROCS(0)
	work, order := make(chan *portion), make(chan *portion, portionsAhead*cores)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() {
		defer close(order)
		defer close(work)
		portions(ctx, v.src, func(p *portion) bool { return send(ctx, order, p) && send(ctx, work, p) })
	})
	for range cores {
		all.Go(func() {
			room := &spare{}
			for p := range work {
				p.check(room)
			}
		})
	}
	return v.judge(ctx, order)
}

func send(ctx context.Context, to chan<- *portion, p *portion) bool {
	select {
	case to <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

func (v *verifier) judge(ctx context.Context, order <-chan *portion) error {
	for p := range order {
		select {
		case <-p.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		for i := range p.entries {
			if err := v.entry(&p.entries[i]); err != nil {
				return err
			}
		}
		if p.err != nil {
			return p.err
		}
	}
	return ctx.Err()
}

// portions reads the log and gives it in portions, until it ends or take says no.
func portions(ctx context.Context, src LogSource, take func(*portion) bool) {
	next := func() *portion {
		return &portion{entries: make([]checked, 0, portionEntries), done: make(chan struct{})}
	}
	p := next()
	for e, err := range src.Entries(ctx, math.MinInt64) {
		if err != nil {
			p.err = err
			break
		}
		p.entries, p.bytes = append(p.entries, checked{entry: e}), p.bytes+len(e.Content)
		if len(p.entries) < portionEntries && p.bytes < portionBytes {
			continue
		}
		if !take(p) {
			return
		}
		p = next()
	}
	take(p)
}

func (p *portion) check(room *spare) {
	defer close(p.done)
	scratch := make([]byte, 0, 512)
	for i := range p.entries {
		scratch = p.entries[i].check(scratch, room)
	}
}

// check finds out what the entry says of itself. The scratch is what the leaf data was made in, for the next one.
func (c *checked) check(scratch []byte, room *spare) []byte {
	data, err := appendLeafData(scratch[:0], c.entry)
	if c.leafErr = err; err == nil {
		c.leaf, scratch = tlog.RecordHash(data), data
	}
	c.tenant = c.entry.Tenant
	if c.entry.Destroyed() {
		return scratch
	}
	if v, ok := room.read(&c.entry); ok && v.action != signalbox.ActionContentDestroyed {
		c.tenant, c.outcome, c.attempted, c.replay = v.tenant, v.outcome, v.attempted, v.replay
	} else {
		c.decode()
	}
	if c.entry.Digest == [32]byte{} { // Otherwise it would look destroyed.
		c.entry.Content = nil
	}
	return scratch
}

// decode takes what no short way knows.
func (c *checked) decode() {
	r, err := Decode(c.entry)
	if err != nil {
		c.contentErr = signalbox.AsError(err).Cause
	}
	c.tenant, c.outcome, c.attempted, c.replay = r.Who.TenantID, r.Outcome, len(r.Attempts) > 0, r.Context.ReplayOf != ""
	if r.Type == signalbox.RecordAdmin && r.What.Action == signalbox.ActionContentDestroyed {
		c.evidence = &r
	}
}
