package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// httpWire speaks Streamable HTTP. Every request is a POST of its own; what they share is the session's id.
type httpWire struct {
	url      string
	headers  map[string]string
	auth     Authorizer // Nil: the headers say all.
	client   *http.Client
	onNotice func(rpc.Message)
	ids      atomic.Int64
	gone     chan struct{}
	goneOnce sync.Once

	mu      sync.Mutex
	session string
	spoken  string // The protocol version.
	reason  error  // Why it is gone.
	closed  bool
	wg      sync.WaitGroup // Of what tells the upstream that nobody waits; none begins once it is closed.
}

// MaxHeader is how many bytes of headers an upstream may send.
const MaxHeader = 256 << 10

// maxRetryAfter is the longest pause that an upstream may ask for.
const maxRetryAfter = time.Hour

// closeTimeout bounds the end of a session.
const closeTimeout = 2 * time.Second

// maxIdle is how many connections to one upstream wait for the next call.
const maxIdle = 32

func newHTTPWire(s Config, onNotice func(rpc.Message)) *httpWire {
	return &httpWire{url: s.URL, headers: s.Headers, auth: s.Authorizer, onNotice: onNotice, gone: make(chan struct{}), client: newClient(s)}
}

// newClient makes the HTTP client of one upstream.
func newClient(s Config) *http.Client {
	dialer := &net.Dialer{Timeout: s.ConnectTimeout}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: s.ConnectTimeout,
		MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: MaxHeader,
	}
	// A redirect would carry the configured headers, and the call, to another place than the one configured.
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: noRedirect}
}

func (w *httpWire) lost() <-chan struct{} { return w.gone }

func (w *httpWire) version(v string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoken = v
}

func (w *httpWire) request(ctx context.Context, method, name string, params []byte) (json.Value, error) {
	id := w.ids.Add(1)
	res, err := w.post(ctx, rpc.Encode(id, method, params), method, name)
	if err != nil {
		return nil, w.cancelled(ctx, id, err)
	}
	defer res.Body.Close()
	m, err := w.response(ctx, res, id)
	if err != nil {
		return nil, w.cancelled(ctx, id, &wireError{
			err: err, sent: true, status: failedStatus(res.StatusCode), after: retryAfter(res.Header),
		})
	}
	if m.Err != nil {
		return nil, m.Err
	}
	w.keepSession(res)
	return m.Result, nil
}

func (w *httpWire) notify(ctx context.Context, method string, params []byte) error {
	res, err := w.post(ctx, rpc.Encode(0, method, params), method, "")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if failedStatus(res.StatusCode) != 0 {
		return &wireError{err: fmt.Errorf("the server answered %s with status %d", method, res.StatusCode), status: res.StatusCode, sent: true}
	}
	return nil
}

// post sends one message, with the credential that it needs.
func (w *httpWire) post(ctx context.Context, body []byte, method, name string) (*http.Response, error) {
	return w.authorized(ctx, func(authorization string) (*http.Response, error) {
		return w.send(ctx, body, method, name, authorization)
	})
}

func (w *httpWire) send(ctx context.Context, body []byte, method, name, authorization string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return nil, &wireError{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	w.head(req, method, name)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	sendOnce(req.Header)
	res, err := w.client.Do(req)
	if err != nil {
		var dial *net.OpError
		unsent := errors.As(err, &dial) && dial.Op == "dial"
		if unsent {
			err = said(err, "it takes no connection")
		}
		return nil, &wireError{err: err, sent: !unsent}
	}
	return res, nil
}

// head sets the headers of the configuration, the session and, for modern servers, those that repeat the body.
func (w *httpWire) head(req *http.Request, method, name string) {
	for k, v := range w.headers {
		req.Header.Set(k, v)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session != "" {
		req.Header.Set(rpc.HeaderSession, w.session)
	}
	if w.spoken == "" {
		return
	}
	req.Header.Set(rpc.HeaderVersion, w.spoken)
	if w.spoken >= rpc.ModernVersion && method != "" {
		req.Header.Set(rpc.HeaderMethod, method)
		if name != "" {
			req.Header.Set(rpc.HeaderName, rpc.EncodeName(name))
		}
	}
}

// cancelled tells a legacy server that nobody waits any more; a modern one sees it by the closed stream. The caller does not
// wait until it is told.
func (w *httpWire) cancelled(ctx context.Context, id int64, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil && w.spoken < rpc.ModernVersion && !w.closed {
		w.wg.Go(func() {
			after, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
			defer cancel()
			_ = w.notify(after, rpc.MethodCancelled, cancelParams(id)) // Nobody is left to be told of an error.
		})
	}
	return err
}

func cancelParams(id int64) []byte {
	return fmt.Appendf(nil, `{"requestId":%d,"reason":"the caller is gone or the time is up"}`, id)
}

func (w *httpWire) keepSession(res *http.Response) {
	if id := res.Header.Get(rpc.HeaderSession); id != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.session = id
	}
}

func (w *httpWire) lose(why error) {
	w.goneOnce.Do(func() {
		w.mu.Lock()
		w.reason = why
		w.mu.Unlock()
		close(w.gone)
	})
}

func (w *httpWire) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}

func (w *httpWire) close() {
	w.mu.Lock()
	session := w.session
	w.closed = true
	w.mu.Unlock()
	w.wg.Wait()
	if session != "" && w.stillThere() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if res, err := w.authorized(ctx, func(authorization string) (*http.Response, error) { return w.end(ctx, authorization) }); err == nil {
			res.Body.Close()
		}
	}
	w.lose(said(nil, "the connection was closed"))
	w.client.CloseIdleConnections()
}

// end tells the server that the session is over.
func (w *httpWire) end(ctx context.Context, authorization string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, w.url, nil)
	if err != nil {
		return nil, err
	}
	w.head(req, "", "")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return w.client.Do(req)
}

func (w *httpWire) stillThere() bool {
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}
