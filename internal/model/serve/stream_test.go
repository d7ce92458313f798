package serve_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/anthropic"
	"github.com/signalbox/signalbox/internal/model/openai"
	"github.com/signalbox/signalbox/internal/model/serve"
)

// terminal is a last part.
func terminal(data string) call.Part { return call.Part{Data: []byte(data), Terminal: true} }

func post(t *testing.T) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(streamed))
	r.Header.Set("Authorization", "key")
	return r
}

func TestSilenceIsFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parts{list: []any{"data: 1\n\n", 50 * time.Second, "data: 2\n\n", 14 * time.Second, terminal("data: [DONE]\n\n")}}
		w := httptest.NewRecorder()
		(&serve.Server{API: openai.API{}, Door: door{}, Handler: answering(p), Now: time.Now}).ServeHTTP(w, post(t))
		want := "data: 1\n\n" + strings.Repeat(": keep-alive\n\n", 3) + "data: 2\n\ndata: [DONE]\n\n"
		if got := w.Body.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		time.Sleep(time.Minute)
		if w.Body.String() != want {
			t.Error("something was written after the end")
		}
	})
}

// pipeListener hands out one end of a pipe.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l pipeListener) Close() error   { close(l.conns); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// A caller who reads nothing is gone after the time-out, and the answer is closed.
func TestCallerWhoDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endless := &parts{closed: make(chan struct{})}
		for range 100 {
			endless.list = append(endless.list, "data: "+strings.Repeat("x", 64<<10)+"\n\n")
		}
		closed := endless.closed
		l := pipeListener{make(chan net.Conn)}
		server := &http.Server{
			Handler:           &serve.Server{API: openai.API{}, Door: door{}, Handler: answering(endless), Now: time.Now},
			ReadHeaderTimeout: time.Minute,
		}
		go server.Serve(l)
		defer server.Close()
		ours, theirs := net.Pipe()
		defer ours.Close()
		l.conns <- theirs
		start := time.Now()
		io.WriteString(ours, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: k\r\nContent-Length: %d\r\n\r\n%s", len(streamed), streamed))
		<-closed
		if took := time.Since(start); took != serve.WriteTimeout {
			t.Errorf("took %s, want %s", took, serve.WriteTimeout)
		}
	})
}

func TestAnthropicShape(t *testing.T) {
	s := &serve.Server{API: anthropic.API{}, Door: door{}, Handler: answering(&parts{list: []any{
		"event: ping\n\n", signalbox.Errorf(signalbox.CodeUnavailable, "It is full."),
	}}), Now: time.Now}
	const ask = `{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	_, body := askWith(t, s, ask, "k")
	if !strings.HasPrefix(body, "event: ping\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"It is full.\"") {
		t.Errorf("body %s", body)
	}
	response, body := askWith(t, s, ask, "")
	if response.StatusCode != 401 || !strings.Contains(body, `{"type":"error","error":{"type":"authentication_error"`) || !strings.Contains(body, `"request_id":"req_1"`) {
		t.Errorf("status %d, body %s", response.StatusCode, body)
	}
	s.Handler = sanity(nil)
	response, body = askWith(t, s, `{"model":"m","messages":[]}`, "k")
	if response.StatusCode != 400 || !strings.Contains(body, `"invalid_request_error"`) || response.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("status %d, body %s", response.StatusCode, body)
	}
}

// What the adapters read of a request reaches the stations.
func TestParsedCall(t *testing.T) {
	var got *signalbox.Call
	h := call.HandlerFunc(func(_ context.Context, t *call.Track) (call.Answer, error) {
		got = t.Call
		return nil, signalbox.Errorf(signalbox.CodeForbidden, "No.")
	})
	for _, test := range []struct {
		api    serve.API
		body   string
		header string
	}{
		{openai.API{}, `{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`, "openai-beta"},
		{anthropic.API{}, `{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`, "anthropic-beta"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(test.body))
		r.Header.Set("Authorization", "key")
		r.Header.Set("Anthropic-Beta", "b")
		r.Header.Set("Openai-Beta", "b")
		w := httptest.NewRecorder()
		(&serve.Server{API: test.api, Door: door{}, Handler: h, Now: time.Now}).ServeHTTP(w, r)
		if w.Code != 403 || got.Model.Model != "m" || got.Model.MaxOutput != 5 || !got.Stream || got.Model.Prompt != "Hi" || got.Invalid != nil {
			t.Errorf("%s: %d, %+v", test.api.Protocol(), w.Code, got.Model)
		}
		if got.Protocol != test.api.Protocol() || len(got.Model.Headers) != 1 || got.Model.Headers[test.header] != "b" {
			t.Errorf("%s: headers %v", got.Protocol, got.Model.Headers)
		}
	}
}

func TestAnthropicModels(t *testing.T) {
	for id, want := range map[string]string{
		"": `{"data":[{"type":"model","id":"big","display_name":"big","created_at":"1970-01-02T00:00:00Z"},` +
			`{"type":"model","id":"small","display_name":"small","created_at":"1970-01-02T00:00:00Z"}],"has_more":false,"first_id":"big","last_id":"small"}`,
		"big": `{"type":"model","id":"big","display_name":"big","created_at":"1970-01-02T00:00:00Z"}`,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", nil)
		r.SetPathValue("id", id)
		r.Header.Set("Authorization", "key")
		w := httptest.NewRecorder()
		m := &serve.Models{API: anthropic.API{}, Door: door{}, Catalogue: catalogue{}, Since: time.Unix(86400, 0), Now: time.Now}
		if m.ServeHTTP(w, r); w.Body.String() != want {
			t.Errorf("got %s\nwant %s", w.Body, want)
		}
	}
	if b, err := (anthropic.API{}).Models(nil, time.Unix(0, 0), ""); err != nil || string(b) != `{"data":[],"has_more":false,"first_id":null,"last_id":null}` {
		t.Errorf("an empty list: %s, %v", b, err)
	}
}

func TestMissing(t *testing.T) {
	m := &serve.Missing{OpenAI: openai.API{}, Anthropic: anthropic.API{}, Now: time.Now}
	tests := []struct {
		method, path, version string
		status                int
		want                  string
	}{
		{"POST", "/v1/nothing", "", 404, `"code":"not_found"`},
		{"GET", "/v1/chat/completions", "", 404, "There is no GET /v1/chat/completions."},
		{"POST", "/v1/embeddings", "", 501, `"code":"not_implemented"`},
		{"POST", "/v1/responses", "", 501, `{"error":{"message"`},
		{"POST", "/v1/messages/count_tokens", "", 501, `{"type":"error"`},
		{"GET", "/v1/nothing", "2023-06-01", 404, `{"type":"error"`},
	}
	for _, test := range tests {
		r := httptest.NewRequestWithContext(t.Context(), test.method, test.path, nil)
		r.Header.Set("X-Request-Id", "mine")
		if test.version != "" {
			r.Header.Set("Anthropic-Version", test.version)
		}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) || w.Header().Get("X-Request-Id") != "mine" || w.Header().Get("X-Should-Retry") != "false" {
			t.Errorf("%s %s: %d %s", test.method, test.path, w.Code, w.Body)
		}
	}
}
