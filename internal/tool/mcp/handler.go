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

// Handler serves the MCP endpoints of the servers, at [Pattern] and [JointPattern].
type Handler struct {
	servers     *Servers
	door        Door
	next        call.Handler
	version     string
	logger      *slog.Logger
	crossOrigin *http.CrossOriginProtection

	stopping <-chan struct{} // Closed when streams have to end; nil: never.
	sessions callerSessions
	flights  flights
	stateKey []byte   // Of what callers give back for servers.
	callerOf CallerOf // Nil: who the key says.
	visible  Visible  // Nil: lists show everything.
	permits  Permits  // Nil likewise.
	reaches  Reaches  // Nil likewise.
	tasks    Tasks    // Nil: no call becomes a task.
	waiter   Waiter   // Nil: nothing waits for an approval.
	wait     time.Duration
	waiting  atomic.Int64
}

// NewHandler makes the handler: requests come in by the door, and calls go to next, the first station.
func NewHandler(
	servers *Servers, door Door, next call.Handler, version string, logger *slog.Logger, options ...HandlerOption,
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

// exchange is one HTTP request, its message and its answer.
type exchange struct {
	request
	endpoint endpoint
	call     *signalbox.Call
	response *response

	handler   *Handler
	session   *callerSession // Of a legacy caller who has one; nil for all others.
	rounds    int            // How often the caller was asked.
	permitted json.Value     // What of the caller's capabilities the server of an act may use.
	inputs    inputs         // What the server asked for, and the caller now gives.
}

// modern reports whether the message is one of the newest kind, which names its version.
func (x *exchange) modern() bool { return x.version != "" }

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
	x.endpoint, err = h.servers.endpoint(r.PathValue("server"))
	if r.Method != http.MethodPost && err == nil {
		h.other(w, r, x)
		return
	}
	h.post(w, r, x, err)
}

// other serves what is no message: in a session, GET listens and DELETE ends.
func (h *Handler) other(w http.ResponseWriter, r *http.Request, x *exchange) {
	id := r.Header.Get(headerSession)
	if id == "" || (r.Method != http.MethodGet && r.Method != http.MethodDelete) {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Only POST is served here.", http.StatusMethodNotAllowed)
		return
	}
	s, err := h.sessions.find(id, x.call.Caller, h.servers.now())
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
	case c.Invalid != nil || (nowhere != nil && x.act()):
		x.response.refusal(c, h.refuse(r.Context(), c))
	case unfit != nil:
		x.response.refusal(c, unfit)
	case nowhere != nil:
		x.response.refusal(c, nowhere)
	case x.id == nil || x.method == "":
		h.told(x)
		x.response.accepted()
	case x.method == methodListen && x.modern():
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
	id := r.Header.Get(headerSession)
	if id == "" || x.modern() || x.method == methodInitialize {
		return nil
	}
	var err *signalbox.Error
	x.session, err = h.sessions.find(id, x.call.Caller, h.servers.now())
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
		case x.method == methodDiscover:
			return h.discover(x), nil
		case h.tasks != nil && isTaskMethod(x.method):
			return h.task(ctx, x)
		}
		return nil, unknownMethod(x.method)
	}
	switch x.method {
	case methodInitialize:
		return h.initialize(x)
	case methodSubscribe, methodUnsubscribe:
		return h.subscribeInSession(ctx, x)
	case methodSetLevel:
		return h.setLevel(ctx, x)
	case methodPing:
		return json.Value("{}"), nil
	}
	return nil, unknownMethod(x.method)
}

// told takes a notification of the caller, or his answer to what he was asked.
func (h *Handler) told(x *exchange) {
	switch {
	case x.method == "" && x.session != nil:
		x.session.answered(x.call.Body)
	case x.method == methodCancelled && !x.modern():
		h.flights.cancel(x)
	}
}

// act has the stations decide about a request that acts on a server, and serve it.
func (h *Handler) act(ctx context.Context, x *exchange) (json.Value, error) {
	if err := h.locate(ctx, x); err != nil {
		x.call.Invalid = signalbox.AsError(err)
		return nil, h.refuse(ctx, x.call)
	}
	if err := h.prepare(x); err != nil {
		x.call.Invalid = signalbox.AsError(err)
		return nil, h.refuse(ctx, x.call)
	}
	return h.finish(withExchange(ctx, x), x)
}

// finish has an act served, and hands on what its server asks before.
func (h *Handler) finish(ctx context.Context, x *exchange) (json.Value, error) {
	data, err := h.attend(ctx, x)
	if err != nil {
		return nil, err
	}
	if resultType(data) == typeInputRequired {
		return h.askCaller(ctx, x, data)
	}
	return complete(data)
}

// prepare finds out what the server of an act may ask of the caller, and opens what the caller answers to.
func (h *Handler) prepare(x *exchange) error {
	who, err := h.who(x.call)
	if err != nil {
		x.permitted = noCapabilities
		return nil //nolint:nilerr // The gate will say so, with a record.
	}
	x.permitted = h.clientCapabilities(who, x)
	return h.openInputs(who, x)
}

// declared is what the caller says that he can do: in the message, or when his session began.
func (x *exchange) declared() json.Node {
	if x.session == nil {
		return x.meta.Get(metaCapabilities)
	}
	node, err := json.Parse(x.session.capabilities, json.Limits{})
	if err != nil {
		return json.Node{}
	}
	return node
}

// capabilities are those that the server of an act may use; x may be nil.
func (x *exchange) capabilities() json.Value {
	if x == nil || x.permitted == nil {
		return noCapabilities
	}
	return x.permitted
}

// refuse sends a call that can not be served through the stations, so that its refusal is recorded, and gives the error.
func (h *Handler) refuse(ctx context.Context, c *signalbox.Call) error {
	answer, err := h.next.Serve(ctx, call.NewTrack(c))
	if err != nil {
		return err
	}
	return errors.Join(errors.New("a call that can not be served was served"), answer.Close())
}

func (h *Handler) serve(ctx context.Context, t *call.Track) ([]byte, error) {
	answer, err := h.next.Serve(ctx, t)
	if err != nil {
		return nil, err
	}
	return call.ReadAll(ctx, answer)
}
