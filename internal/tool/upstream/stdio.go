package upstream

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// stdioWire speaks with a child, one message a line.
type stdioWire struct {
	process  *process
	onNotice func(rpc.Message)
	queue    chan []byte // What the writer has to write.
	gone     chan struct{}
	wg       sync.WaitGroup
	now      func() time.Time
	minute   time.Time // In which unasked messages are counted. Of the reader alone, as they are.
	unasked  int

	asks bool // It may ask on behalf of the one call that it has.

	mu      sync.Mutex
	spoken  string          // The protocol version, once it is agreed on.
	askers  int             // Calls under way whose callers can be asked: at most one.
	behalf  context.Context //nolint:containedctx // Of the call on whose behalf it asks; nil where there is none.
	last    int64
	waiting map[int64]chan rpc.Message
	reason  error // Why it is gone.
}

const (
	writeQueue = 64               // Messages that wait for the child to read.
	writeLimit = 10 * time.Second // A child that reads nothing for so long is taken for dead.
)

// MaxUnasked bounds messages that answer nothing: of a child within a minute, over HTTP before the answer to one request. Who
// sends more floods us, and is cut off.
const MaxUnasked = 10_000

func newStdioWire(s Config, onNotice func(rpc.Message), logger *slog.Logger, now func() time.Time) (*stdioWire, error) {
	p, err := start(s, logger, now)
	if err != nil {
		return nil, err
	}
	w := &stdioWire{
		process: p, onNotice: onNotice, queue: make(chan []byte, writeQueue), gone: make(chan struct{}),
		waiting: map[int64]chan rpc.Message{}, now: now, asks: s.Asks,
	}
	w.wg.Go(w.write)
	w.wg.Go(w.read)
	return w, nil
}

func (w *stdioWire) lost() <-chan struct{} { return w.gone }

func (w *stdioWire) version(v string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoken = v
}

func (w *stdioWire) request(ctx context.Context, method, _ string, params []byte) (json.Value, error) {
	id, response := w.register()
	defer w.forget(id)
	defer w.during(ctx)()
	if err := w.send(ctx, rpc.Encode(id, method, params)); err != nil {
		return nil, err
	}
	select {
	case m := <-response:
		if m.Err != nil {
			return nil, m.Err
		}
		return m.Result, nil
	case <-w.gone:
		return nil, &wireError{err: w.why(), sent: true}
	case <-ctx.Done():
		select {
		case w.queue <- rpc.Encode(0, rpc.MethodCancelled, cancelParams(id)):
		default: // The child does not read; it is about to be taken for dead.
		}
		w.giveUp()
		return nil, &wireError{err: context.Cause(ctx), sent: true}
	}
}

func (w *stdioWire) notify(ctx context.Context, method string, params []byte) error {
	return w.send(ctx, rpc.Encode(0, method, params))
}

// send hands a message to the writer.
func (w *stdioWire) send(ctx context.Context, line []byte) error {
	select {
	case <-w.gone:
		return &wireError{err: w.why()}
	default:
	}
	select {
	case w.queue <- line:
		return nil
	case <-w.gone:
		return &wireError{err: w.why()}
	case <-ctx.Done():
		return &wireError{err: context.Cause(ctx)}
	}
}

func (w *stdioWire) register() (int64, chan rpc.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	response := make(chan rpc.Message, 1)
	w.waiting[w.last] = response
	return w.last, response
}

func (w *stdioWire) forget(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, id)
}

func (w *stdioWire) write() {
	for {
		select {
		case <-w.gone:
			return
		case line := <-w.queue:
			// Best effort: a system without deadlines on pipes waits until the child ends.
			_ = w.process.stdin.SetWriteDeadline(time.Now().Add(writeLimit))
			if _, err := w.process.stdin.Write(append(line, '\n')); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					err = said(err, "it has read nothing for %s", writeLimit)
				}
				w.lose(err)
				return
			}
		}
	}
}

// read reads what the child writes until it ends.
func (w *stdioWire) read() {
	r := bufio.NewReaderSize(w.process.stdout, 64<<10)
	for {
		line, err := rpc.ReadLine(r, rpc.MaxMessage)
		if err != nil {
			w.lose(w.process.reason(err))
			return
		}
		if err := w.take(line); err != nil {
			w.lose(err)
			return
		}
	}
}

// take takes one line. Its error is the end of the wire.
func (w *stdioWire) take(line []byte) error {
	if len(line) == 0 {
		return w.countUnasked()
	}
	m, err := rpc.Decode(line)
	if err != nil {
		return said(err, "it has written a line that is no message")
	}
	asked, err := w.dispatch(m)
	if err != nil || asked {
		return err
	}
	return w.countUnasked()
}

func (w *stdioWire) countUnasked() error {
	if m := w.now().Truncate(time.Minute); !m.Equal(w.minute) {
		w.minute, w.unasked = m, 0
	}
	if w.unasked++; w.unasked > MaxUnasked {
		return said(nil, "it has written more than %d lines within a minute that answer nothing", MaxUnasked)
	}
	return nil
}

// dispatch hands a message to whom it concerns, and reports whether it answers something.
func (w *stdioWire) dispatch(m rpc.Message) (asked bool, err error) {
	switch {
	case m.Method != "" && m.ID != nil && w.asked(m):
	case m.Method != "" && m.ID != nil:
		select {
		case w.queue <- rpc.Reply(m):
		default: // A child that asks and does not read gets no answer.
		}
	case m.Method != "" && w.told(m):
	case m.Method != "":
		w.onNotice(m)
	default:
		return w.deliver(m)
	}
	return false, nil
}

// deliver hands a response to who waits for it. One that nobody waits for any more is dropped; one to a request that was never
// made is an error, for then nothing that the child answers can be trusted.
func (w *stdioWire) deliver(m rpc.Message) (asked bool, err error) {
	if m.ID == nil {
		return false, nil // An error about a message that the child could not read.
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	id, err := strconv.ParseInt(string(m.ID), 10, 64)
	if err != nil || id < 1 || id > w.last {
		return false, said(nil, "it has answered a request that was never made")
	}
	response := w.waiting[id]
	if response == nil {
		return false, nil
	}
	delete(w.waiting, id)
	response <- m
	return true, nil
}

// lose gives the wire up, once.
func (w *stdioWire) lose(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason == nil {
		w.reason = err
		close(w.gone)
	}
}

func (w *stdioWire) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}

// close ends the child and its descendants.
func (w *stdioWire) close() {
	w.lose(said(nil, "the connection was closed"))
	w.process.stop()
	w.wg.Wait()
}
