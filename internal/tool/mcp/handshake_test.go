package mcp

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/pin"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// greeter is a server over HTTP, of the newest version or of 2025-11-25, that says of itself what it is told to.
type greeter struct {
	modern bool
	mu     sync.Mutex
	says   string // Members of the result of the handshake.
	lists  bool
}

func (g *greeter) say(members string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.says = members
}

func (g *greeter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, _ := rpc.Decode(body)
	g.mu.Lock()
	defer g.mu.Unlock()
	answer := `"error":{"code":-32601,"message":"Method not found"}`
	switch {
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
		return
	case m.Method == rpc.MethodDiscover && g.modern:
		answer = `"result":{"supportedVersions":["2026-07-28"],` + g.says + `}`
	case m.Method == rpc.MethodInitialize && !g.modern:
		answer = `"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"g","version":"1"},` + g.says + `}`
	case m.Method == rpc.MethodListTools:
		g.lists = true
		answer = `"result":{"tools":[{"name":"look","inputSchema":{"type":"object"}},{"name":"` + pin.Instructions + `","inputSchema":{"type":"object"}}]}`
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%s}`, m.ID, answer)
}

// handshakes are what callers of each era send.
var handshakes = map[string]string{
	"modern": `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`,
	"legacy": `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`,
}

// greeted is what a caller learns in the handshake.
type greeted struct {
	Capabilities json.Value `json:"capabilities"`
	Instructions *string    `json:"instructions"`
	TTL          *int64     `json:"ttlMs"`
}

func shake(t *testing.T, url, era, agent string) greeted {
	t.Helper()
	headers := []string{"X-Signalbox-Run", agent}
	if era == "modern" {
		headers = append(headers, rpc.HeaderVersion, rpc.ModernVersion, rpc.HeaderMethod, rpc.MethodDiscover)
	}
	status, body := send(t, url, handshakes[era], headers...)
	var message struct {
		Result *greeted `json:"result"`
	}
	if err := json.Unmarshal(body, &message); err != nil || status != http.StatusOK || message.Result == nil {
		t.Fatalf("%s: %d %s (%v)", era, status, body, err)
	}
	return *message.Result
}

// What is announced where nothing is known of a server.
const (
	everythingModern = `{"tools":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"prompts":{"listChanged":true},"completions":{}}`
	everythingLegacy = `{"tools":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"prompts":{"listChanged":true},"completions":{},"logging":{}}`
)

func TestCapabilitiesAreThoseOfTheServer(t *testing.T) {
	cases := []struct{ name, says, modern, legacy string }{
		{"all", `"capabilities":` + everythingLegacy, everythingModern, everythingLegacy},
		{"none", `"capabilities":{}`, `{}`, `{}`},
		{"tools alone", `"capabilities":{"tools":{}}`, `{"tools":{}}`, `{"tools":{}}`},
		{"false", `"capabilities":{"tools":{"listChanged":false},"prompts":{"listChanged":true}}`, `{"tools":{},"prompts":{"listChanged":true}}`, `{"tools":{},"prompts":{"listChanged":true}}`},
		{"null", `"capabilities":{"tools":null,"logging":{}}`, `{}`, `{"logging":{}}`},
		{"without subscriptions", `"capabilities":{"resources":{"listChanged":true}}`, `{"resources":{"listChanged":true}}`, `{"resources":{"listChanged":true}}`},
		{"what we do not carry", `"capabilities":{"tools":{"more":true},"experimental":{"x":{}},"extensions":{"com.example/x":{}},"completions":{}}`, `{"tools":{},"completions":{}}`, `{"tools":{},"completions":{}}`},
		{"no sense", `"capabilities":["tools"]`, everythingModern, everythingLegacy},
		{"nothing", `"x":1`, everythingModern, everythingLegacy},
	}
	for _, c := range cases {
		for _, modern := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, modern server %v", c.name, modern), func(t *testing.T) {
				url, _ := jointGateway(t, newServers(t, upstream.Config{ID: "g", URL: upstreamtest.Serve(t, &greeter{modern: modern, says: c.says})}))
				if got := string(shake(t, url+"/g", "modern", "").Capabilities); got != c.modern {
					t.Errorf("modern: got %s, want %s", got, c.modern)
				}
				if got := string(shake(t, url+"/g", "legacy", "").Capabilities); got != c.legacy {
					t.Errorf("legacy: got %s, want %s", got, c.legacy)
				}
				if got := string(shake(t, url, "legacy", "").Capabilities); got != everythingLegacy {
					t.Errorf("on the joint path: got %s", got)
				}
			})
		}
	}
}

func TestHandshakeWithoutTheServer(t *testing.T) {
	gone := upstreamtest.Serve(t, http.NotFoundHandler())
	gone = gone[:strings.LastIndex(gone, ":")] + ":1"
	hang := make(chan struct{})
	var failed atomic.Bool
	hanging := upstreamtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _ = io.Copy(io.Discard, r.Body); failed.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	var elapsed atomic.Int64
	begin := time.Now()
	s, err := upstream.New(upstream.Options{
		Servers: []upstream.Config{{ID: "gone", URL: gone}, {ID: "hanging", URL: hanging}}, Version: "test", Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return begin.Add(time.Duration(elapsed.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(hang) })
	url, _ := gateway(t, s, nil)
	for _, server := range []string{"gone", "hanging", "gone", "hanging", "hanging"} { // The second one of those that hang waits for a while.
		if got := shake(t, url+server, "legacy", ""); string(got.Capabilities) != everythingLegacy || got.Instructions != nil {
			t.Errorf("%s: got %+v", server, got)
		}
		if got := shake(t, url+server, "modern", ""); string(got.Capabilities) != everythingModern || got.TTL == nil || *got.TTL != 0 {
			t.Errorf("%s: got %+v", server, got)
		}
		elapsed.Add(int64(time.Hour)) // Whoever comes by now waits no more.
	}
}

func TestInstructionsReachWhoMayUseSomething(t *testing.T) {
	const says = `"capabilities":{"tools":{}},"ttlMs":0,"instructions":"Look first."`
	visible := func(c signalbox.Caller, _, tool string, _ *signalbox.Annotations) (bool, string) {
		return c.Agent == "looker" && tool == "look" || c.Agent == "reader" && tool == rpc.MethodReadResource, "a rule"
	}
	concerns := func(c signalbox.Caller, _ string) bool { return c.Agent != "stranger" }
	for _, modern := range []bool{true, false} {
		for era := range handshakes {
			t.Run(fmt.Sprintf("%s caller, modern server %v", era, modern), func(t *testing.T) {
				g := &greeter{modern: modern, says: says}
				url, log := jointGateway(t, newServers(t, upstream.Config{ID: "g", URL: upstreamtest.Serve(t, g)}),
					FilterLists(narrowed, visible, nil, nil), AskFew(concerns))
				if got := shake(t, url+"/g", era, "stranger"); got.Instructions != nil || g.lists || !strings.Contains(string(got.Capabilities), "prompts") {
					t.Errorf("who has nothing to do with the server learns %s, and it is asked: %v", got.Capabilities, g.lists)
				}
				for agent, want := range map[string]bool{"looker": true, "reader": true, "other": false, "contradiction": false} {
					got := shake(t, url+"/g", era, agent)
					if (got.Instructions != nil) != want || want && *got.Instructions != "Look first." {
						t.Errorf("%s: got %+v", agent, got)
					}
				}
				if got := shake(t, url, era, "looker"); got.Instructions != nil {
					t.Errorf("on the joint path: %s", *got.Instructions)
				}
				if len(log.all()) != 0 {
					t.Error("a handshake is no call")
				}
			})
		}
	}
}

func TestLongInstructionsAreLeftOut(t *testing.T) {
	for _, more := range []int{0, 1} {
		text := strings.Repeat("x", upstream.MaxInstructions+more)
		url, _ := gateway(t, newServers(t, upstream.Config{
			ID: "g", URL: upstreamtest.Serve(t, &greeter{modern: true, says: `"capabilities":{"tools":{}},"instructions":"` + text + `"`}),
		}), nil)
		if got := shake(t, url+"g", "legacy", ""); (got.Instructions != nil) != (more == 0) || string(got.Capabilities) != `{"tools":{}}` {
			t.Errorf("%d more: %s, %v", more, got.Capabilities, got.Instructions != nil)
		}
	}
}

// A server that says another thing while it is served is heard; what the pins hold is not passed on.
func TestInstructionsAreThoseThatArePinned(t *testing.T) {
	g := &greeter{modern: true, says: `"capabilities":{"tools":{}},"ttlMs":0,"instructions":"One."`}
	pins := &testPins{forms: map[[32]byte]bool{}}
	var elapsed atomic.Int64
	begin := time.Now()
	s, err := upstream.New(upstream.Options{
		Servers: []upstream.Config{{ID: "files", URL: upstreamtest.Serve(t, g)}}, Version: "test", Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return begin.Add(time.Duration(elapsed.Load())) }, Pins: pins,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	url, _ := gateway(t, s, nil)
	said := func() string {
		elapsed.Add(int64(time.Minute))
		if got := shake(t, url+"files", "modern", ""); got.Instructions != nil {
			return *got.Instructions
		}
		return ""
	}
	if got := said(); got != "One." {
		t.Errorf("got %q", got)
	}
	g.say(`"capabilities":{"prompts":{}},"instructions":"Two."`)
	if got := said(); got != "Two." {
		t.Errorf("after a change: got %q", got)
	}
	pins.set(pin.Instructions, nil)
	if got := said(); got != "" {
		t.Errorf("held: got %q", got)
	}
	pins.set("", signalbox.Errorf(signalbox.CodeUnavailable, "The log is full.").WithRemedy("Retry."))
	if got := said(); got != "" {
		t.Errorf("where nothing can be pinned: got %q", got)
	}
	if got := string(shake(t, url+"files", "legacy", "").Capabilities); got != `{"prompts":{}}` {
		t.Errorf("the capabilities are %s", got)
	}
}

// Instructions are pinned as if they were a tool, and no tool can take their name.
func TestNoToolIsCalledLikeTheInstructions(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "g", URL: upstreamtest.Serve(t, &greeter{modern: true, says: `"capabilities":{"tools":{}},"instructions":"One."`})})
	url, _ := gateway(t, s, nil)
	_, list := send(t, url+"g", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`)
	if !strings.Contains(string(list), `"`+MetaRefused+`":["g.`+pin.Instructions+`"]`) || strings.Contains(string(list), `"name":"`+pin.Instructions) {
		t.Errorf("the list is %s", list)
	}
	_, answer := send(t, url+"g", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+pin.Instructions+`","arguments":{}}}`)
	if !strings.Contains(string(answer), `"not_found"`) {
		t.Errorf("it is called: %s", answer)
	}
}
