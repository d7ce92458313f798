package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Pattern is where the handler belongs in an http.ServeMux.
const Pattern = "/mcp/{server}"

// Door lets requests in. Its methods are safe for concurrent use.
type Door interface {
	// Admit makes a call of a request's head. The call is never nil. An error means that there is no valid key; a call
	// with its Invalid set must be served all the same, so that the refusal is recorded.
	Admit(w http.ResponseWriter, r *http.Request, kind signalbox.Kind, protocol signalbox.Protocol) (*signalbox.Call, error)
	// ReadBody reads the body into the call, or sets the call's Invalid.
	ReadBody(w http.ResponseWriter, r *http.Request, c *signalbox.Call)
}

// Handler serves the MCP endpoints of the servers, at [Pattern].
type Handler struct {
	servers     *Servers
	door        Door
	next        call.Handler
	logger      *slog.Logger
	endpoints   map[string]endpoint
	crossOrigin *http.CrossOriginProtection

	callerOf CallerOf // Nil: who the key says.
	visible  Visible  // Nil: lists show everything.
	tasks    Tasks    // Nil: no call becomes a task.
	waiter   Waiter   // Nil: nothing waits for an approval.
	wait     time.Duration
	waiting  atomic.Int64
}

// endpoint is the SDK's handler for one server, in two forms: one answers with a JSON message, the other with a stream of
// events, which can carry progress before the answer.
type endpoint struct{ unary, stream http.Handler }

// NewHandler makes the handler: requests come in by the door, and calls go to next, the first station.
func NewHandler(
	servers *Servers, door Door, next call.Handler, version string, logger *slog.Logger, options ...HandlerOption,
) *Handler {
	h := &Handler{
		servers: servers, door: door, next: next, logger: logger,
		endpoints: map[string]endpoint{}, crossOrigin: http.NewCrossOriginProtection(),
	}
	for _, set := range options {
		set(h)
	}
	for id, u := range servers.byID {
		h.endpoints[id] = h.endpoint(u, version)
	}
	return h
}

// endpoint makes the SDK's handlers for one server. The SDK's own check of the Host header is off: it protects servers
// without authentication from web pages, and breaks those behind a proxy on the same machine.
func (h *Handler) endpoint(u *upstream, version string) endpoint {
	capabilities := &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}}
	if h.tasks != nil {
		capabilities.AddExtension(ExtensionTasks, nil)
	}
	server := sdk.NewServer(&sdk.Implementation{Name: "signalbox/" + u.ID, Version: version}, &sdk.ServerOptions{
		Logger:       slog.New(slog.DiscardHandler),
		Capabilities: capabilities,
		SetCacheable: func(_ context.Context, _ sdk.Request, c *sdk.Cacheable) { c.CacheScope = cacheScope },
	})
	server.AddReceivingMiddleware(h.middleware(u))
	handler := func(unary bool) http.Handler {
		return sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{
			Stateless: true, JSONResponse: unary, DisableLocalhostProtection: true, Logger: slog.New(slog.DiscardHandler),
		})
	}
	return endpoint{unary: handler(true), stream: handler(false)}
}

// form gives the form of the endpoint that the message wants. Only a call that may wait has progress to tell.
func (h *Handler) form(e endpoint, m request) http.Handler {
	if m.method == methodCallTool && m.progress != nil && h.waiter != nil && !h.becomesTask(m) {
		return e.stream
	}
	return e.unary
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := h.door.Admit(w, r, signalbox.KindTool, signalbox.ProtocolMCP)
	setHeaders(w.Header(), c, false)
	if err != nil {
		writeError(w, nil, c, err)
		return
	}
	if err := h.crossOrigin.Check(r); err != nil {
		writeError(w, nil, c, signalbox.Errorf(signalbox.CodeForbidden, "The request comes from a web page of another origin.").
			WithField("Origin").WithRemedy("Call from a program instead of a web page.").WithCause(err))
		return
	}
	id := r.PathValue("server")
	endpoint, known := h.endpoints[id]
	if r.Method != http.MethodPost && known {
		endpoint.unary.ServeHTTP(w, r) // It says that only POST is allowed.
		return
	}
	h.post(w, r, c, id)
}

// post serves one message.
func (h *Handler) post(w http.ResponseWriter, r *http.Request, c *signalbox.Call, id string) {
	var m request
	if h.door.ReadBody(w, r, c); c.Invalid == nil {
		m, c.Invalid = parseRequest(c.Body)
	}
	c.Tool = &signalbox.ToolRequest{Server: id, Name: m.name, Arguments: m.arguments}
	c.Span = m.span(c.Span)
	setHeaders(w.Header(), c, c.Invalid != nil || m.method == methodCallTool)
	endpoint, known := h.endpoints[id]
	switch {
	case c.Invalid != nil || (!known && m.method == methodCallTool):
		writeError(w, m.id, c, h.refuse(r.Context(), c))
	case !known:
		_, err := h.servers.upstream(id)
		writeError(w, m.id, c, err)
	case h.aboutTask(r, m):
		h.task(w, r, c, m, id)
	default:
		h.hand(w, r, c, m, endpoint)
	}
}

// hand hands a message to the SDK. A call that the SDK refused by itself, such as one whose headers contradict its body,
// goes to the stations as a refused one, so that it is in the log.
func (h *Handler) hand(w http.ResponseWriter, r *http.Request, c *signalbox.Call, m request, e endpoint) {
	x := &exchange{call: c, http: r.Context(), progress: m.progress, task: h.becomesTask(m)}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(c.Body)), int64(len(c.Body))
	w.Header().Set("X-Accel-Buffering", "no") // Progress is of no use when it comes with the answer.
	h.form(e, m).ServeHTTP(&headWriter{ResponseWriter: w, exchange: x}, r)
	if m.method != methodCallTool || !x.begin() {
		return
	}
	if c.Invalid = errCancelled(); r.Context().Err() == nil {
		c.Invalid = invalid("", errors.New("its headers or parameters are none that the protocol allows"))
	}
	if err := h.refuse(context.WithoutCancel(r.Context()), c); !errors.Is(err, c.Invalid) {
		h.logger.WarnContext(r.Context(), "a call that the SDK refused was not refused by the stations", "call", c.ID, "error", err)
	}
}

// refuse sends a call that can not be served through the stations, so that its refusal is recorded, and gives the error.
func (h *Handler) refuse(ctx context.Context, c *signalbox.Call) error {
	answer, err := h.next.Serve(ctx, call.NewTrack(c))
	if err != nil {
		return err
	}
	return errors.Join(errors.New("a call that can not be served was served"), answer.Close())
}

// exchange is what belongs to one HTTP request while the SDK handles its message.
type exchange struct {
	call     *signalbox.Call
	http     context.Context //nolint:containedctx // The SDK hides its end from handlers.
	progress json.Value      // As in the request.
	task     bool            // The caller knows tasks: his call becomes one rather than that it waits.
	begun    atomic.Bool     // The call is before the stations, or was.
	said     atomic.Pointer[headline]
}

// begin reports whether the call may go to the stations: once.
func (x *exchange) begin() bool { return x.begun.CompareAndSwap(false, true) }

type exchangeKey struct{}

// middleware answers the methods about tools, and leaves the others to the SDK.
func (h *Handler) middleware(u *upstream) sdk.Middleware {
	return func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, req sdk.Request) (res sdk.Result, err error) {
			x, ok := ctx.Value(exchangeKey{}).(*exchange)
			if !ok || (method != methodListTools && method != methodCallTool) {
				return next(ctx, method, req)
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			stop := context.AfterFunc(x.http, cancel)
			defer stop()
			defer func() {
				if p := recover(); p != nil { // This goroutine is the SDK's, which would let the process die.
					res, err = nil, rpcFailure(x.call, fmt.Errorf("panic: %v", p))
					h.logger.ErrorContext(ctx, "a call panicked", "call", x.call.ID, "panic", p)
				}
			}()
			if method == methodListTools {
				return h.list(ctx, x.call, u)
			}
			if !x.begin() {
				return nil, rpcFailure(x.call, errCancelled())
			}
			return h.call(ctx, x, req)
		}
	}
}

func (h *Handler) serve(ctx context.Context, t *call.Track) ([]byte, error) {
	answer, err := h.next.Serve(ctx, t)
	if err != nil {
		return nil, err
	}
	return call.ReadAll(ctx, answer)
}
