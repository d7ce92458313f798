package held

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds.
const (
	For          = 10 * time.Minute // How long a caller has to come back with an answer.
	MaxPerKey    = 16               // Held calls of one key.
	MaxQuestions = 16               // Open questions of one call.
)

// Owner says whose a call is, and what it uses while it is held.
type Owner struct {
	Tenant string
	Key    string
	Server string
	Places int // Of the server's calls in flight. Half of them may be held, and at least one.
}

// Question is what a call wants to know of its caller.
type Question struct {
	Key    string // By which its answer is known; unique within the call.
	Method string
	Params json.Value
}

// Calls are those of one process. T is who can listen to a call. They are safe for concurrent use.
type Calls[T any] struct {
	holder string
	wg     sync.WaitGroup

	mu       sync.Mutex
	byID     map[string]*Call[T] // Those that have asked something.
	byServer map[string]int      // How many of them are held.
	byKey    map[[2]string]int
	occupied map[string]int // What calls that end with their requests wait for, by the call.
	closed   bool
}

// New makes the calls of this process.
func New[T any]() *Calls[T] {
	return &Calls[T]{holder: random(8), byID: map[string]*Call[T]{}, byServer: map[string]int{}, byKey: map[[2]string]int{}, occupied: map[string]int{}}
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Begin begins a call, on behalf of first. It lives in a context with the values of ctx, and without its end: who waits ends it by
// leaving. Run must not panic.
func (h *Calls[T]) Begin(ctx context.Context, o Owner, first *T, run func(context.Context, *Call[T]) (json.Value, error)) *Call[T] {
	c := &Call[T]{calls: h, owner: o, first: first, done: make(chan struct{}), asked: make(chan struct{}, 1)}
	ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		c.err = errStopping()
		c.cancel(c.err)
		close(c.done)
		return c
	}
	h.wg.Go(func() {
		defer c.cancel(nil)
		c.ended(run(ctx, c))
	})
	return c
}

// Held gives how many calls are held, by server.
func (h *Calls[T]) Held() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.byServer)
}

// Resume takes up the call of a ticket. Pick is given the open questions and finds the answers to them, by their keys; it must
// not block. Its error is given back, and leaves everything as it was. Who has got the call waits for it at once. The error is
// conflict where another process holds the call, the ticket was used or the call is over.
func (h *Calls[T]) Resume(ticket string, pick func([]Question) (map[string]json.Value, error)) (*Call[T], error) {
	holder, rest, _ := strings.Cut(ticket, ".")
	id, turn, _ := strings.Cut(rest, ".")
	if holder != h.holder {
		return nil, errElsewhere()
	}
	h.mu.Lock()
	c := h.byID[id]
	h.mu.Unlock()
	if c == nil {
		return nil, errOver()
	}
	return c, c.resume(turn, pick)
}

// Close cancels all calls that are held, refuses all further questions, and waits until no call is left, or for the context.
func (h *Calls[T]) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	var all []*Call[T]
	for _, c := range h.byID {
		all = append(all, c)
	}
	h.mu.Unlock()
	for _, c := range all {
		c.stop(errStopped())
	}
	over := make(chan struct{})
	go func() { // It ends with the last call, also where nobody waits for it any more.
		h.wg.Wait()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *Calls[T]) closing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// take makes place for a held call, and makes it known.
func (h *Calls[T]) take(c *Call[T]) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.enter(c.owner); err != nil {
		return err
	}
	if c.id == "" {
		c.id = random(16)
	}
	h.byID[c.id] = c
	return nil
}

// enter counts one more of an owner's, if there is room for it. The mutex is held.
func (h *Calls[T]) enter(o Owner) error {
	key := [2]string{o.Tenant, o.Key}
	switch {
	case h.closed:
		return errStopping()
	case h.byKey[key] >= MaxPerKey, h.byServer[o.Server] >= max(1, o.Places/2):
		return errFull()
	}
	h.byKey[key]++
	h.byServer[o.Server]++
	return nil
}

// Occupy takes the place that a held call would have, for one that waits and ends with its request. However much the same call
// waits for at once, it takes one. Release gives it back, once. The error is unavailable where there is none.
func (h *Calls[T]) Occupy(o Owner, call string) (release func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.occupied[call] == 0 {
		if err := h.enter(o); err != nil {
			return nil, err
		}
	}
	h.occupied[call]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if lower(h.occupied, call); h.occupied[call] == 0 {
			h.leave(o)
		}
	}, nil
}

// leave is the end of enter. The mutex is held.
func (h *Calls[T]) leave(o Owner) {
	lower(h.byKey, [2]string{o.Tenant, o.Key})
	lower(h.byServer, o.Server)
}

// release gives the place of a call back.
func (h *Calls[T]) release(c *Call[T]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leave(c.owner)
}

func lower[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

func (h *Calls[T]) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byID, id)
}

func (h *Calls[T]) ticket(c *Call[T]) string {
	return h.holder + "." + c.id + "." + strconv.Itoa(c.turn)
}

const anew = "Make the request again without requestState and inputResponses to begin anew. The tool may have acted already: see the record of the first call."

func errElsewhere() error {
	return signalbox.Errorf(signalbox.CodeConflict, "The call that this answers is not held by this process of Signalbox: by another one, or by one that has ended.").
		WithField("params.requestState").WithRemedy("Send it again, so that it reaches the process that has asked. " + anew)
}

func errOver() error {
	return signalbox.Errorf(signalbox.CodeConflict, "The call that this answers is over: it was answered, or given up after %s.", For).
		WithField("params.requestState").WithRemedy(anew)
}

func errUsed() error {
	return signalbox.Errorf(signalbox.CodeConflict, "The requestState was used already.").
		WithField("params.requestState").WithRemedy("Use the state of the last answer, each once. " + anew)
}

func errFull() error {
	return signalbox.Errorf(signalbox.CodeUnavailable, "Too many calls wait for their callers to answer, or for tasks to end.").
		WithRemedy("Answer what was asked before; ask again in a moment for what a task came to.")
}

func errStopping() error {
	return signalbox.Errorf(signalbox.CodeUnavailable, "Signalbox is stopping, and asks nobody anything.").
		WithRemedy("Retry when it has started again.")
}

func errStopped() error {
	return signalbox.Errorf(signalbox.CodeCancelled, "Signalbox has stopped while the caller was asked for something.").
		WithRemedy("Make the call again; the tool may have acted.")
}

func errExpired() error {
	return signalbox.Errorf(signalbox.CodeCancelled, "The caller was asked for something, and did not come back within %s.", For).
		WithRemedy("Make the call again; the tool may have acted.")
}
