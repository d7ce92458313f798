package mcp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// stdioWire speaks with a child, one message a line.
type stdioWire struct {
	process  *process
	onNotice func(method string)
	queue    chan []byte // What the writer has to write.
	gone     chan struct{}
	wg       sync.WaitGroup

	mu      sync.Mutex
	last    int64
	waiting map[int64]chan message
	reason  error // Why it is gone.
}

const (
	writeQueue = 64               // Messages that wait for the child to read.
	writeLimit = 10 * time.Second // A child that reads nothing for so long is taken for dead.
)

func newStdioWire(s Server, onNotice func(string), logger *slog.Logger, now func() time.Time) (*stdioWire, error) {
	p, err := start(s, logger, now)
	if err != nil {
		return nil, err
	}
	w := &stdioWire{
		process: p, onNotice: onNotice, queue: make(chan []byte, writeQueue), gone: make(chan struct{}),
		waiting: map[int64]chan message{},
	}
	w.wg.Go(w.write)
	w.wg.Go(w.read)
	return w, nil
}

func (w *stdioWire) lost() <-chan struct{} { return w.gone }
func (w *stdioWire) version(string)        {}

func (w *stdioWire) request(ctx context.Context, method, _ string, params []byte) (json.Value, error) {
	id, response := w.register()
	defer w.forget(id)
	if err := w.send(ctx, encode(id, method, params)); err != nil {
		return nil, err
	}
	select {
	case m := <-response:
		if m.err != nil {
			return nil, m.err
		}
		return m.result, nil
	case <-w.gone:
		return nil, &wireError{err: w.why(), sent: true}
	case <-ctx.Done():
		select {
		case w.queue <- encode(0, methodCancelled, cancelParams(id)):
		default: // The child does not read; it is about to be taken for dead.
		}
		return nil, &wireError{err: context.Cause(ctx), sent: true}
	}
}

func (w *stdioWire) notify(ctx context.Context, method string, params []byte) error {
	return w.send(ctx, encode(0, method, params))
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

func (w *stdioWire) register() (int64, chan message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	response := make(chan message, 1)
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
					err = fmt.Errorf("the server has read nothing for %s", writeLimit)
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
		line, err := readLine(r, MaxMessage)
		if err != nil {
			w.lose(w.process.reason(fmt.Errorf("the server's output has ended: %w", err)))
			return
		}
		if len(line) == 0 {
			continue
		}
		m, err := decode(line)
		if err != nil {
			w.lose(fmt.Errorf("the server wrote something else than a message: %w", err))
			return
		}
		w.dispatch(m)
	}
}

func (w *stdioWire) dispatch(m message) {
	switch {
	case m.method != "" && m.id != nil:
		select {
		case w.queue <- reply(m):
		default: // A child that asks and does not read gets no answer.
		}
	case m.method != "":
		w.onNotice(m.method)
	default:
		w.deliver(m)
	}
}

// deliver hands a response to who waits for it. One that nobody waits for any more is dropped.
func (w *stdioWire) deliver(m message) {
	id, err := strconv.ParseInt(string(m.id), 10, 64)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if response := w.waiting[id]; response != nil {
		delete(w.waiting, id)
		response <- m
	}
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
	w.lose(errors.New("the connection was closed"))
	w.process.stop()
	w.wg.Wait()
}
