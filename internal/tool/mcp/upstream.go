package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Pauses between attempts to reach an upstream that fails again and again. The first failure costs none.
const (
	MinBackoff = 250 * time.Millisecond
	MaxBackoff = 30 * time.Second
)

// stable is how long a session must have lived for its end to count as a first failure.
const stable = 10 * time.Second

// upstream is one configured server and the session with it.
type upstream struct {
	Server
	version string
	logger  *slog.Logger
	now     func() time.Time
	life    context.Context //nolint:containedctx // Ends with close; work for many callers lives under it.
	end     context.CancelFunc
	wg      sync.WaitGroup

	mu         sync.Mutex
	current    *session
	connecting *flight[*session]
	failures   int
	retryAt    time.Time
	failure    error // The last one.
	list       *toolList
	listing    *flight[*toolList]
	epoch      int // Grows when the upstream says that its tools have changed.
}

func newUpstream(s Server, o Options) *upstream {
	u := &upstream{Server: s, version: o.Version, logger: o.Logger, now: o.Now}
	u.life, u.end = context.WithCancel(context.Background())
	return u
}

// session gives the live session, or makes one together with everybody else who needs it.
func (u *upstream) session(ctx context.Context) (*session, error) {
	f, err := u.joinConnecting()
	if err != nil {
		return nil, err
	}
	s, err := f.wait(ctx)
	if err != nil {
		return nil, u.unreachable(err)
	}
	return s, nil
}

// joinConnecting gives the attempt to connect that is under way, or starts one.
func (u *upstream) joinConnecting() (*flight[*session], error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.life.Err() != nil {
		return nil, errClosed(u.ID)
	}
	if u.current != nil && u.current.alive() {
		return &flight[*session]{done: closed, value: u.current}, nil
	}
	if u.connecting != nil {
		return u.connecting, nil
	}
	u.bury()
	if wait := u.retryAt.Sub(u.now()); wait > 0 {
		return nil, u.unreachable(u.failure).WithRetryAfter(wait)
	}
	u.connecting = launch(u.life, &u.wg, u.ConnectTimeout, u.connect)
	return u.connecting, nil
}

// closed is a channel that is closed.
var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// bury ends what is left of a session that was lost, and counts its end.
func (u *upstream) bury() {
	if u.current == nil {
		return
	}
	dead := u.current
	u.current, u.list = nil, nil
	u.wg.Go(dead.wire.close)
	if u.now().Sub(dead.started) >= stable {
		u.failures = 0
	}
	u.failed(errors.New("the connection was lost"))
}

// failed counts a failure and sets when the next attempt may be.
func (u *upstream) failed(err error) {
	u.failures++
	u.failure = err
	u.retryAt = u.now().Add(backoff(u.failures))
}

// backoff is the pause after the n-th failure in a row.
func backoff(n int) time.Duration {
	if n < 2 {
		return 0
	}
	return min(MaxBackoff, MinBackoff<<min(n-2, 10))
}

// connect makes a session. It is the work of one flight at a time.
func (u *upstream) connect(ctx context.Context) (*session, error) {
	s, err := u.dial(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.connecting = nil
	if err != nil {
		u.failed(err)
		u.logger.WarnContext(ctx, "an MCP server could not be connected", "server", u.ID, "error", err, "failures", u.failures)
		return nil, err
	}
	s.started = u.now()
	u.current = s
	return s, nil
}

func (u *upstream) dial(ctx context.Context) (*session, error) {
	w, err := u.newWire()
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, w, u.version, u.ConnectTimeout/2)
	if err != nil {
		u.wg.Go(w.close) // A child may take its time to end; who waits for the error need not.
		return nil, err
	}
	return s, nil
}

func (u *upstream) newWire() (wire, error) {
	if u.URL != "" {
		return newHTTPWire(u.Server, u.notice), nil
	}
	w, err := newStdioWire(u.Server, u.notice, u.logger, u.now)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// notice hears a notification of the upstream.
func (u *upstream) notice(method string) {
	if method != methodListChanged {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.epoch++
	u.list = nil
}

// close ends the session and everything that works for it.
func (u *upstream) close() {
	u.end()
	u.mu.Lock()
	current := u.current
	u.current = nil
	u.mu.Unlock()
	if current != nil {
		current.wire.close()
	}
	u.wg.Wait()
	u.mu.Lock() // A session that came up meanwhile.
	current, u.current = u.current, nil
	u.mu.Unlock()
	if current != nil {
		current.wire.close()
	}
}

// call sends one request in a live session.
func (u *upstream) call(ctx context.Context, method, name string, params func(*session) []byte) (json.Value, error) {
	s, err := u.session(ctx)
	if err != nil {
		return nil, err
	}
	return s.wire.request(ctx, method, name, params(s))
}

// unreachable is the error for an upstream with which there is no session.
func (u *upstream) unreachable(err error) *signalbox.Error {
	var known *signalbox.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled) && u.life.Err() == nil:
		return errCancelled()
	case errors.Is(err, context.DeadlineExceeded):
		return signalbox.Errorf(signalbox.CodeTimeout, "The MCP server %q did not answer in time.", u.ID).
			WithRemedy("Check that the server runs; its connect_timeout can be raised.").WithCause(err)
	}
	return signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q can not be reached.", u.ID).
		WithRemedy("Check that the server runs; Signalbox tries again at the next call.").
		WithCause(fmt.Errorf("connect MCP server %s: %w", u.ID, err))
}

func errClosed(id string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnavailable, "Signalbox is stopping and no longer uses the MCP server %q.", id).
		WithRemedy("Retry when it has started again.")
}

func errCancelled() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeCancelled, "The caller went away.").WithRemedy("Nothing; nobody reads this.")
}
