package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Pauses between attempts to reach an upstream that fails again and again. The first failure costs none; after the second
// they double.
const (
	MinBackoff = 250 * time.Millisecond
	MaxBackoff = 30 * time.Second
)

// stable is how long a session must have lived for its end to count as a first failure.
const stable = 10 * time.Second

// Server is one configured server and the session with it. What it costs is known by the sets that it is in. Its methods are
// safe for concurrent use.
type Server struct {
	Config
	mayAsk   func(server, method string) bool // Nil: nobody is asked.
	version  string
	logger   *slog.Logger
	now      func() time.Time
	pins     Pins
	life     context.Context //nolint:containedctx // Ends with close; work for many callers lives under it.
	end      context.CancelFunc
	wg       sync.WaitGroup
	places   chan struct{} // One in it for each call in flight.
	declined atomic.Int64  // Calls for which there was no place, or a pause.
	started  atomic.Int64  // Sessions.
	process  string        // What the marks of all of them begin with.

	mu         sync.Mutex
	sets       int // That it is in. It ends with the last one.
	current    *session
	connecting *flight[*session]
	connects   breaker.Breaker
	calls      breaker.Breaker
	failure    error // The last one to connect, or to stay so.
	tardy      bool  // The last of its lists that was read to an end came to none.

	watchers      map[*watcher]struct{}
	watched       map[string]bool    // The resources that are listened for.
	unwatch       context.CancelFunc // Ends the listening; nil where there is none.
	ears          map[string]Caller  // Who hears of progress, by the token that we gave the upstream.
	toolShelf     shelf[ToolList]
	resourceShelf shelf[EntryList]
	templateShelf shelf[EntryList]
	promptShelf   shelf[EntryList]
	declaredShelf shelf[Declared]
}

func newServer(s Config, o Options) *Server {
	s.Price, s.ToolPrices = nil, nil // They are the set's; see [Servers].
	u := &Server{
		sets: 1, Config: s, mayAsk: o.MayAsk, version: o.Version, logger: o.Logger, now: o.Now, pins: o.Pins, places: make(chan struct{}, s.MaxCalls),
		process:  newProcess(),
		connects: breaker.Breaker{Rules: breaker.Rules{Failures: 2, Pause: MinBackoff, MaxPause: MaxBackoff}},
		calls:    breaker.Breaker{Rules: s.Breaker},
	}
	u.life, u.end = context.WithCancel(context.Background())
	return u
}

// session gives the live session, or makes one together with everybody else who needs it.
func (u *Server) session(ctx context.Context) (*session, error) {
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
func (u *Server) joinConnecting() (*flight[*session], error) {
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
	pass, wait, ok := u.connects.Allow(u.now())
	if !ok {
		return nil, u.unreachable(u.failure).WithRetryAfter(wait)
	}
	u.connecting = launch(u.life, &u.wg, u.ConnectTimeout, func(ctx context.Context) (*session, error) { return u.connect(ctx, pass) })
	u.connecting.begun = u.now()
	return u.connecting, nil
}

// closed is a channel that is closed.
var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// bury ends what is left of a session that was lost, and counts its end. That a server has forgotten a session is its right.
func (u *Server) bury() {
	if u.current == nil {
		return
	}
	dead := u.current
	u.current = nil
	u.toolShelf.value, u.resourceShelf.value, u.templateShelf.value, u.promptShelf.value, u.declaredShelf.value = nil, nil, nil, nil, nil
	u.wg.Go(dead.wire.close)
	why := dead.lossOf()
	if errors.Is(why, errExpired) || errors.Is(why, errGivenUp) {
		return
	}
	if u.now().Sub(dead.started) >= stable {
		u.connects.Reset()
	}
	u.failure = why
	u.connects.Fail(u.now())
	u.logger.Warn("the connection to an MCP server was lost", "server", u.ID, "error", why)
}

// connect makes a session. It is the work of one flight at a time.
func (u *Server) connect(ctx context.Context, pass breaker.Pass) (*session, error) {
	s, err := u.dial(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.connecting = nil
	if err != nil {
		u.failure = err
		u.connects.Done(pass, breaker.Failed, u.now())
		u.logger.WarnContext(ctx, "an MCP server could not be connected", "server", u.ID, "error", err, "failures", u.connects.Row())
		return nil, err
	}
	u.connects.Done(pass, breaker.Unknown, u.now()) // It has to live for a while to count as good.
	s.mark = u.process + strconv.FormatInt(u.started.Add(1), 10)
	s.started = u.now()
	u.current = s
	return s, nil
}

func (u *Server) dial(ctx context.Context) (*session, error) {
	w, err := u.newWire(ctx)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, w, u.version, u.offered(), u.ConnectTimeout/2)
	if err != nil {
		u.wg.Go(w.close) // A child may take its time to end; who waits for the error need not.
		return nil, err
	}
	if u.Asks && !u.overHTTP() {
		s.tasks = false // What it asks for a task would be asked of the caller of the call that it works on by then.
	}
	return s, nil
}

// offered are the capabilities that an older server is told once for all callers: those that some of them may be asked for. A
// child that has several calls at a time is told of none: it does not say for whom it asks. What callers have as roots no child is told:
// it would take them for those of all.
func (u *Server) offered() json.Value {
	var o rpc.Object
	for _, capability := range rpc.Questions() {
		method := rpc.MethodFor(capability)
		if !u.overHTTP() && (!u.Asks || method == rpc.MethodRoots) || u.mayAsk == nil || !u.mayAsk(u.ID, method) {
			continue
		}
		value := "{}"
		if method == rpc.MethodElicit {
			value = `{"form":{},"url":{}}` // Who can do which of them is seen when he is asked.
		}
		o.Add(capability, []byte(value))
	}
	return o.Bytes()
}

func (u *Server) newWire(ctx context.Context) (wire, error) {
	if u.Card != "" {
		w, err := newCardWire(ctx, u.Config, u.notice)
		if err != nil {
			return nil, err
		}
		return w, nil
	}
	if u.API != nil {
		w, err := newAPIWire(u.Config, u.version)
		if err != nil {
			return nil, err
		}
		return w, nil
	}
	if u.URL != "" {
		return newHTTPWire(u.Config, u.notice), nil
	}
	w, err := newStdioWire(u.Config, u.notice, u.logger, u.now)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// notice hears a notification of the upstream.
func (u *Server) notice(m rpc.Message) {
	if m.Method == rpc.MethodProgress {
		u.progressed(m)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	defer u.publish(m)
	switch m.Method {
	case rpc.MethodListChanged:
		u.toolShelf.forget()
	case rpc.MethodResourcesChanged:
		u.resourceShelf.forget()
		u.templateShelf.forget()
	case rpc.MethodPromptsChanged:
		u.promptShelf.forget()
	}
}

// take has the server go on in one more set. It reports whether it lives: the last set may have ended it.
func (u *Server) take() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sets == 0 {
		return false
	}
	u.sets++
	return true
}

// release ends the server with the last set that it is in.
func (u *Server) release() {
	u.mu.Lock()
	u.sets--
	last := u.sets == 0
	u.mu.Unlock()
	if last {
		u.close()
	}
}

// Closing is closed when the server begins to end.
func (u *Server) Closing() <-chan struct{} { return u.life.Done() }

// close ends the session and everything that works for it.
func (u *Server) close() {
	u.end()
	u.mu.Lock()
	current := u.current
	u.current = nil
	u.mu.Unlock()
	if current != nil {
		current.wire.close()
	}
	if u.Authorizer != nil {
		u.Authorizer.Close()
	}
	u.wg.Wait()
	u.mu.Lock() // A session that came up meanwhile.
	current, u.current = u.current, nil
	u.mu.Unlock()
	if current != nil {
		current.wire.close()
	}
}

// unreachable is the error for an upstream with which there is no session.
func (u *Server) unreachable(err error) *signalbox.Error {
	var known *signalbox.Error
	var w *wireError
	switch {
	case errors.As(err, &known):
		own := *known // Several callers may get it, each with a pause of his own.
		return &own
	case errors.As(err, &w) && w.status != 0:
		return u.turnedDown(w)
	case errors.Is(err, context.Canceled) && u.life.Err() == nil:
		return errCancelled()
	case errors.Is(err, context.DeadlineExceeded):
		return signalbox.Errorf(signalbox.CodeTimeout, "The MCP server %q did not answer in time.", u.ID).
			WithRemedy("Check that the server runs; its timeouts.connect can be raised.").WithCause(err)
	}
	return signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q can not be reached%s.", u.ID, reasonOf(err)).
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
