package mcppeers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// price is what each call of a tool of any of the servers costs, in dollars.
const price = "0.003"

// server is one of the servers, and how it is reached without Signalbox.
type server struct {
	address string   // Where it listens; "" for a child.
	url     string   // Likewise,
	command []string // and what starts a child.
	witness witness
}

// witness knows everything that Signalbox has sent to a server.
type witness interface {
	sent(t *testing.T) string
}

// file is a witness of what went into a child's standard input.
type file string

func (f file) sent(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(string(f))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tap is a witness between Signalbox and a server that speaks HTTP.
type tap struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *tap) sent(*testing.T) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func (w *tap) write(body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(append(body, '\n'))
}

// world is an instance before all servers.
type world struct {
	*harness.Instance
	packages string // Where the packages of npm are.
	node     string // What runs them.
	shelf    string // What the file server shows.
	servers  map[string]*server
}

// names of the servers, each also the server's id in the configuration.
const (
	everything = "everything" // The older protocol over HTTP.
	railway    = "railway"    // The newest protocol over HTTP.
	junction   = "junction"   // The same over standard input and output,
	files      = "files"      // and these three with the older protocol.
	memory     = "memory"
	budget     = "budget"
)

// packaged gives the program of a package.
func (w *world) packaged(name string) string {
	return filepath.Join(w.packages, "node_modules", "@modelcontextprotocol", name, "dist", "index.js")
}

// newWorld starts the servers and the instance. All agents are permitted the same, but for shy.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{packages: harness.Packages(t, "tests/mcppeers/node"), shelf: t.TempDir(), servers: map[string]*server{}}
	if err := os.WriteFile(filepath.Join(w.shelf, "rules.txt"), []byte("Stop at danger.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.node = harness.PackagedNode(t, harness.Packages(t, "tests/conformance/node")) // Which is new enough for the inspector.
	own := filepath.Join(w.packages, "server.mjs")
	config := "agents:\n"
	for _, agent := range append(agents(), claudeCode, inspector, shy) {
		config += permissions(agent)
	}
	config += "approvals: {tiers: {medium: {approvers: 0}}}\nmcp_servers:\n" +
		w.overHTTP(t, everything, w.packaged("server-everything"), "streamableHttp") +
		w.overHTTP(t, railway, own, "PORT") +
		w.child(t, junction, own) + w.child(t, files, w.packaged("server-filesystem"), w.shelf) +
		w.child(t, memory, w.packaged("server-memory")) + w.forMemory(t) + w.child(t, budget, w.packaged("server-budget-allocator"), "--stdio")
	w.Instance = harness.Start(t, harness.Options{Config: harness.Simulated + config})
	return w
}

// child adds a server that Signalbox starts; what it is sent is written down on its way.
func (w *world) child(t *testing.T, id string, command ...string) (config string) {
	t.Helper()
	record := filepath.Join(t.TempDir(), id+".jsonl")
	w.servers[id] = &server{command: append([]string{w.node}, command...), witness: file(record)}
	tee := `record=$1; shift; tee -a "$record" | "$@"`
	text := fmt.Sprintf("  %s:\n    price: {per_call: %s}\n    command: [sh, -c, %q, sh, %q", id, price, tee, record)
	for _, argument := range w.servers[id].command {
		text += fmt.Sprintf(", %q", argument)
	}
	return text + "]\n"
}

// forMemory is the rest of that server's configuration. It loses what is written while it writes, so its calls come one by one.
func (w *world) forMemory(t *testing.T) (config string) {
	t.Helper()
	return fmt.Sprintf("    env: {MEMORY_FILE_PATH: %q}\n    max_concurrent_calls: 1\n    timeouts: {place: 1m}\n", filepath.Join(t.TempDir(), "memory.jsonl"))
}

// overHTTP starts a server on a free port, which it gets as PORT, or where an argument says so.
func (w *world) overHTTP(t *testing.T, id string, command ...string) (config string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	for i, argument := range command {
		if argument == "PORT" {
			command[i] = port
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, w.node, command...)
	cmd.Env = append(os.Environ(), "PORT="+port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // It is killed.
	})
	w.servers[id] = &server{address: l.Addr().String(), url: tapped(t, l.Addr().String(), &tap{}), witness: &tap{}}
	return fmt.Sprintf("  %s: {url: %q, price: {per_call: %s}}\n", id, tapped(t, l.Addr().String(), w.servers[id].witness.(*tap)), price)
}

// tapped gives an address of a server at which a witness stands. Servers close connections that nobody uses for a while,
// and clients fail when that happens while they send; so each request has one of its own.
func tapped(t *testing.T, address string, record *tap) string {
	t.Helper()
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Transport: &http.Transport{DisableKeepAlives: true}, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", address
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // Who sent it has gone.
		}
		record.write(body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL + "/mcp"
}

// ready waits until a server that was started listens.
func (s *server) ready(t *testing.T) {
	t.Helper()
	harness.Eventually(t, func() error {
		c, err := net.DialTimeout("tcp", s.address, time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// permitted are the tools that each agent may use; the servers have more.
var permitted = map[string][]string{
	everything: {
		"echo", "get-annotated-message", "get-resource-links", "get-resource-reference", "get-structured-content", "get-sum", "get-tiny-image",
		"toggle-simulated-logging", "toggle-subscriber-updates", "trigger-elicitation-request", "trigger-long-running-operation",
		"trigger-sampling-request", "elicitation/create", "sampling/createMessage",
	},
	railway: {"echo", "picture", "timetable", "derail", "count", "wait", "given", "ask", "sample", "roots", "change", "elicitation/create", "sampling/createMessage", "roots/list"},
	memory:  {"create_entities", "search_nodes", "open_nodes"},
	budget:  {"get-budget-data"},
}

// shy is an agent whom no server may ask anything.
const shy = "shy"

// permissions gives an agent of the configuration.
func permissions(agent string) string {
	text := fmt.Sprintf("  - id: %s\n    permissions:\n      tools:\n", agent)
	allow := func(name, resources string) {
		text += fmt.Sprintf("        - {name: %q, operations: [read, write], resources: [%s]}\n", name, resources)
	}
	for _, id := range []string{everything, railway, junction, memory, budget} {
		for _, tool := range permitted[strings.ReplaceAll(id, junction, railway)] {
			if agent != shy || !strings.Contains(tool, "/") {
				allow(id+"."+tool, `"*"`)
			}
		}
	}
	for _, tool := range []string{"read_text_file", "list_directory", "get_file_info", "write_file"} {
		allow(files+"."+tool, `"*"`)
	}
	allow(everything+".resources/read", `"demo://resource/static/document/architecture.md", "demo://resource/dynamic/**"`)
	allow(everything+".prompts/get", `"simple-prompt", "args-prompt", "completable-prompt"`)
	allow(everything+".completion/complete", `"completable-prompt", "demo://**"`)
	for _, id := range []string{railway, junction} {
		allow(id+".resources/read", `"rail://rules", "rail://station/*"`)
		allow(id+".prompts/get", `"announce"`)
		allow(id+".completion/complete", `"announce", "rail://**"`)
	}
	return text
}
