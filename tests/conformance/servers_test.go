package conformance

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// relayVariable makes the test binary the client that the suite starts: it hands on, to the address in it, which server it is to use.
const relayVariable = "SIGNALBOX_TEST_RELAY"

// relay tells the test which server the suite has started, and waits until it has been used.
func relay(address string) int {
	res, err := http.PostForm(address, url.Values{
		"server": {os.Args[len(os.Args)-1]}, "context": {os.Getenv("MCP_CONFORMANCE_CONTEXT")},
	})
	if err != nil || res.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, err, res)
		return 1
	}
	return 0
}

// clientScenarios are those in which the suite plays the server, and looks at how it is called.
var clientScenarios = []string{"http-custom-headers", "http-invalid-tool-headers", "http-standard-headers"}

// seat is a server of the configuration in whose place the suite's server of a scenario comes.
type seat struct {
	url    string
	target atomic.Pointer[url.URL]
}

func newSeat(t *testing.T) *seat {
	t.Helper()
	s := &seat{}
	srv := httptest.NewServer(&httputil.ReverseProxy{ // Whose target is gone when the scenario is over.
		FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL = s.target.Load() },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// checkAsClient runs a scenario: the server of the suite is called through the gateway.
func checkAsClient(t *testing.T, suite, scenario string, s *seat, gateway string) {
	t.Helper()
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, err := url.Parse(r.FormValue("server"))
		if err == nil {
			s.target.Store(target)
			err = use(r.Context(), gateway, []byte(r.FormValue("context")))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			t.Error(err)
		}
	}))
	defer control.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node(t, suite), filepath.Join(suite, "node_modules", ".bin", "conformance"),
		"client", "--command", program, "--scenario", scenario)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), relayVariable+"="+control.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// use lists the tools and calls them: as the suite says, or each once.
func use(ctx context.Context, gateway string, scenario []byte) error {
	var given struct {
		Calls []sdk.CallToolParams `json:"toolCalls"`
	}
	if len(scenario) > 0 {
		if err := json.Unmarshal(scenario, &given); err != nil {
			return err
		}
	}
	client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, nil)
	session, err := client.Connect(ctx, &sdk.StreamableClientTransport{Endpoint: gateway}, &sdk.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		return err
	}
	defer session.Close()
	list, err := session.ListTools(ctx, nil)
	if err != nil {
		return err
	}
	if given.Calls == nil {
		for _, tool := range list.Tools {
			given.Calls = append(given.Calls, sdk.CallToolParams{Name: tool.Name, Arguments: map[string]any{}})
		}
	}
	for i := range given.Calls {
		if _, err := session.CallTool(ctx, &given.Calls[i]); err != nil {
			return err
		}
	}
	return nil
}

// TestServersThroughTheGateway has the suite look at how its servers are called.
func TestServersThroughTheGateway(t *testing.T) {
	suite := harness.Packages(t, "tests/conformance/node")
	seats, text := map[string]*seat{}, harness.Simulated+permissions+"mcp_servers:\n"
	for _, scenario := range clientScenarios {
		seats[scenario] = newSeat(t)
		text += fmt.Sprintf("  %s: {url: %q}\n", scenario, seats[scenario].url)
	}
	i := harness.Start(t, harness.Options{Config: text})
	for scenario, s := range seats {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			checkAsClient(t, suite, scenario, s, hop(t, i.URL+"/mcp/"+scenario))
		})
	}
}
