// Package upstreamtest has tool servers for tests: of the SDK, over HTTP and as children, and children with faults. It knows
// nothing of the packages that it tests.
package upstreamtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// childRole makes the test binary play the child of a server instead of running tests.
const childRole = "SIGNALBOX_TEST_CHILD"

// stderrLines is how much a good child writes to its standard error: more than is logged within a minute.
const stderrLines = 180

// Main is the TestMain of packages whose tests start children.
func Main(m *testing.M) {
	if !Play() {
		goleak.VerifyTestMain(m)
	}
}

// Play plays the child that this process is, until it ends, and reports whether it is one.
func Play() bool {
	role := os.Getenv(childRole)
	if role != "" {
		playChild(role)
	}
	return role != ""
}

// Child gives the command and the environment of a child that plays a role: "server" is one of the SDK with the tools of
// [New], the others have faults; see the source. What else is in its environment follows, names and values.
func Child(role string, env ...string) (command []string, environment map[string]string) {
	// With the race detector a child would take a second to end.
	environment = map[string]string{childRole: role, "GORACE": "atexit_sleep_ms=0"}
	for i := 0; i+1 < len(env); i += 2 {
		environment[env[i]] = env[i+1]
	}
	return []string{os.Args[0]}, environment
}

// playChild is a stdio server with the tools of New, or one with a fault.
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
	case "asker":
		if err := NewAsker().Run(context.Background(), &sdk.StdioTransport{}); err != nil {
			os.Exit(0)
		}
	case "tasker":
		playTasker(os.Stdin, os.Stdout)
	case "hangs": // Shakes hands, and then says nothing more.
		in, out := bufio.NewReader(os.Stdin), os.Stdout
		line, _ := in.ReadBytes('\n')
		m, _ := rpc.Decode(line)
		fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}`+"\n", m.ID)
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
		for i := range stderrLines {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		if err := New().Run(context.Background(), &sdk.StdioTransport{}); err != nil {
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
		m, err := rpc.Decode(lines.Bytes())
		if err != nil {
			os.Exit(6)
		}
		result := func(r string) { fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.ID, r) }
		switch m.Method {
		case "": // The response to our ping.
			pinged = pinged || (string(m.ID) == `"ping-1"` && string(m.Result) == "{}")
		case rpc.MethodInitialize:
			result(`{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}`)
		case rpc.MethodInitialized:
			initialized = true
			fmt.Fprintln(out, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
			fmt.Fprintln(out, `{"jsonrpc":"2.0","id":"ping-1","method":"ping"}`)
			fmt.Fprintln(out, `{"jsonrpc":"2.0","id":"roots-1","method":"roots/list"}`)
		case rpc.MethodListTools:
			result(`{"tools":[{"name":"state","inputSchema":{"type":"object"}}]}`)
		case rpc.MethodCallTool:
			result(fmt.Sprintf(`{"content":[{"type":"text","text":"initialized %v, pinged %v"}]}`, initialized, pinged))
		default:
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`+"\n", m.ID)
		}
	}
}

// playTasker is a server of 2025-11-25 that makes a task of a call where it may, and while it works on another call asks what it
// wants to know for the task.
func playTasker(in io.Reader, out io.Writer) {
	var call json.Value // Under way.
	task := false
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		m, err := rpc.Decode(lines.Bytes())
		if err != nil {
			os.Exit(6)
		}
		result := func(id json.Value, r string) { fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", id, r) }
		switch {
		case m.Method == "":
			result(call, fmt.Sprintf(`{"content":[{"type":"text","text":%q}]}`, lines.Text()))
		case m.Method == rpc.MethodInitialize:
			result(m.ID, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}},"serverInfo":{"name":"t","version":"1"}}`)
		case m.Method == rpc.MethodListTools:
			result(m.ID, `{"tools":[{"name":"work","inputSchema":{"type":"object"}}]}`)
		case m.Method == rpc.MethodCallTool && bytes.Contains(m.Params, []byte(`"task":{`)):
			task = true
			result(m.ID, `{"task":{"taskId":"t","status":"working","createdAt":"a","lastUpdatedAt":"a","ttl":null}}`)
		case m.Method == rpc.MethodCallTool && task:
			call = m.ID
			fmt.Fprintln(out, `{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"For the task?","requestedSchema":{"type":"object","properties":{}}}}`)
		case m.Method == rpc.MethodCallTool:
			result(m.ID, `{"content":[{"type":"text","text":"without a task"}]}`)
		case m.ID != nil:
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`+"\n", m.ID)
		}
	}
}

// New is a real server of the SDK with some tools.
func New() *sdk.Server {
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
		return text("%v %v %v", r.Params.Meta["traceparent"], r.Params.Meta["com.example/own"], r.Params.Meta["baggage"]), nil
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

// OverHTTP serves New; a stateful handler speaks the legacy versions only.
func OverHTTP(t *testing.T, stateless bool) string {
	t.Helper()
	s := New()
	srv := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s },
		&sdk.StreamableHTTPOptions{Stateless: stateless, PropagateRequestCancellation: true}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// Serve serves a handler on a real port until the test ends, and gives its address.
func Serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// WantCode fails the test where the error has not that code ("": there is none), or lacks a message or a remedy.
func WantCode(t *testing.T, err error, want signalbox.Code) *signalbox.Error {
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

// Forward hands requests on to another server.
func Forward(url string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), r.Method, url, r.Body)
		req.Header = r.Header
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		for k, v := range res.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(res.StatusCode)
		io.Copy(w, res.Body)
	})
}
