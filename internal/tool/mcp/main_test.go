package mcp

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

func child(id, role string, env ...string) upstream.Config {
	command, own := upstreamtest.Child(role, env...)
	return upstream.Config{ID: id, Command: command, Env: own}
}

func TestMain(m *testing.M) { upstreamtest.Main(m) }

func newServers(t *testing.T, list ...upstream.Config) *upstream.Servers {
	t.Helper()
	s, err := upstream.New(upstream.Options{Servers: list, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// memoryLog keeps records in memory.
type memoryLog struct {
	mu      sync.Mutex
	records []signalbox.Record
}

func (l *memoryLog) Append(_ context.Context, r signalbox.Record, _ ...signalbox.Effect) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
	return int64(len(l.records) - 1), nil
}

func (l *memoryLog) all() []signalbox.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]signalbox.Record(nil), l.records...)
}

type plain struct{}

func (plain) Mask(text string) string { return text }

// testDoor lets in who sends the right key, and reads at most 4 kB.
type testDoor struct{}

const testKey = "Bearer secret"

func (testDoor) Admit(
	_ http.ResponseWriter, r *http.Request, kind signalbox.Kind, protocol signalbox.Protocol,
) (*signalbox.Call, error) {
	now := time.Now()
	c := &signalbox.Call{
		ID: signalbox.NewID(signalbox.CallPrefix, now), RequestID: "req_test", Kind: kind, Protocol: protocol, Received: now,
		Span: signalbox.StartSpan(r.Header.Get("Traceparent"), "", ""), Claims: signalbox.Claims{Run: r.Header.Get("X-Signalbox-Run")},
	}
	if r.Header.Get("Authorization") != testKey {
		return c, signalbox.Errorf(signalbox.CodeUnauthenticated, "No key.").WithRemedy("Send one.")
	}
	c.Caller = signalbox.Caller{Tenant: "acme", Key: "main"}
	return c, nil
}

func (testDoor) ReadBody(_ http.ResponseWriter, r *http.Request, c *signalbox.Call) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4097))
	c.Body = body
	if err != nil || len(body) > 4096 {
		c.Invalid = signalbox.Errorf(signalbox.CodeTooLarge, "The body is larger than 4096 bytes.").WithRemedy("Send less.")
	}
}

// chain is the real stations but the gate, which belongs to another package; in its place stands what it does about
// insane calls. Without a policy everything is permitted, and only what is refused for other reasons is refused.
func chain(s *upstream.Servers, log call.Log, policy call.Station) call.Handler {
	if policy == nil {
		policy = permitting
	}
	recorder := call.NewRecorder(call.RecorderOptions{Log: log, Masker: plain{}, Now: time.Now})
	return call.Stations{
		Record: recorder.Station,
		Gate: func(next call.Handler) call.Handler {
			return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
				if t.Call.Invalid != nil {
					t.Gate.Status = signalbox.StatusDenied
					return nil, t.Call.Invalid
				}
				t.Gate.Status = signalbox.StatusPassed
				return next.Serve(ctx, t)
			})
		},
		Resolve: call.Resolve(map[signalbox.Kind]call.Resolver{signalbox.KindTool: s}), Policy: policy,
		Attempt: &call.Attempter{
			Backends: map[signalbox.Kind]map[string]call.Backend{signalbox.KindTool: s.Backends()},
			Journal:  recorder, Now: time.Now,
		},
	}.Chain()
}

// permitting is what of the policy is left where it permits everything.
func permitting(next call.Handler) call.Handler {
	return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
		if c := t.Resolve.Candidates; len(c) == 1 && c[0].Refusal != nil {
			return nil, c[0].Refusal
		}
		return next.Serve(ctx, t)
	})
}

// gateway serves the handler on a real port.
func gateway(
	t *testing.T, s *upstream.Servers, next func(call.Handler) call.Handler, options ...HandlerOption,
) (string, *memoryLog) {
	t.Helper()
	log := &memoryLog{}
	h := chain(s, log, nil)
	if next != nil {
		h = next(h)
	}
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(s, testDoor{}, h, "test", slog.New(slog.DiscardHandler), options...))
	return upstreamtest.Serve(t, mux) + "/mcp/", log
}

// withKey adds the key to every request of a client, and further headers.
type withKey struct {
	base    *http.Transport
	headers []string // Names and values.
}

func (k withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", testKey)
	for i := 0; i+1 < len(k.headers); i += 2 {
		r.Header.Set(k.headers[i], k.headers[i+1])
	}
	return k.base.RoundTrip(r)
}

// connect connects a client of the SDK; version pins the protocol.
func connect(t *testing.T, url, version string, headers ...string) *sdk.ClientSession {
	t.Helper()
	transport := &http.Transport{}
	c := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, nil)
	session, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: url, HTTPClient: &http.Client{Transport: withKey{transport, headers}},
	}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.Close()
		transport.CloseIdleConnections()
	})
	return session
}

// send posts a raw message and gives status and body.
func send(t *testing.T, url, body string, headers ...string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", testKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, data
}
