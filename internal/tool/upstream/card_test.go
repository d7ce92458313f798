package upstream

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// carded serves tools at /mcp, and their card, which names a remote: "@" stands for its own host and port. It counts how
// often the card was read, and requests to the server that lack a header.
func carded(t *testing.T, remote string) (address string, read, bare *atomic.Int64) {
	t.Helper()
	read, bare = &atomic.Int64{}, &atomic.Int64{}
	server := upstreamtest.New()
	tools := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	mux := http.NewServeMux()
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") == "" {
			bare.Add(1)
		}
		tools.ServeHTTP(w, r)
	})
	mux.HandleFunc("/mcp/server-card", func(w http.ResponseWriter, r *http.Request) {
		read.Add(1)
		w.Header().Set("Content-Type", "application/mcp-server-card+json")
		fmt.Fprintf(w, `{"remotes":[{"type":"streamable-http","url":%q}]}`, strings.ReplaceAll(remote, "@", r.Host))
	})
	return upstreamtest.Serve(t, mux), read, bare
}

// A server is found by its card when it is used first, and what is configured goes to it.
func TestCard(t *testing.T) {
	address, read, bare := carded(t, "http://@/mcp")
	s := newServers(t, Config{ID: "files", Card: address + "/mcp/server-card", Headers: map[string]string{"X-Key": "x"}})
	u, err := s.Find("files")
	if err != nil || read.Load() != 0 {
		t.Fatalf("the card was read %d times (%v)", read.Load(), err)
	}
	for range 2 {
		if list, err := u.Tools(t.Context()); err != nil || len(list.Tools) == 0 {
			t.Fatalf("got %v, %v", list, err)
		}
	}
	if read.Load() != 1 || bare.Load() != 0 {
		t.Errorf("the card was read %d times, and %d requests lack the header", read.Load(), bare.Load())
	}
}

// What a card must not lead to is refused before a byte is sent there, and the error says which card, remote and address.
func TestRefusedCard(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var reached atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, c := range []struct {
		name, remote string
		headers      map[string]string
		want         []string
	}{
		{"a name of this machine", "https://localhost:" + port + "/mcp", nil, []string{"https://localhost:" + port + "/mcp", "the private address 127.0.0.1"}},
		{"another address of this machine", "https://127.0.0.2:" + port + "/mcp", nil, []string{"https://127.0.0.2:" + port + "/mcp", "the private address 127.0.0.2"}},
		{"a private network", "https://10.255.255.1/mcp", nil, []string{"the private address 10.255.255.1"}},
		{"an address of metadata", "https://169.254.169.254/mcp", nil, []string{"the private address 169.254.169.254"}},
		{"IPv4 within IPv6", "https://[::ffff:192.168.0.1]/mcp", nil, []string{"the private address"}},
		{"without TLS", "http://localhost:" + port + "/mcp", nil, []string{"which has no TLS"}},
		{"with headers", "https://127.0.0.1:" + port + "/mcp", map[string]string{"X-Key": "canary"}, []string{"card_origins"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			address, _, _ := carded(t, c.remote)
			s := newServers(t, Config{ID: "files", Card: address + "/mcp/server-card", Headers: c.headers})
			u, err := s.Find("files")
			if err != nil {
				t.Fatal(err)
			}
			_, err = u.Tools(t.Context())
			e := upstreamtest.WantCode(t, err, signalbox.CodeUpstream)
			for _, part := range append(c.want, address+"/mcp/server-card", "files") {
				if !strings.Contains(e.Message+" "+e.Remedy, part) || strings.Contains(e.Message, "canary") {
					t.Errorf("no %q in: %s %s", part, e.Message, e.Remedy)
				}
			}
			if state := s.States()[0]; state.Connection != Broken {
				t.Errorf("the state is %+v", state)
			}
		})
	}
	if reached.Load() != 0 {
		t.Errorf("%d connections were made", reached.Load())
	}
}
