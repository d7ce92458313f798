package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/openapi"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// apiWire stands before an HTTP API that an OpenAPI document describes, and answers as a modern server would. It lists
// from the document; a call is one request. There is no session: an API that is down fails the calls that need it.
type apiWire struct {
	api      *openapi.API
	base     *url.URL
	headers  map[string]string
	auth     Authorizer // Nil: the headers say all.
	agent    string     // Our name in requests.
	keys     bool       // Requests that are not repeated by nature carry what stands for the call's idempotency key.
	client   *http.Client
	gone     chan struct{}
	goneOnce sync.Once
}

func newAPIWire(s Config, version string) (*apiWire, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return nil, errors.New("the url is not valid") // Its text may hold a secret.
	}
	return &apiWire{
		api: s.API, base: base, headers: s.Headers, auth: s.Authorizer, agent: "signalbox/" + version, keys: s.IdempotencyHeader, client: newClient(s), gone: make(chan struct{}),
	}, nil
}

func (w *apiWire) version(string)                               {}
func (w *apiWire) notify(context.Context, string, []byte) error { return nil }
func (w *apiWire) lost() <-chan struct{}                        { return w.gone }

func (w *apiWire) close() {
	w.goneOnce.Do(func() { close(w.gone) })
	w.client.CloseIdleConnections()
}

// request answers what the document knows, and sends calls.
func (w *apiWire) request(ctx context.Context, method, name string, params []byte) (json.Value, error) {
	switch method {
	case rpc.MethodDiscover:
		return json.Value(`{"supportedVersions":["` + rpc.ModernVersion + `"],"capabilities":{"tools":{}}}`), nil
	case rpc.MethodListTools:
		return w.api.List(), nil
	case rpc.MethodCallTool:
		return w.call(ctx, name, params)
	}
	return nil, &rpc.Error{Code: rpc.CodeMethodNotFound, Message: "method not found"}
}

// call makes the request of a tools/call and waits for the answer.
func (w *apiWire) call(ctx context.Context, name string, params []byte) (json.Value, error) {
	tool := w.api.Tool(name)
	if tool == nil {
		return nil, &rpc.Error{Code: rpc.CodeInvalidParams, Message: "no such tool"}
	}
	members, err := json.Object(params)
	if err != nil {
		return nil, err
	}
	arguments := members.Get("arguments").Bytes()
	req, err := tool.Request(ctx, w.base, arguments)
	if err != nil {
		return nil, err
	}
	w.head(req, members.Get("_meta"))
	res, err := w.send(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, openapi.MaxAnswer+1))
	switch failed := failedStatus(res.StatusCode) != 0; {
	case err != nil:
		return nil, &wireError{err: fmt.Errorf("the answer broke off: %w", err), sent: true, status: failedStatus(res.StatusCode)}
	case len(body) > openapi.MaxAnswer && !failed:
		return nil, &wireError{err: fmt.Errorf("the answer is larger than %d bytes", openapi.MaxAnswer), sent: true}
	}
	return tool.Result(res.StatusCode, res.Header, body), nil
}

// send sends the request, once. A credential that the API refuses is renewed for the next call, not for this one: what an
// API has done before it answers 401 is not known here.
func (w *apiWire) send(req *http.Request) (*http.Response, error) {
	c, _ := req.Context().Value(behalfKey{}).(*signalbox.Call)
	authorization := ""
	if w.auth != nil {
		var err error
		if authorization, err = w.auth.Authorization(req.Context(), c); err != nil {
			return nil, err
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, unsent(err)
	}
	if w.auth != nil && res.StatusCode == http.StatusUnauthorized {
		w.auth.Refused(authorization, c)
	}
	return res, nil
}

// head adds what is configured, the trace, and what stands for the call's idempotency key. Nothing of what the caller sent
// to us is among it.
func (w *apiWire) head(req *http.Request, meta json.Node) {
	req.Header.Set("User-Agent", w.agent)
	carried := map[string]string{"traceparent": "traceparent", "tracestate": "tracestate"}
	if w.keys && (req.Method == http.MethodPost || req.Method == http.MethodPatch) {
		carried[rpc.HeaderIdempotency] = rpc.MetaIdempotency
	}
	members, err := meta.Object()
	for name, member := range carried {
		if value, textErr := members.Get(member).Text(); err == nil && textErr == nil {
			req.Header.Set(name, value)
		}
	}
	for name, value := range w.headers {
		req.Header.Set(name, value)
	}
}

// unsent is the error of a request without an answer.
func unsent(err error) *wireError {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err // Without the address, whose query may be secret.
	}
	return sendError(err)
}
