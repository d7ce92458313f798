package conformance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(relayVariable); address != "" {
		os.Exit(relay(address))
	}
	os.Exit(harness.Main(m))
}

// permissions let the agent use everything of all servers, and the servers ask its user.
const permissions = `agents:
  - {id: tester, permissions: {tools: [{name: "*", operations: [read, write], resources: ["*"]}]}}
approvals: {tiers: {medium: {approvers: 0}}}
`

// config has both servers.
const config = permissions + `mcp_servers:
  modern: {url: "http://%s/mcp"}
  legacy: {url: "http://%s/mcp"}
`

// server is the package of the SDK's server for this suite.
const server = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"

func TestBothErasThroughTheGateway(t *testing.T) {
	suite := harness.Packages(t, "tests/conformance/node")
	binary := filepath.Join(t.TempDir(), "everything-server")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, server)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	i := harness.Start(t, harness.Options{Config: harness.Simulated + fmt.Sprintf(config, start(t, binary, true), start(t, binary, false))})
	t.Run("eras", func(t *testing.T) {
		for _, era := range []struct{ server, requirements string }{{"modern", "2026-07-28"}, {"legacy", "2025-11-25"}} {
			t.Run(era.requirements, func(t *testing.T) {
				t.Parallel()
				check(t, suite, hop(t, i.URL+"/mcp/"+era.server), era.requirements)
			})
		}
	})
}

// start starts the server and waits until it listens.
func start(t *testing.T, binary string, stateless bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "-http", address, fmt.Sprintf("-stateless=%v", stateless))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // It is killed.
	})
	for deadline := time.Now().Add(harness.Patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
	}
	t.Fatal("the server does not listen")
	return ""
}

// hop adds the key to all that it passes on.
func hop(t *testing.T, target string) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL, r.Out.Host = to, r.In.Host
		r.Out.Header.Set("Authorization", "Bearer "+harness.Agent)
		r.Out.Header.Set("X-Signalbox-Agent", "tester")
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }})
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// headers are scenarios that the suite does not score, and that must pass all the same.
var headers = []string{"http-header-validation", "http-custom-header-server-validation"}

var total = regexp.MustCompile(`(?m)^Total: [1-9][0-9]* passed.*$`)

// check runs the suite's set of requirements, which says by its exit code whether all that counts has passed.
func check(t *testing.T, suite, url, requirements string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), node(t, suite), filepath.Join(suite, "node_modules", ".bin", "conformance"),
		"server", "--url", url, "--requirements", requirements, "--timeout", "120000") // Milliseconds for one scenario.
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil || !total.Match(out) {
		t.Fatalf("%v\n%s", err, out)
	}
	if requirements == "2026-07-28" {
		for _, scenario := range headers {
			if !regexp.MustCompile(`✓ ` + scenario + `: [1-9][0-9]* passed, 0 failed`).Match(out) {
				t.Errorf("%s has not passed:\n%s", scenario, out)
			}
		}
	}
	t.Logf("%s", total.Find(out))
}

// node gives a Node that is new enough for the suite.
func node(t *testing.T, suite string) string {
	t.Helper()
	return harness.PackagedNode(t, suite)
}
