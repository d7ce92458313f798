package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/mirror"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// Where the handler belongs in an http.ServeMux.
const (
	Pattern      = "/mcp/{server}" // One server, as it is.
	JointPattern = "/mcp"          // All servers, with joint names.
)

// Door lets requests in. Its methods are safe for concurrent use.
type Door interface {
	// Admit makes a call of a request's head. The call is never nil. An error means that there is no valid key; a call
	// with its Invalid set must be served all the same, so that the refusal is recorded.
	Admit(w http.ResponseWriter, r *http.Request, kind signalbox.Kind, protocol signalbox.Protocol) (*signalbox.Call, error)
	// ReadBody reads the body into the call, or sets the call's Invalid.
	ReadBody(w http.ResponseWriter, r *http.Request, c *signalbox.Call)
}

// Servers gives the servers to serve. It is safe for concurrent use.
type Servers interface {
	// Current gives the set in force, never nil. A request that has begun stays with the one that it was given.
	Current() *upstream.Servers
}

// Handler serves the MCP endpoints of the servers, at [Pattern] and [JointPattern].
type Handler struct {
	servers     Servers
	door        Door
	next        call.Handler
	version     string
	logger      *slog.Logger
	crossOrigin *http.CrossOriginProtection

	sessions callerSessions
	flights  flights
	judged   judged
	waiting  atomic.Int64 // Calls that wait for an approval.

	stopping <-chan struct{} // Closed when streams have to end; nil: never.
	stateKey []byte          // Of what callers give back for servers.
	callerOf CallerOf        // Nil: who the key says.
	visible  Visible         // Nil: lists show everything.
	permits  Permits         // Nil likewise.
	reaches  Reaches         // Nil likewise.
	concerns Reaches         // Nil: joint lists ask all servers.
	held     *Held           // Nil: modern callers are asked nothing while a server works for them.
	servesTo ServesTo        // Nil: all servers exist for all tenants.
	tasks    Tasks           // Nil: no call becomes a task.
	guards   Guards          // Nil: nobody looks at what tasks come to.
	waiter   Waiter          // Nil: nothing waits for an approval.
	wait     time.Duration
}

// NewHandler makes the handler: requests come in by the door, and calls go to next, the first station.
func NewHandler(
	servers Servers, door Door, next call.Handler, version string, logger *slog.Logger, options ...HandlerOption,
) *Handler {
	h := &Handler{
		servers: servers, door: door, next: next, version: version, logger: logger, crossOrigin: http.NewCrossOriginProtection(),
		stateKey: newStateKey(),
	}
	for _, set := range options {
		set(h)
	}
	return h
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := h.door.Admit(w, r, signalbox.KindTool, signalbox.ProtocolMCP)
	setHeaders(w.Header(), c, false)
	x := &exchange{call: c, response: &response{w: w}, handler: h}
	if err != nil {
		x.response.refusal(c, err)
		return
	}
	if err := errors.Join(h.crossOrigin.Check(r), rebound(r)); err != nil {
		x.response.refusal(c, signalbox.Errorf(signalbox.CodeForbidden, "The request comes from a web page of another origin.").
			WithField("Origin").WithRemedy("Call from a program instead of a web page.").WithCause(err))
		return
	}
	defer h.recovered(r.Context(), x)
	x.endpoint, err = h.endpoint(r.PathValue("server"), x.call.Caller.Tenant)
	if r.Method != http.MethodPost && err == nil {
		h.other(w, r, x)
		return
	}
	h.post(w, r, x, err)
}

// other serves what is no message: in a session, GET listens and DELETE ends.
func (h *Handler) other(w http.ResponseWriter, r *http.Request, x *exchange) {
	id := r.Header.Get(rpc.HeaderSession)
	if id == "" || (r.Method != http.MethodGet && r.Method != http.MethodDelete) {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Only POST is served here.", http.StatusMethodNotAllowed)
		return
	}
	s, err := h.sessions.find(id, x.call.Caller, h.servers.Current().Now())
	switch {
	case err != nil:
		x.response.refusal(x.call, err)
	case r.Method == http.MethodDelete:
		h.sessions.end(id)
		w.WriteHeader(http.StatusNoContent)
	default:
		x.session = s
		h.listenInSession(r.Context(), x)
	}
}

// recovered answers for a panic, which would else break the connection without a word.
func (h *Handler) recovered(ctx context.Context, x *exchange) {
	if p := recover(); p != nil {
		h.logger.ErrorContext(ctx, "a request panicked", "call", x.call.ID, "panic", p)
		x.response.failure(x.call, fmt.Errorf("panic: %v", p), x.modern())
	}
}

// post serves one message. Nowhere is set where the path names no server.
func (h *Handler) post(w http.ResponseWriter, r *http.Request, x *exchange, nowhere error) {
	c := x.call
	if h.door.ReadBody(w, r, c); c.Invalid == nil {
		x.request, c.Invalid = parseRequest(c.Body)
		x.response.id = x.id
	}
	var unfit *signalbox.Error // Of what HTTP says of the message.
	if c.Invalid == nil {
		if unfit = h.fit(r, x); x.act() {
			c.Invalid = unfit
		}
	}
	c.Span = x.span(c.Span)
	c.Tool = &signalbox.ToolRequest{Server: r.PathValue("server"), Name: x.toolName(), Arguments: x.arguments}
	setHeaders(w.Header(), c, c.Invalid != nil || x.act())
	switch {
	case c.Invalid != nil:
		x.response.refusal(c, h.refuse(r.Context(), c))
	case nowhere != nil && x.act():
		c.Invalid = signalbox.AsError(nowhere) // Whatever the stations would find now, by a configuration that is newer.
		x.response.refusal(c, h.refuse(r.Context(), c))
	case unfit != nil:
		x.response.refusal(c, unfit)
	case nowhere != nil:
		x.response.refusal(c, nowhere)
	case x.id == nil || x.method == "":
		h.told(x)
		x.response.accepted()
	case x.method == rpc.MethodListen && x.modern():
		h.subscribe(r.Context(), x)
	default:
		ctx, done := h.flights.begin(r.Context(), x)
		defer done()
		result, err := h.answer(ctx, x)
		if err != nil {
			x.response.failure(x.call, err, x.modern())
			return
		}
		x.response.result(result)
	}
}

// fit checks what HTTP says of a message, and finds the session that it names.
func (h *Handler) fit(r *http.Request, x *exchange) *signalbox.Error {
	if err := x.checkHead(r.Header); err != nil {
		return err
	}
	if err := x.readKey(r.Header); err != nil {
		return err
	}
	if x.modern() {
		x.mirrored = mirror.Others(nil, r.Header)
	}
	id := r.Header.Get(rpc.HeaderSession)
	if id == "" || x.modern() || x.method == rpc.MethodInitialize {
		return nil
	}
	var err *signalbox.Error
	x.session, err = h.sessions.find(id, x.call.Caller, h.servers.Current().Now())
	return err
}

// answer gives the result of a request.
func (h *Handler) answer(ctx context.Context, x *exchange) (json.Value, error) {
	if x.act() {
		return h.act(ctx, x)
	}
	if list, ok := listKinds[x.method]; ok {
		return h.list(ctx, x, list)
	}
	if x.modern() {
		switch {
		case x.method == rpc.MethodDiscover:
			return h.discover(ctx, x), nil
		case h.tasks != nil && isTaskMethod(x.method):
			return h.task(ctx, x)
		}
		return nil, unknownMethod(x.method)
	}
	if h.tasks != nil && isLegacyTaskMethod(x.method) {
		return h.legacyTask(ctx, x)
	}
	switch x.method {
	case rpc.MethodInitialize:
		return h.initialize(ctx, x)
	case rpc.MethodSubscribe, rpc.MethodUnsubscribe:
		return h.subscribeInSession(ctx, x)
	case rpc.MethodSetLevel:
		return h.setLevel(ctx, x)
	case rpc.MethodPing:
		return json.Value("{}"), nil
	}
	return nil, unknownMethod(x.method)
}

// told takes a notification of the caller, or his answer to what he was asked.
func (h *Handler) told(x *exchange) {
	switch {
	case x.method == "" && x.session != nil:
		x.session.answered(x.call.Body)
	case x.method == rpc.MethodCancelled && !x.modern():
		h.flights.cancel(x)
	}
}
