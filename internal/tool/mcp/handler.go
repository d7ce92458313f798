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

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
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
	endpoints   map[string]http.Handler
	crossOrigin *http.CrossOriginProtection
}

// NewHandler makes the handler: requests come in by the door, and calls go to next, the first station.
func NewHandler(servers *Servers, door Door, next call.Handler, version string, logger *slog.Logger) *Handler {
	h := &Handler{
		servers: servers, door: door, next: next, logger: logger,
		endpoints: map[string]http.Handler{}, crossOrigin: http.NewCrossOriginProtection(),
	}
	for id, u := range servers.byID {
		h.endpoints[id] = h.endpoint(u, version)
	}
	return h
}

// endpoint makes the SDK's handler for one server. The SDK's own check of the Host header is off: it protects servers
// without authentication from web pages, and breaks those behind a proxy on the same machine.
func (h *Handler) endpoint(u *upstream, version string) http.Handler {
	server := sdk.NewServer(&sdk.Implementation{Name: "signalbox/" + u.ID, Version: version}, &sdk.ServerOptions{
		Logger:       slog.New(slog.DiscardHandler),
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
		SetCacheable: func(_ context.Context, _ sdk.Request, c *sdk.Cacheable) { c.CacheScope = cacheScope },
	})
	server.AddReceivingMiddleware(h.middleware(u))
	return sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true, DisableLocalhostProtection: true, Logger: slog.New(slog.DiscardHandler),
	})
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
	endpoint := h.endpoints[id]
	if r.Method != http.MethodPost && endpoint != nil {
		endpoint.ServeHTTP(w, r) // It says that only POST is allowed.
		return
	}
	h.post(w, r, c, id, endpoint)
}

// post serves one message.
func (h *Handler) post(w http.ResponseWriter, r *http.Request, c *signalbox.Call, id string, endpoint http.Handler) {
	var m request
	if h.door.ReadBody(w, r, c); c.Invalid == nil {
		m, c.Invalid = parseRequest(c.Body)
	}
	c.Tool = &signalbox.ToolRequest{Server: id, Name: m.name, Arguments: m.arguments}
	c.Span = m.span(c.Span)
	setHeaders(w.Header(), c, c.Invalid != nil || m.method == methodCallTool)
	if c.Invalid != nil || (endpoint == nil && m.method == methodCallTool) {
		writeError(w, m.id, c, h.refuse(r.Context(), c))
		return
	}
	if endpoint == nil {
		_, err := h.servers.upstream(id)
		writeError(w, m.id, c, err)
		return
	}
	x := &exchange{call: c, http: r.Context()}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(c.Body)), int64(len(c.Body))
	endpoint.ServeHTTP(&costWriter{ResponseWriter: w, exchange: x}, r)
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
	call *signalbox.Call
	http context.Context //nolint:containedctx // The SDK hides its end from handlers.
	cost atomic.Pointer[signalbox.Money]
}

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
			return h.call(ctx, x)
		}
	}
}

// list answers tools/list.
func (h *Handler) list(ctx context.Context, c *signalbox.Call, u *upstream) (sdk.Result, error) {
	list, err := u.tools(ctx)
	if err != nil {
		h.logger.WarnContext(ctx, "the tools of an MCP server could not be listed", "server", u.ID, "request_id", c.RequestID, "error", err)
		return nil, rpcFailure(c, err)
	}
	return &rawResult{data: list.encode(u.ListTTL)}, nil
}

// call answers tools/call: the stations decide and serve.
func (h *Handler) call(ctx context.Context, x *exchange) (sdk.Result, error) {
	t := call.NewTrack(x.call)
	data, err := h.serve(ctx, t)
	if cost, _ := t.Cost(); cost != nil && len(t.Attempts) > 0 {
		x.cost.Store(cost)
	}
	if err != nil {
		return nil, rpcFailure(x.call, err)
	}
	return &rawResult{data: data}, nil
}

func (h *Handler) serve(ctx context.Context, t *call.Track) ([]byte, error) {
	answer, err := h.next.Serve(ctx, t)
	if err != nil {
		return nil, err
	}
	data, err := read(ctx, answer)
	return data, errors.Join(err, answer.Close())
}

// read reads an answer to its end.
func read(ctx context.Context, answer call.Answer) ([]byte, error) {
	var data []byte
	whole := false
	for {
		part, err := answer.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) && whole:
			return data, nil
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
		data, whole = append(data, part.Data...), part.Terminal
	}
}
