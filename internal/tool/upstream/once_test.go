package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// keyed are headers by which HTTP clients take a request for one that may be sent again.
func keyed() map[string]string {
	return map[string]string{"Idempotency-Key": "k-1", "X-Idempotency-Key": "k-2"}
}

// A server that closes a connection on a call may have acted. No header of the configuration makes it come again.
func TestNoHeaderMakesACallComeTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { answerFirst(t, c, &calls) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	s := newServers(t, Config{ID: "a", URL: "http://" + l.Addr().String(), Headers: keyed()})
	_, err = use(t.Context(), s, "a", "x", `{}`)
	if got := upstreamtest.WantCode(t, err, signalbox.CodeUpstream); !strings.Contains(got.Message, `"a" broke during the call`) {
		t.Errorf("got %v", got)
	}
	s.Close()
	if n := calls.Load(); n != 1 {
		t.Errorf("the call came %d times", n)
	}
}

// answerFirst shakes hands on a connection, and closes it on a call.
func answerFirst(t *testing.T, c net.Conn, calls *atomic.Int64) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(req.Body)
		if req.Header.Get("Idempotency-Key") != "k-1" || req.Header.Get("X-Idempotency-Key") != "k-2" {
			t.Errorf("got headers %v", req.Header)
		}
		if strings.Contains(string(body), rpc.MethodCallTool) {
			calls.Add(1)
			return
		}
		answer := handshake(body)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
	}
}

func handshake(request []byte) string {
	m, _ := rpc.Decode(request)
	return `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}`
}

// overHTTP2 is a wire to a server that breaks each call in that way.
func overHTTP2(t *testing.T, breaks func(*upstreamtest.Stream)) (w *httpWire, calls *atomic.Int64) {
	t.Helper()
	authority := upstreamtest.NewAuthority(t)
	calls = &atomic.Int64{}
	url := upstreamtest.HTTP2(t, authority.Certificate(t, "127.0.0.1", time.Now().Add(time.Hour)), func(s *upstreamtest.Stream) {
		if strings.Contains(string(s.Body), rpc.MethodCallTool) {
			calls.Add(1)
			breaks(s)
			return
		}
		s.Head("application/json")
		s.Data(handshake(s.Body), true)
	})
	w = newHTTPWire(Config{ID: "a", URL: url, Headers: keyed(), ConnectTimeout: time.Minute, CallTimeout: 300 * time.Millisecond}, func(rpc.Message) {})
	w.client.Transport.(once).TLSClientConfig = &tls.Config{RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12}
	t.Cleanup(w.close)
	return w, calls
}

// By HTTP/2 a client may send again what was reset in some ways. We do not: a server that resets a stream may have acted,
// whatever it says.
func TestNoResetMakesACallComeTwice(t *testing.T) {
	for name, breaks := range map[string]func(*upstreamtest.Stream){
		"refused":        func(s *upstreamtest.Stream) { s.Reset(http2.ErrCodeRefusedStream) },
		"protocol error": func(s *upstreamtest.Stream) { s.Reset(http2.ErrCodeProtocol) },
		"internal error": func(s *upstreamtest.Stream) { s.Reset(http2.ErrCodeInternal) },
		"in the answer": func(s *upstreamtest.Stream) {
			s.Head("application/json")
			s.Data("{", false)
			s.Reset(http2.ErrCodeCancel)
		},
		"goes, not seen":  func(s *upstreamtest.Stream) { s.GoAway(false, http2.ErrCodeNo) },
		"goes, seen":      func(s *upstreamtest.Stream) { s.GoAway(true, http2.ErrCodeNo); s.Close() },
		"goes for calm":   func(s *upstreamtest.Stream) { s.GoAway(false, http2.ErrCodeEnhanceYourCalm); s.Close() },
		"closes":          func(s *upstreamtest.Stream) { s.Close() },
		"ends the answer": func(s *upstreamtest.Stream) { s.Head("application/json"); s.Data(`{"jsonrpc":`, true) },
	} {
		t.Run(name, func(t *testing.T) {
			w, calls := overHTTP2(t, breaks)
			if _, err := w.request(t.Context(), rpc.MethodDiscover, "", []byte("{}")); err != nil {
				t.Fatal(err)
			}
			_, err := w.request(t.Context(), rpc.MethodCallTool, "x", []byte("{}"))
			if e, ok := err.(*wireError); !ok || !e.sent { //nolint:errorlint // It is what request promises.
				t.Errorf("got %v", err)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("the call came %d times", n)
			}
			if _, err := w.request(t.Context(), rpc.MethodDiscover, "", []byte("{}")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A connection that has died unnoticed is found out, and given up.
func TestASilentConnectionIsGivenUp(t *testing.T) {
	w, _ := overHTTP2(t, func(s *upstreamtest.Stream) { s.Silence() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.request(ctx, rpc.MethodCallTool, "x", []byte("{}")); err == nil {
		t.Fatal("it answers")
	}
	patient, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for patient.Err() == nil {
		ctx, cancel := context.WithTimeout(patient, 300*time.Millisecond)
		_, err := w.request(ctx, rpc.MethodDiscover, "", []byte("{}"))
		cancel()
		if err == nil {
			return
		}
	}
	t.Error("it is not given up")
}
