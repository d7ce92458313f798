package toolfaults

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
	"github.com/signalbox/signalbox/tests/harness"
)

// blackHole is an address at which no connection comes about and none is refused: what is sent there gets no answer.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil { // It has place for one that nobody accepts.
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	for range 16 {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the listener takes all connections")
	return ""
}

// trusting gives the environment of an instance that trusts the authority, and no other.
func trusting(t *testing.T, a *upstreamtest.Authority) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, a.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"SSL_CERT_FILE=" + file, "SSL_CERT_DIR=" + filepath.Dir(file)}
}

// No call leaves for a server that does not show the right certificate, or takes no connection, be it from the beginning or
// while it is in use.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	authority, s := upstreamtest.NewAuthority(t), newServer(t)
	soon := time.Now().Add(time.Hour)
	good := authority.Certificate(t, "127.0.0.1", soon)
	cases := map[string]struct {
		certificate tls.Certificate
		words       string
	}{
		"expired":   {authority.Certificate(t, "127.0.0.1", time.Now().Add(-time.Hour)), "its certificate has expired or is not valid yet"},
		"stranger":  {authority.Certificate(t, "other.example", soon), "its certificate is one of another host"},
		"untrusted": {upstreamtest.NewAuthority(t).Certificate(t, "127.0.0.1", soon), "its certificate is not trusted"},
	}
	text := harness.Simulated + base + "  steady: {url: \"" + s.URL + "/modern/json/none\"}\n"
	text += fmt.Sprintf("  hole: {url: \"http://%s/mcp\", price: {per_call: %s}, timeouts: {connect: 1s}}\n", blackHole(t), price)
	shown := map[string]*atomic.Pointer[tls.Certificate]{}
	for id := range cases {
		now := &atomic.Pointer[tls.Certificate]{}
		now.Store(&good)
		shown[id] = now
		front := httptest.NewUnstartedServer(s)
		front.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{*now.Load()}, MinVersion: tls.VersionTLS12}, nil
		}}
		front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // Of handshakes that fail.
		front.Config.SetKeepAlivesEnabled(false)                                        // Each request has a handshake of its own.
		front.StartTLS()
		t.Cleanup(front.Close)
		text += fmt.Sprintf("  %s: {url: \"%s/modern/json/%s\", price: {per_call: %s}, timeouts: {connect: %s}, breaker: {failures: 0}}\n", id, front.URL, id, price, patience)
	}
	w := world{harness.Start(t, harness.Options{Config: text, Env: trusting(t, authority)}), "steady"}
	for id, c := range cases {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w.good(t, id)
			shown[id].Store(&c.certificate)
			r, err := w.use(id, toolBroken)
			if err != nil || r.code != signalbox.CodeUpstream || !strings.Contains(r.words, c.words) || !strings.Contains(r.words, id) {
				t.Errorf("got %s %q, %v; want %q", r.code, r.words, err, c.words)
			}
			w.recorded(t, r, fault{code: signalbox.CodeUpstream, cost: free})
			if n := s.callsOf("/modern/json/" + id); n != 0 {
				t.Errorf("the tool was called %d times", n)
			}
			shown[id].Store(&good)
			w.recovers(t, id)
		})
	}
	t.Run("hole", func(t *testing.T) {
		t.Parallel()
		r, err := w.use("hole", toolBroken)
		if err != nil || r.code != signalbox.CodeTimeout || !strings.Contains(r.words, `"hole" did not answer in time`) {
			t.Errorf("got %s %q, %v", r.code, r.words, err)
		}
		if r.took < 900*time.Millisecond || r.took > time.Second+patience {
			t.Errorf("it took %s", r.took)
		}
		w.good(t, w.steady)
	})
}

// A server that speaks HTTP/2 breaks off in the ways that only HTTP/2 has. The call arrives once, and the next one is served.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	authority := upstreamtest.NewAuthority(t)
	certificate := authority.Certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	faults := map[string]struct {
		fault
		do func(s *upstreamtest.Stream, answer string)
	}{
		"refused":     {fault{code: signalbox.CodeUpstream, cost: price}, func(s *upstreamtest.Stream, _ string) { s.Reset(http2.ErrCodeRefusedStream) }},
		"protocol":    {fault{code: signalbox.CodeUpstream, cost: price}, func(s *upstreamtest.Stream, _ string) { s.Reset(http2.ErrCodeProtocol) }},
		"internal":    {fault{code: signalbox.CodeUpstream, cost: price}, func(s *upstreamtest.Stream, _ string) { s.Reset(http2.ErrCodeInternal) }},
		"goes-unseen": {fault{code: signalbox.CodeUpstream, cost: price}, func(s *upstreamtest.Stream, _ string) { s.GoAway(false, http2.ErrCodeNo) }},
		"goes-and-closes": {fault{code: signalbox.CodeUpstream, cost: price}, func(s *upstreamtest.Stream, answer string) {
			s.Head("application/json")
			s.Data(answer[:20], false)
			s.GoAway(true, http2.ErrCodeNo)
			s.Close()
		}},
		"resets-in-the-answer": {fault{code: signalbox.CodeUpstream, cost: price}, func(s *upstreamtest.Stream, answer string) {
			s.Head("application/json")
			s.Data(answer[:20], false)
			s.Reset(http2.ErrCodeInternal)
		}},
		"goes-and-answers": {fault{cost: price}, func(s *upstreamtest.Stream, answer string) {
			s.Head("application/json")
			s.Data(answer[:20], false)
			s.GoAway(true, http2.ErrCodeNo)
			s.Data(answer[20:], true)
		}},
		"falls-silent": {fault{code: signalbox.CodeTimeout, cost: price}, func(s *upstreamtest.Stream, _ string) { s.Silence() }},
	}
	text, calls := harness.Simulated+base, map[string]*atomic.Int64{}
	steady := newServer(t)
	text += "  steady: {url: \"" + steady.URL + "/modern/json/none\"}\n"
	for id, f := range faults {
		n := &atomic.Int64{}
		calls[id] = n
		url := upstreamtest.HTTP2(t, certificate, func(s *upstreamtest.Stream) {
			broken, answer := answerOf(s.Body)
			if broken {
				n.Add(1)
				f.do(s, answer)
				return
			}
			s.Head("application/json")
			s.Data(answer, true)
		})
		text += fmt.Sprintf("  %s: {url: %q, headers: {Idempotency-Key: k}, price: {per_call: %s}, timeouts: {connect: %s, total: %s}}\n", id, url, price, patience, f.limit())
	}
	w := world{harness.Start(t, harness.Options{Config: text, Env: trusting(t, authority)}), "steady"}
	for id, f := range faults {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w.recovers(t, id)
			w.breaks(t, id, f.fault)
			w.recovers(t, id)
			if n := calls[id].Load(); n != 1 {
				t.Errorf("the tool was called %d times", n)
			}
		})
	}
}

// answerOf answers a message as a modern server does, and reports whether it calls the broken tool.
func answerOf(body []byte) (broken bool, answer string) {
	var m struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return false, ""
	}
	result := goodResult
	switch m.Method {
	case "server/discover":
		result = `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}`
	case "tools/list":
		result = toolList
	}
	return m.Params.Name == toolBroken, `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + result + `}`
}
