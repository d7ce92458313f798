package mcp

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// childRole makes the test binary play the child of a server instead of running tests.
const childRole = "SIGNALBOX_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		playChild(role)
		return
	}
	goleak.VerifyTestMain(m)
}

// playChild is a stdio server with the tools of testServer, or one with a fault.
func playChild(role string) {
	switch role {
	case "dies at once":
		fmt.Fprintln(os.Stderr, "no configuration")
		os.Exit(3)
	case "garbage":
		fmt.Fprintln(os.Stdout, "Welcome to my server!")
		io.Copy(io.Discard, os.Stdin)
	case "deaf": // Reads nothing, says nothing, ignores the end of its input.
		sleepOn()
	case "legacy":
		playLegacy(os.Stdin, os.Stdout)
	case "hangs": // Shakes hands, and then says nothing more.
		in, out := bufio.NewReader(os.Stdin), os.Stdout
		line, _ := in.ReadBytes('\n')
		m, _ := decode(line)
		fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}`+"\n", m.id)
		io.Copy(io.Discard, in)
	case "flood":
		for {
			if _, err := fmt.Fprintln(os.Stdout, `{"jsonrpc":"2.0","method":"notifications/message"}`); err != nil {
				return
			}
		}
	case "another id":
		bufio.NewReader(os.Stdin).ReadBytes('\n')
		fmt.Fprintln(os.Stdout, `{"jsonrpc":"2.0","id":99,"result":{}}`)
		sleepOn()
	case "half a line":
		bufio.NewReader(os.Stdin).ReadBytes('\n')
		fmt.Fprint(os.Stdout, `{"jsonrpc":"2.0","id":1,"res`)
	case "with a grandchild": // As npx does: the server is a child of the child, and holds its pipes.
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childRole+"=server")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			os.Exit(4)
		}
		if err := os.WriteFile(os.Getenv("PID_FILE"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
			os.Exit(5)
		}
		sleepOn() // It does not end when its input does.
	default:
		for i := range 3 * MaxStderrLines {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		if err := testServer().Run(context.Background(), &sdk.StdioTransport{}); err != nil {
			os.Exit(0)
		}
	}
}

// sleepOn never returns. A runtime without cgo would take a bare select for a deadlock and end the child.
func sleepOn() {
	for {
		time.Sleep(time.Hour)
	}
}

// playLegacy is a server that knows no server/discover, asks back before it answers, and says that its tools change.
func playLegacy(in io.Reader, out io.Writer) {
	initialized, pinged := false, false
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		m, err := decode(lines.Bytes())
		if err != nil {
			os.Exit(6)
		}
		result := func(r string) { fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.id, r) }
		switch m.method {
		case "": // The response to our ping.
			pinged = pinged || (string(m.id) == `"ping-1"` && string(m.result) == "{}")
		case methodInitialize:
			result(`{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}`)
		case methodInitialized:
			initialized = true
			fmt.Fprintln(out, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
			fmt.Fprintln(out, `{"jsonrpc":"2.0","id":"ping-1","method":"ping"}`)
			fmt.Fprintln(out, `{"jsonrpc":"2.0","id":"roots-1","method":"roots/list"}`)
		case methodListTools:
			result(`{"tools":[{"name":"state","inputSchema":{"type":"object"}}]}`)
		case methodCallTool:
			result(fmt.Sprintf(`{"content":[{"type":"text","text":"initialized %v, pinged %v"}]}`, initialized, pinged))
		default:
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`+"\n", m.id)
		}
	}
}

// testServer is a real server of the SDK with some tools.
func testServer() *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	schema := map[string]any{"type": "object"}
	add := func(name string, h sdk.ToolHandler) {
		s.AddTool(&sdk.Tool{Name: name, Description: "Test tool " + name, InputSchema: schema}, h)
	}
	text := func(format string, args ...any) *sdk.CallToolResult {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: fmt.Sprintf(format, args...)}}}
	}
	add("echo", func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return text("%s", r.Params.Arguments), nil
	})
	add("fail", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		res := text("the disk is full")
		res.IsError = true
		return res, nil
	})
	add("refuse", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return nil, fmt.Errorf("not today")
	})
	add("meta", func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return text("%v %v", r.Params.Meta["traceparent"], r.Params.Meta["com.example/own"]), nil
	})
	add("env", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return text("%q", os.Environ()), nil
	})
	add("sleep", func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	destructive := true
	s.AddTool(&sdk.Tool{Name: "wipe", InputSchema: schema, Annotations: &sdk.ToolAnnotations{DestructiveHint: &destructive}},
		func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) { return text("wiped"), nil })
	add("exit", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		os.Exit(1)
		return nil, nil
	})
	return s
}

// overHTTP serves testServer; a stateful handler speaks the legacy versions only.
func overHTTP(t *testing.T, stateless bool) string {
	t.Helper()
	s := testServer()
	srv := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s },
		&sdk.StreamableHTTPOptions{Stateless: stateless, PropagateRequestCancellation: true}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func child(id, role string, env ...string) Server {
	// With the race detector a child would take a second to end.
	s := Server{ID: id, Command: []string{os.Args[0]}, Env: map[string]string{childRole: role, "GORACE": "atexit_sleep_ms=0"}}
	for i := 0; i+1 < len(env); i += 2 {
		s.Env[env[i]] = env[i+1]
	}
	return s
}

func newServers(t *testing.T, list ...Server) *Servers {
	t.Helper()
	s, err := New(Options{Servers: list, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now})
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
// insane calls. The policy may be nil.
func chain(s *Servers, log call.Log, policy call.Station) call.Handler {
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

// gateway serves the handler on a real port.
func gateway(
	t *testing.T, s *Servers, next func(call.Handler) call.Handler, options ...HandlerOption,
) (string, *memoryLog) {
	t.Helper()
	log := &memoryLog{}
	h := chain(s, log, nil)
	if next != nil {
		h = next(h)
	}
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(s, testDoor{}, h, "test", slog.New(slog.DiscardHandler), options...))
	return serveOn(t, mux) + "/mcp/", log
}

func serveOn(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
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

func wantCode(t *testing.T, err error, want signalbox.Code) *signalbox.Error {
	t.Helper()
	if got := signalbox.CodeOf(err); got != want {
		t.Fatalf("got code %q (%v), want %q", got, err, want)
	}
	if err == nil {
		return nil
	}
	e := signalbox.AsError(err)
	if e.Message == "" || e.Remedy == "" {
		t.Errorf("an error without message or remedy: %+v", e)
	}
	return e
}
