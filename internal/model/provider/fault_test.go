package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/provider"
	"github.com/signalbox/signalbox/internal/model/sse"
)

// wireFault is an upstream that breaks on the level of the connection: it reads the head of the request, writes bytes
// and ends the connection in one way or another.
type wireFault struct {
	write func(f format, stream bool) string
	reset bool // RST instead of FIN.
}

func (w wireFault) serve(t *testing.T, f format, stream bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			w.answer(conn.(*net.TCPConn), f, stream)
		}
	}()
	return "http://" + l.Addr().String()
}

func (w wireFault) answer(conn *net.TCPConn, f format, stream bool) {
	defer conn.Close()
	readRequest(conn)
	io.WriteString(conn, w.write(f, stream))
	if w.reset {
		time.Sleep(20 * time.Millisecond) // A reset overtakes bytes that are on their way.
		conn.SetLinger(0)
	}
}

// readRequest reads the head and as many bytes as it announces, so that closing does not reset by itself.
func readRequest(conn net.Conn) {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		head, body, found := strings.Cut(string(all), "\r\n\r\n")
		var length int
		if i := strings.Index(head, "Content-Length: "); i >= 0 {
			fmt.Sscanf(head[i:], "Content-Length: %d", &length)
		}
		if err != nil || found && len(body) >= length {
			return
		}
	}
}

func head(kind, more string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: " + kind + "\r\nConnection: close\r\n" + more + "\r\n"
}

func headOf(stream bool) string {
	if stream {
		return head("text/event-stream", "")
	}
	return head("application/json", "Content-Length: 5000\r\n")
}

func TestBrokenBeforeTheFirstPart(t *testing.T) {
	nothing := func(format, bool) string { return "" }
	onlyHead := func(_ format, stream bool) string { return headOf(stream) }
	tests := map[string]wireFault{
		"FIN before the head":      {write: nothing},
		"reset before the head":    {write: nothing, reset: true},
		"FIN in the head":          {write: func(format, bool) string { return "HTTP/1.1 200 OK\r\nContent-" }},
		"no HTTP":                  {write: func(format, bool) string { return "hello there\r\n\r\n" }},
		"a head without end":       {write: func(format, bool) string { return "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 200<<10) }},
		"FIN after the head":       {write: onlyHead},
		"reset after the head":     {write: onlyHead, reset: true},
		"FIN in the first bytes":   {write: func(f format, stream bool) string { return headOf(stream) + f.begin(stream) }},
		"reset in the first bytes": {write: func(f format, stream bool) string { return headOf(stream) + f.begin(stream) }, reset: true},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f format, stream bool) {
				o := attempt(t.Context(), t, backend(t, f, fault.serve(t, f, stream), nil), track(f, stream), candidate(f))
				ae := asAttempt(t, o.opened)
				if ae.Err.Code != signalbox.CodeUpstream || !ae.Next || !ae.Sent || ae.HTTPStatus != 0 || ae.Err.Remedy == "" {
					t.Errorf("got %+v: %v", ae, ae.Err)
				}
			})
		})
	}
}

// begin is the beginning of an answer, in the middle of its first event.
func (f format) begin(stream bool) string {
	if stream {
		return f.events[0][:len(f.events[0])-9]
	}
	return f.unary[:40]
}

func TestStreamBrokenInTheMiddle(t *testing.T) {
	some := func(n, cut int) func(f format, _ bool) string {
		return func(f format, _ bool) string {
			events := strings.Join(f.events[:len(f.events)-n], "")
			return headOf(true) + events[:len(events)-cut]
		}
	}
	tests := map[string]wireFault{
		"FIN after some events":         {write: some(3, 0)},
		"FIN before the terminal event": {write: some(1, 0)},
		"FIN inside an event":           {write: some(2, 5)},
		"FIN inside the terminal event": {write: some(0, 1)},
		"reset after some events":       {write: some(2, 0), reset: true},
	}
	for name, fault := range tests {
		for _, f := range formats {
			t.Run(name+" "+string(f.protocol), func(t *testing.T) {
				o := attempt(t.Context(), t, backend(t, f, fault.serve(t, f, true), nil), track(f, true), candidate(f))
				if o.opened != nil {
					t.Fatal(o.opened)
				}
				if o.terminal || signalbox.CodeOf(o.broke) != signalbox.CodeUpstream {
					t.Errorf("terminal %v, broke %v", o.terminal, o.broke)
				}
				if len(o.parts) == 0 || o.report.HTTPStatus != 200 {
					t.Errorf("%d parts, report %+v", len(o.parts), o.report)
				}
			})
		}
	}
}

func TestMalformedStreams(t *testing.T) {
	tests := map[string]string{
		"no JSON":                "data: {oops\n\n",
		"not an object":          "data: 7\n\n",
		"bytes that are no text": "data: \xff\xfe\n\n",
		"NUL":                    "data: {\"a\":\"\x00\"}\n\n",
		"an endless line":        "data: " + strings.Repeat("x", sse.MaxEventBytes+10),
		"an error event":         "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy.\"}}\n\n",
	}
	for name, bad := range tests {
		for _, f := range formats {
			for _, before := range []int{0, 2} {
				t.Run(fmt.Sprintf("%s after %d events of %s", name, before, f.protocol), func(t *testing.T) {
					base := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Content-Type", "text/event-stream")
						io.WriteString(w, strings.Join(f.events[:before], "")+bad)
					})
					o := attempt(t.Context(), t, backend(t, f, base, nil), track(f, true), candidate(f))
					err := o.opened
					if before > 0 {
						err = o.broke
					} else if ae := asAttempt(t, o.opened); !ae.Next {
						t.Errorf("no other candidate may be tried: %v", ae)
					}
					if code := signalbox.CodeOf(err); o.terminal || code != signalbox.CodeUpstream && code != signalbox.CodeUnavailable {
						t.Errorf("opened %v, broke %v", o.opened, o.broke)
					}
				})
			}
		}
	}
}

func TestMalformedBodies(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "oops", "two documents": "{}{}", "an array": "[]", "half": openaiUnary[:60],
	} {
		for _, f := range formats {
			base := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, body)
			})
			ae := asAttempt(t, attempt(t.Context(), t, backend(t, f, base, nil), track(f, false), candidate(f)).opened)
			if ae.Err.Code != signalbox.CodeUpstream || !ae.Next {
				t.Errorf("%s in %s: %+v, %v", name, f.protocol, ae, ae.Err)
			}
		}
	}
}

func TestTooLargeAnswer(t *testing.T) {
	f := formats[0]
	base := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		block := []byte(strings.Repeat(" ", 1<<20))
		for range provider.MaxAnswerBytes>>20 + 1 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	ae := asAttempt(t, attempt(t.Context(), t, backend(t, f, base, nil), track(f, false), candidate(f)).opened)
	if ae.Err.Code != signalbox.CodeUpstream || !strings.Contains(ae.Err.Message, "more than") {
		t.Errorf("got %v", ae.Err)
	}
}

func TestCallerGoneCutsTheUpstream(t *testing.T) {
	each(t, func(t *testing.T, f format, stream bool) {
		gone := make(chan struct{})
		base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			if stream {
				io.WriteString(w, f.events[0])
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
			close(gone)
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		timer := time.AfterFunc(50*time.Millisecond, cancel)
		defer timer.Stop()
		o := attempt(ctx, t, backend(t, f, base, nil), track(f, stream), candidate(f))
		err := o.opened
		if stream {
			err = o.broke
		} else if ae := asAttempt(t, err); ae.Next {
			t.Error("another candidate would be tried for nobody")
		}
		if signalbox.CodeOf(err) != signalbox.CodeCancelled {
			t.Errorf("opened %v, broke %v", o.opened, o.broke)
		}
		select {
		case <-gone:
		case <-time.After(time.Second):
			t.Error("the upstream was not cut within a second")
		}
	})
}

func TestCloseCutsTheUpstream(t *testing.T) {
	f := formats[1]
	gone := make(chan struct{})
	base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, f.events[0])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	up, err := backend(t, f, base, nil).Open(t.Context(), track(f, true), candidate(f), signalbox.StartSpan("", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := up.Close(); err != nil {
			t.Error(err)
		}
	}
	select {
	case <-gone:
	case <-time.After(time.Second):
		t.Error("the upstream was not cut within a second")
	}
	if _, err := up.Next(t.Context()); signalbox.CodeOf(err) != signalbox.CodeCancelled {
		t.Errorf("Next after Close: %v", err)
	}
}

func TestNextObeysItsOwnContext(t *testing.T) {
	f := formats[0]
	base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, f.events[0])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	up, err := backend(t, f, base, nil).Open(t.Context(), track(f, true), candidate(f), signalbox.StartSpan("", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := up.Next(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := up.Next(ctx); signalbox.CodeOf(err) != signalbox.CodeTimeout {
		t.Errorf("got %v, want that the time is up", err)
	}
}

// A connection whose answer has been read serves the next call too.
func TestConnectionsAreUsedAgain(t *testing.T) {
	each(t, func(t *testing.T, f format, stream bool) {
		opened := 0
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			answer(w, f, stream)
		}))
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				opened++
			}
		}
		server.Start()
		defer server.Close()
		b := backend(t, f, server.URL, nil)
		for range 5 {
			if o := attempt(t.Context(), t, b, track(f, stream), candidate(f)); !o.terminal {
				t.Fatal(o.opened, o.broke)
			}
		}
		if opened != 1 {
			t.Errorf("%d connections for five calls", opened)
		}
	})
}

func TestUnaryAfterItsEnd(t *testing.T) {
	f := formats[0]
	base := upstream(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, f, false) })
	up, err := backend(t, f, base, nil).Open(t.Context(), track(f, false), candidate(f), signalbox.StartSpan("", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := up.Next(cancelled); signalbox.CodeOf(err) != signalbox.CodeCancelled {
		t.Errorf("Next for a caller who has gone: %v", err)
	}
	if part, err := up.Next(t.Context()); err != nil || !part.Terminal {
		t.Errorf("got %v, %v", part, err)
	}
	if _, err := up.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the terminal part: %v", err)
	}
}

// roundTrip is a function as network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNetworkErrorsSayWhatFailed(t *testing.T) {
	late := &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	tests := []struct {
		err  error
		code signalbox.Code
		want string
	}{
		{&net.DNSError{Name: "secret-host", Err: "no such host"}, signalbox.CodeUpstream, "does not resolve"},
		{&net.OpError{Op: "dial", Err: errors.New("no route")}, signalbox.CodeUpstream, "could not be reached"},
		{late, signalbox.CodeTimeout, "could not be reached within 5s"},
		{errors.New("anything at secret-host"), signalbox.CodeUpstream, "broke the connection"},
	}
	for _, test := range tests {
		f := formats[0]
		b := backend(t, f, "http://upstream.invalid", func(c *provider.Config) {
			c.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return nil, test.err })
		})
		ae := asAttempt(t, attempt(t.Context(), t, b, track(f, false), candidate(f)).opened)
		if ae.Err.Code != test.code || !strings.Contains(ae.Err.Message, test.want) || !ae.Next {
			t.Errorf("%v became %v", test.err, ae)
		}
		if strings.Contains(ae.Err.Message, "secret-host") {
			t.Errorf("the message shows where we looked: %s", ae.Err.Message)
		}
	}
}

// Comments come before the first event; they are passed on with it.
func TestCommentsBeforeTheFirstEvent(t *testing.T) {
	f := formats[0]
	base := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, ": working\n\n: still\n\n"+strings.Join(f.events, ""))
	})
	o := attempt(t.Context(), t, backend(t, f, base, nil), track(f, true), candidate(f))
	if !o.terminal || !strings.HasPrefix(o.parts[0], ": working\n\n: still\n\ndata: ") {
		t.Errorf("opened %v, broke %v, parts %q", o.opened, o.broke, o.parts)
	}
}
