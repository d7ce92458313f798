package toolfaults

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// lister is a server that lists the tools that it is given, and does whatever it is asked.
type lister struct {
	*httptest.Server
	era, tools string

	mu     sync.Mutex
	called []string
}

func newLister(t *testing.T, era string, tools ...string) *lister {
	t.Helper()
	l := &lister{era: era, tools: `{"tools":[` + strings.Join(tools, ",") + `],"ttlMs":60000,"cacheScope":"private"}`}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

// ServeHTTP speaks the protocol of the era.
func (l *lister) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || json.Unmarshal(body, &m) != nil || m.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	x := &exchange{w: w, r: r, id: string(m.ID)}
	switch {
	case m.Method == "server/discover" && l.era == modern:
		x.result(`{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}`)
	case m.Method == "initialize" && l.era == legacy:
		x.result(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}`)
	case m.Method == "tools/list":
		x.result(l.tools)
	case m.Method == "tools/call":
		l.mu.Lock()
		defer l.mu.Unlock()
		l.called = append(l.called, m.Params.Name)
		x.result(goodResult)
	default:
		x.write(`{"jsonrpc":"2.0","id":` + x.id + `,"error":{"code":-32601,"message":"Method not found"}}`)
	}
}

// calls gives what was called since it was asked last.
func (l *lister) calls() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	called := l.called
	l.called = nil
	return called
}

// shelf is what a list shows, and what it names as refused.
func (w world) shelf(t *testing.T, path string) (names, refused []string, body string) {
	t.Helper()
	a := w.Send(t, http.MethodPost, path, harness.Agent, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		"Accept", "application/json, text/event-stream", "X-Signalbox-Agent", "clerk")
	var m struct {
		Result struct {
			Tools []struct {
				Name string `json:"name"`
			} `json:"tools"`
			Meta struct {
				Refused []string `json:"signalbox/refused"`
			} `json:"_meta"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(last(a)), &m); err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
	for _, tool := range m.Result.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	slices.Sort(m.Result.Meta.Refused)
	return names, m.Result.Meta.Refused, a.Body
}

// trap is an address that must not be reached. It counts the connections.
func trap(t *testing.T) (address string, reached *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reached = &atomic.Int64{}
	var counting sync.WaitGroup
	counting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		counting.Wait()
	})
	return listener.Addr().String(), reached
}

// remotes are members of tools whose schemas refer to an address, by the tools' names.
var remotes = map[string]string{
	"input":    `"inputSchema":{"type":"object","properties":{"a":{"$ref":"http://@/a.json"}}}`,
	"output":   `"inputSchema":{"type":"object"},"outputSchema":{"type":"object","$ref":"http://@/b.json#/x"}`,
	"escaped":  `"inputSchema":{"type":"object","allOf":[{"\u0024ref":"http:\/\/@\/c.json"}]}`,
	"dynamic":  `"inputSchema":{"type":"object","$dynamicRef":"http://@/d"}`,
	"relative": `"inputSchema":{"$id":"http://@/","type":"object","properties":{"a":{"items":{"$ref":"e.json"}}}}`,
	"nested":   `"inputSchema":{"type":"object","$defs":{"x":{"$ref":"http://@/f.json"}},"properties":{"a":{"$ref":"#/$defs/x"},"A":{}}}`,
	"example":  `"inputSchema":{"type":"object","properties":{"a":{"examples":[{"$ref":"//@/g.json"}]}}}`,
}

// What a schema refers to elsewhere is never fetched. Such a tool is in no list but by its name, among what is refused, and a call
// of it is refused with the reference; other tools of the server go on, also those whose schemas refer to themselves.
func TestRemoteReferences(t *testing.T) {
	t.Parallel()
	address, reached := trap(t)
	tools := []string{`{"name":"good","inputSchema":{"$schema":"http://` + address + `/meta","$id":"http://` + address + `/good","type":"object","$defs":{"x":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/x"},"$ref":{"type":"string"}}}}`}
	var names []string
	for name, members := range remotes {
		names = append(names, name)
		tools = append(tools, `{"name":"`+name+`","description":"bait",`+strings.ReplaceAll(members, "@", address)+`}`)
	}
	slices.Sort(names)
	old, current := newLister(t, legacy, tools...), newLister(t, modern, tools...)
	w := world{harness.Start(t, harness.Options{Config: harness.Simulated + base + fmt.Sprintf(`  old: {url: "%s", pins: {flagged: accept}}
  current: {url: "%s", pins: {flagged: accept}}
`, old.URL, current.URL)}), "current"}
	var all []string
	for server, l := range map[string]*lister{"old": old, "current": current} {
		var refused []string
		for _, name := range names {
			refused = append(refused, server+"."+name)
			r, err := w.use(server, name)
			if err != nil || r.code != signalbox.CodeFrozen || !strings.Contains(r.words, "is refused: its schema refers to") || !strings.Contains(r.words, "Schema/") {
				t.Errorf("%s.%s answers %s %s, %v", server, name, r.code, r.words, err)
			}
			if d := w.Call(t, r.call()); d.Outcome != signalbox.OutcomeDenied || d.Attempts != 0 {
				t.Errorf("%s.%s is recorded as %+v", server, name, d)
			}
		}
		w.good(t, server)
		if called := l.calls(); !slices.Equal(called, []string{"good"}) {
			t.Errorf("%s was asked to run %q", server, called)
		}
		shown, named, body := w.shelf(t, "/mcp/"+server)
		if !slices.Equal(shown, []string{"good"}) || !slices.Equal(named, refused) || strings.Contains(body, "bait") || strings.Contains(body, "signalbox/held") {
			t.Errorf("%s lists %s", server, body)
		}
		all = append(all, refused...)
	}
	slices.Sort(all)
	if shown, named, body := w.shelf(t, "/mcp"); !slices.Equal(shown, []string{"current__good", "old__good"}) || !slices.Equal(named, all) || strings.Contains(body, "bait") {
		t.Errorf("all together list %s", body)
	}
	for _, name := range names {
		if !strings.Contains(w.Stderr(), `msg="a tool is left out" server=old tool=`+name) {
			t.Errorf("the log does not say that %s is left out", name)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the address was reached %d times", n)
	}
	if conn, err := net.Dial("tcp", address); err == nil { // Else nothing would have been counted.
		conn.Close()
	}
	harness.Eventually(t, func() error {
		if reached.Load() != 1 {
			return fmt.Errorf("%d connections are counted", reached.Load())
		}
		return nil
	})
	w.Complete(t)
}

// imitations are names that are easily taken for one another. The last two have one joint name: 32 bits of their hashes agree.
var imitations = [][]string{
	{"Drop", "drop"}, {"send-mail", "send_mail"}, {"list_all", "1ist_a11"}, {"read", "réad"}, {"copy", "сору"}, {"go", "ｇｏ"}, {"갆갅갾", "갈각감"},
}

// unnamed reports whether the policy lets nobody call a tool of that name, whatever is permitted, so that no list names it:
// it has Cyrillic letters beside the Latin ones of its server, or such as stand for others.
func unnamed(name string) bool { return name == "сору" || name == "ｇｏ" }

// under gives the joint name of a tool of the server twins.
func under(name string) string {
	clean := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", r) {
			return r
		}
		return '_'
	}, name)
	if clean == name {
		return "twins__" + name
	}
	return "twins__" + clean + "_" + fmt.Sprintf("%x", sha256.Sum256([]byte("twins."+name)))[:8]
}

// Of names that imitate each other, or come to one joint name, none is served on the joint path, where a model chooses by the
// name; all are named. By its server's own path each is called under exactly its name.
func TestNamesThatImitateEachOther(t *testing.T) {
	t.Parallel()
	var tools, want []string
	offer := func(name string) { tools = append(tools, `{"name":"`+name+`","inputSchema":{"type":"object"}}`) }
	for _, pair := range imitations {
		for _, name := range pair {
			offer(name)
			if !unnamed(name) {
				want = append(want, "twins."+name)
			}
		}
	}
	offer("good")
	offer("goods")
	slices.Sort(want)
	if a, b := under("갆갅갾"), under("갈각감"); a != b {
		t.Fatalf("%s and %s do not collide", a, b)
	}
	l := newLister(t, modern, tools...)
	w := world{harness.Start(t, harness.Options{Config: harness.Simulated + base + fmt.Sprintf("  twins: {url: %q, pins: {flagged: accept}}\n", l.URL)}), "twins"}
	shown, refused, body := w.shelf(t, "/mcp")
	if !slices.Equal(shown, []string{"twins__good", "twins__goods"}) || !slices.Equal(refused, want) {
		t.Errorf("all together list %s", body)
	}
	for _, pair := range imitations {
		for _, name := range pair {
			a := w.Send(t, http.MethodPost, "/mcp", harness.Agent, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+under(name)+`","arguments":{}}}`,
				"Accept", "application/json, text/event-stream", "X-Signalbox-Agent", "clerk")
			if !strings.Contains(a.Body, `"code":"conflict"`) || !strings.Contains(a.Body, "easily taken for") || !strings.Contains(a.Body, "/mcp/twins") {
				t.Errorf("%s answers %s", under(name), a.Body)
			}
		}
	}
	if called := l.calls(); len(called) != 0 {
		t.Errorf("the server was asked to run %q", called)
	}
	for _, pair := range imitations {
		for _, name := range pair {
			r, err := w.use("twins", name)
			called := l.calls()
			if err == nil && unnamed(name) && r.code == signalbox.CodeInvalid && len(called) == 0 {
				continue
			}
			if err != nil || unnamed(name) || r.text != goodText || !slices.Equal(called, []string{name}) {
				t.Errorf("%s by its server's path answers %s %s, %v, and %q ran", name, r.code, r.words, err, called)
			}
		}
	}
	w.Complete(t)
}
