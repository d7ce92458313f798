package card

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "172.15.255.255": true, "172.32.0.1": true, "100.63.255.255": true, "100.128.0.0": true, "223.255.255.255": true,
		"2606:4700::1111": true, "2a00::1": true, "::ffff:8.8.8.8": true, "64:ff9b::8.8.8.8": true,
		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false, "192.0.0.8": false, "192.0.2.1": false,
		"198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.9": false, "224.0.0.1": false, "239.255.255.250": false,
		"240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "2a00::1%eth0": false, "fec0::1": false, "fc00::1": false, "fd12:3456::1": false,
		"ff02::1": false, "2001:db8::1": false, "2001::1": false, "2002:7f00:1::1": false, "3fff::1": false, "100::1": false, "::127.0.0.1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "64:ff9b::10.0.0.1": false, "64:ff9b::7f00:1": false,
		"64:ff9b:1::8.8.8.8": false,
	} {
		if got := Public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %v", address, got)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestControl(t *testing.T) {
	outside := Remote{URL: "https://mcp.example.com/mcp?key=canary", card: "https://cards.example/x", server: "files"}
	for _, address := range []string{"10.0.0.1:443", "[::1]:443", "[::ffff:192.168.0.1]:443", "[fe80::1%eth0]:443", "nonsense"} {
		e := signalbox.AsError(outside.Control("tcp", address, nil))
		at, _ := netip.ParseAddrPort(address)
		for _, part := range []string{"https://cards.example/x", `"files"`, "https://mcp.example.com/mcp", at.Addr().String()} {
			if e.Code != signalbox.CodeUpstream || e.Remedy == "" || !strings.Contains(e.Message, part) || strings.Contains(e.Message, "canary") {
				t.Errorf("%s: got %v", address, e)
			}
		}
		if e.Field != "mcp_servers.files.card" {
			t.Errorf("the field is %s", e.Field)
		}
	}
	if err := outside.Control("tcp", "8.8.8.8:443", nil); err != nil {
		t.Error(err)
	}
	inside := outside
	inside.inside = true
	if err := inside.Control("tcp", "10.0.0.1:443", nil); err != nil {
		t.Error(err)
	}
}

// publish serves something in place of a card, and gives its address.
func publish(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/mcp/server-card"
}

// naming serves a card with these remotes; "@" stands for the card's own host and port.
func naming(media, remotes string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", media)
		fmt.Fprintf(w, `{"$schema":"https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json","name":"a/b","version":"1","description":"d","new":1,"remotes":%s}`,
			strings.ReplaceAll(remotes, "@", r.Host))
	}
}

func TestFetch(t *testing.T) {
	const right = `[{"type":"sse","url":"https://x.example/sse"},{"type":"streamable-http","url":"http://@/mcp","headers":[{"name":"X"}]},{"type":"streamable-http","url":"https://y.example/mcp"}]`
	one := func(address string) string { return `[{"type":"streamable-http","url":"` + address + `"}]` }
	large := strings.Repeat(" ", MaxCard)
	secret := map[string]string{"Authorization": "Bearer canary"}
	for _, c := range []struct {
		name    string
		serve   http.HandlerFunc
		headers map[string]string
		origins []string
		want    string // The remote, or what the error says.
	}{
		{name: "the first that can be spoken to", serve: naming(mediaType, right), want: "http://@/mcp"},
		{name: "as JSON", serve: naming("application/json; charset=utf-8", right), want: "http://@/mcp"},
		{name: "with headers, on its own origin", serve: naming(mediaType, right), headers: secret, want: "http://@/mcp"},
		{name: "elsewhere", serve: naming(mediaType, one("https://y.example/mcp")), want: "https://y.example/mcp"},
		{name: "elsewhere, with headers", serve: naming(mediaType, one("https://y.example:8443/mcp")), headers: secret, want: "add https://y.example:8443 to mcp_servers.files.card_origins"},
		{name: "elsewhere, with headers, as permitted", serve: naming(mediaType, one("https://Y.example:443/mcp")), headers: secret, origins: []string{"https://y.example"}, want: "https://Y.example:443/mcp"},
		{name: "on another port of the host", serve: naming(mediaType, one("http://127.0.0.1:1/mcp")), want: "http://127.0.0.1:1/mcp"},
		{name: "on another port, with headers", serve: naming(mediaType, one("http://127.0.0.1:1/mcp")), headers: secret, want: "add http://127.0.0.1:1 to"},
		{name: "without TLS elsewhere", serve: naming(mediaType, one("http://y.example/mcp")), want: "names the remote http://y.example/mcp, which has no TLS"},
		{name: "without TLS on another name of this machine", serve: naming(mediaType, one("http://localhost/mcp")), want: "which has no TLS"},
		{name: "another protocol", serve: naming(mediaType, one("file:///etc/passwd")), want: "whose address can not be used"},
		{name: "with a user", serve: naming(mediaType, one("https://u:canary@y.example/mcp")), want: "whose address can not be used"},
		{name: "with variables", serve: naming(mediaType, one("https://{tenant}.example/mcp")), want: "whose address can not be used"},
		{name: "nowhere", serve: naming(mediaType, one("")), want: "whose address can not be used"},
		{name: "no remote", serve: naming(mediaType, `[{"type":"sse","url":"https://x.example/sse"}]`), want: "names no remote of type streamable-http"},
		{name: "remotes of another shape", serve: naming(mediaType, `{}`), want: "can not be read"},
		{name: "names twice", serve: naming(mediaType, `[],"remotes":[]`), want: "can not be read"},
		{name: "too large", serve: naming(mediaType, large+"[]"), want: "is larger than 65536 bytes"},
		{name: "another type", serve: naming("text/html", right), want: "is not said to be a card"},
		{name: "no type", serve: naming("", right), want: "is not said to be a card"},
		{name: "not there", serve: http.NotFound, want: "is answered with status 404"},
		{name: "a redirect", serve: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://y.example/", http.StatusFound)
		}, want: "is answered with status 302"},
		{name: "breaks off", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{")
		}, want: "breaks off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sent http.Header
			at := publish(t, func(w http.ResponseWriter, r *http.Request) {
				sent = r.Header
				c.serve(w, r)
			})
			r, err := Source{Server: "files", URL: at + "?key=canary", Headers: c.headers, Origins: c.origins}.Fetch(t.Context())
			host := strings.TrimPrefix(strings.TrimSuffix(at, "/mcp/server-card"), "http://")
			if want := strings.ReplaceAll(c.want, "@", host); err == nil && r.URL != want {
				t.Errorf("got %s", r.URL)
			}
			if err != nil {
				e := signalbox.AsError(err)
				if all := e.Message + " " + e.Remedy; !strings.Contains(all, c.want) || !strings.Contains(all, at) || strings.Contains(all, "canary") || e.Field != "mcp_servers.files.card" {
					t.Errorf("got %v", all)
				}
			}
			if sent.Get("Authorization") != c.headers["Authorization"] || !strings.HasPrefix(sent.Get("Accept"), mediaType) {
				t.Errorf("sent was %v", sent)
			}
		})
	}
}

// A remote may be inside only where the card was, under the same host.
func TestInside(t *testing.T) {
	for address, inside := range map[string]bool{"https://127.0.0.1:8443/mcp": true, "https://localhost:8443/mcp": false, "https://127.0.0.2/mcp": false} {
		at := publish(t, naming(mediaType, `[{"type":"streamable-http","url":"`+address+`"}]`))
		r, err := Source{Server: "files", URL: at}.Fetch(t.Context())
		if err != nil || (r.Control("tcp", "127.0.0.1:8443", nil) == nil) != inside {
			t.Errorf("%s: %+v %v", address, r, err)
		}
	}
}

func TestFetchUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := Source{Server: "files", URL: s.URL}.Fetch(t.Context())
	if e := signalbox.AsError(err); e.Code != signalbox.CodeUpstream || !strings.Contains(e.Message, "can not be reached") {
		t.Errorf("got %v", err)
	}
	end := make(chan struct{})
	slow := publish(t, func(http.ResponseWriter, *http.Request) { <-end })
	defer close(end)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := (Source{Server: "files", URL: slow}).Fetch(ctx); signalbox.CodeOf(err) != signalbox.CodeTimeout {
		t.Errorf("got %v", err)
	}
}

func TestOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"https://A.example/x": "https://a.example", "https://a.example:443": "https://a.example", "http://a.example:443": "http://a.example:443",
		"http://a.example:80/": "http://a.example", "https://[2A00::1]:8443/": "https://[2a00::1]:8443",
	} {
		u, err := url.Parse(address)
		if err != nil || origin(u) != want {
			t.Errorf("%s: got %s (%v)", address, origin(u), err)
		}
	}
}

// Whatever a card says, what comes of it has TLS or is on the card's host, and is shown without what may be a secret.
func FuzzRemote(f *testing.F) {
	f.Add(`{"remotes":[{"type":"streamable-http","url":"https://y.example/mcp"}]}`)
	f.Add(`{"remotes":[{"type":"streamable-http","url":"http://169.254.169.254/latest"}]}`)
	f.Add(`{"remotes":[{"type":"streamable-http","url":"https://u:p@h/#x"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Source{Server: "files", URL: "https://cards.example/x"}.remote([]byte(text))
		if err != nil {
			if signalbox.CodeOf(err) != signalbox.CodeUpstream {
				t.Errorf("got %v", err)
			}
			return
		}
		if u.Host == "" || u.User != nil || u.Fragment != "" || json.Check([]byte(text), json.Limits{}) != nil {
			t.Errorf("%q gives %s", text, u)
		}
	})
}
