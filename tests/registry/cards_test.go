package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// publish serves a card that names a remote, and counts who reads it.
func publish(t testing.TB, remote string) (address string, read *atomic.Int64) {
	t.Helper()
	read = &atomic.Int64{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		read.Add(1)
		w.Header().Set("Content-Type", "application/mcp-server-card+json")
		fmt.Fprintf(w, `{"$schema":"https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json","name":"example/x","version":"1","description":"x","remotes":[{"type":"streamable-http","url":%q}]}`, remote)
	}))
	t.Cleanup(web.Close)
	return web.URL + "/mcp/server-card", read
}

// Servers are found by their cards when they are used. A card that leads to where it must not is refused, and the caller is
// told which card, which remote and which address; nobody is connected.
func TestServersByTheirCards(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(inside.Close)
	port := inside.URL[strings.LastIndexByte(inside.URL, ':'):]
	right, read := publish(t, serve(t, tool{"forecast", "Says what the weather will be.", true}))
	trap, _ := publish(t, "https://localhost"+port+"/mcp")
	stolen, _ := publish(t, "https://127.0.0.1"+port+"/mcp")
	i := launch(t, fmt.Sprintf(`weather: {card: %q}
  trap: {card: %q}
  stolen: {card: %q, headers: {Authorization: "Bearer canary"}}
`, right, trap, stolen))
	if a := get(t, i, catalog, anyone); !strings.Contains(a.Body, "in.weather") {
		t.Errorf("the catalog is %s", a.Body)
	}
	if n := read.Load(); n != 0 {
		t.Errorf("the card was read %d times before anybody used the server", n)
	}
	if a := say(t, i, "/mcp/weather", anyone, calling("forecast")); !strings.Contains(a.Body, `"done"`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for id, parts := range map[string][]string{
		"trap":   {trap, "https://localhost" + port + "/mcp", "the private address ", `"code":"upstream"`, `"field":"mcp_servers.trap.card"`},
		"stolen": {stolen, "https://127.0.0.1" + port + "/mcp", "card_origins", `"code":"upstream"`},
	} {
		for _, message := range []string{calling("x"), `"tools/list"`} {
			a := say(t, i, "/mcp/"+id, anyone, message)
			for _, part := range parts {
				if !strings.Contains(a.Body, part) || strings.Contains(a.Body, "canary") {
					t.Errorf("%s: no %s in %d %s", id, part, a.Status, a.Body)
				}
			}
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("what is inside was reached %d times", n)
	}
	if strings.Contains(i.Stderr(), "canary") {
		t.Error("a header is in the log")
	}
}
