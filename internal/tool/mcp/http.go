package mcp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// httpWire speaks Streamable HTTP. Every request is a POST of its own; what they share is the session's id.
type httpWire struct {
	url      string
	headers  map[string]string
	client   *http.Client
	onNotice func(method string)
	ids      atomic.Int64
	gone     chan struct{}
	goneOnce sync.Once

	mu      sync.Mutex
	session string
	spoken  string // The protocol version.
}

// closeTimeout bounds the end of a session.
const closeTimeout = 2 * time.Second

// maxIdle is how many connections to one upstream wait for the next call.
const maxIdle = 32

func newHTTPWire(s Server, onNotice func(string)) *httpWire {
	dialer := &net.Dialer{Timeout: s.ConnectTimeout}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: s.ConnectTimeout,
		MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	// A redirect would carry the configured headers, and the call, to another place than the one configured.
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &httpWire{
		url: s.URL, headers: s.Headers, onNotice: onNotice, gone: make(chan struct{}),
		client: &http.Client{Transport: transport, CheckRedirect: noRedirect},
	}
}

func (w *httpWire) lost() <-chan struct{} { return w.gone }

func (w *httpWire) version(v string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoken = v
}

func (w *httpWire) request(ctx context.Context, method, name string, params []byte) (json.Value, error) {
	id := w.ids.Add(1)
	res, err := w.post(ctx, encode(id, method, params), method, name)
	if err != nil {
		return nil, w.cancelled(ctx, id, err)
	}
	defer res.Body.Close()
	m, err := w.response(ctx, res, id)
	if err != nil {
		return nil, w.cancelled(ctx, id, &wireError{err: err, sent: true, status: failedStatus(res.StatusCode)})
	}
	if m.err != nil {
		return nil, m.err
	}
	w.keepSession(res)
	return m.result, nil
}

func (w *httpWire) notify(ctx context.Context, method string, params []byte) error {
	res, err := w.post(ctx, encode(0, method, params), method, "")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if failedStatus(res.StatusCode) != 0 {
		return &wireError{err: fmt.Errorf("the server answered %s with status %d", method, res.StatusCode), status: res.StatusCode, sent: true}
	}
	return nil
}

// post sends one message.
func (w *httpWire) post(ctx context.Context, body []byte, method, name string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return nil, &wireError{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	w.head(req, method, name)
	res, err := w.client.Do(req)
	if err != nil {
		var dial *net.OpError
		return nil, &wireError{err: err, sent: !errors.As(err, &dial) || dial.Op != "dial"}
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
		req.Header.Set("Mcp-Session-Id", w.session)
	}
	if w.spoken == "" {
		return
	}
	req.Header.Set("Mcp-Protocol-Version", w.spoken)
	if w.spoken >= modernVersion && method != "" {
		req.Header.Set("Mcp-Method", method)
		if name != "" {
			req.Header.Set("Mcp-Name", headerValue(name))
		}
	}
}

// headerValue writes a name as the protocol wants it in a header.
func headerValue(name string) string {
	plain := !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
	if plain && strings.TrimSpace(name) == name && !strings.HasPrefix(name, "=?base64?") {
		return name
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(name)) + "?="
}

// response reads the response to a request out of a JSON body or a stream of events.
func (w *httpWire) response(ctx context.Context, res *http.Response, id int64) (message, error) {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	body := io.LimitReader(res.Body, MaxMessage+1)
	switch {
	case media == "text/event-stream" && failedStatus(res.StatusCode) == 0:
		return w.fromStream(ctx, bufio.NewReaderSize(res.Body, 16<<10), id)
	case media != "application/json" || res.StatusCode == http.StatusAccepted:
		return message{}, w.statusError(res)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return message{}, fmt.Errorf("the answer broke off: %w", err)
	}
	if len(data) > MaxMessage {
		return message{}, fmt.Errorf("the answer is larger than %d bytes", MaxMessage)
	}
	m, err := decode(data)
	if failedStatus(res.StatusCode) != 0 && (err != nil || m.err == nil) {
		return message{}, w.statusError(res)
	}
	if err == nil && m.err == nil && !sameID(m.id, id) {
		err = errors.New("the answer belongs to another request")
	}
	return m, err
}

// statusError is the error of an answer that carries no message. A session that the server has forgotten is lost.
func (w *httpWire) statusError(res *http.Response) error {
	w.mu.Lock()
	session := w.session
	w.mu.Unlock()
	if res.StatusCode == http.StatusNotFound && session != "" {
		w.lose()
		return errors.New("the server has ended the session")
	}
	if failedStatus(res.StatusCode) == 0 {
		return fmt.Errorf("the server answered with content type %q", res.Header.Get("Content-Type"))
	}
	return fmt.Errorf("the server answered with status %d", res.StatusCode)
}

// fromStream reads events until the response to the request.
func (w *httpWire) fromStream(ctx context.Context, r *bufio.Reader, id int64) (message, error) {
	for {
		data, err := nextEvent(r)
		if err != nil {
			return message{}, fmt.Errorf("the answer broke off: %w", err)
		}
		m, err := decode(data)
		switch {
		case err != nil:
			return message{}, err
		case m.method != "" && m.id != nil:
			w.answer(ctx, m)
		case m.method != "":
			w.onNotice(m.method)
		case sameID(m.id, id):
			return m, nil
		}
	}
}

// answer answers a request that came along with a stream. What becomes of it is the server's problem: if it waits for
// the answer in vain, the call times out.
func (w *httpWire) answer(ctx context.Context, m message) {
	if res, err := w.post(ctx, reply(m), "", ""); err == nil {
		res.Body.Close()
	}
}

// cancelled tells a legacy server that nobody waits any more; a modern one sees it by the closed stream.
func (w *httpWire) cancelled(ctx context.Context, id int64, err error) error {
	w.mu.Lock()
	legacy := w.spoken < modernVersion
	w.mu.Unlock()
	if ctx.Err() != nil && legacy {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = w.notify(after, methodCancelled, cancelParams(id)) // Nobody is left to be told of an error.
	}
	return err
}

func cancelParams(id int64) []byte {
	return fmt.Appendf(nil, `{"requestId":%d,"reason":"the caller is gone or the time is up"}`, id)
}

func (w *httpWire) keepSession(res *http.Response) {
	if id := res.Header.Get("Mcp-Session-Id"); id != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.session = id
	}
}

func (w *httpWire) lose() { w.goneOnce.Do(func() { close(w.gone) }) }

func (w *httpWire) close() {
	w.mu.Lock()
	session := w.session
	w.mu.Unlock()
	if session != "" && w.stillThere() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if req, err := http.NewRequestWithContext(ctx, http.MethodDelete, w.url, nil); err == nil {
			w.head(req, "", "")
			if res, err := w.client.Do(req); err == nil {
				res.Body.Close()
			}
		}
	}
	w.lose()
	w.client.CloseIdleConnections()
}

func (w *httpWire) stillThere() bool {
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}

// failedStatus gives the status where it is none of success, else 0.
func failedStatus(status int) int {
	if status >= 200 && status < 300 {
		return 0
	}
	return status
}

// sameID compares an id from the wire with ours.
func sameID(got json.Value, id int64) bool { return string(got) == fmt.Sprint(id) }
