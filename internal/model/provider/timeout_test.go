package provider_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/provider"
)

// slow is a network that takes its time. Delays are those of a synctest bubble.
type slow struct {
	connect, head time.Duration
	body          []piece
	kind          string
}

// piece is some bytes of a body that come after a delay.
type piece struct {
	after time.Duration
	text  string
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := wait(r.Context(), s.connect); err != nil {
		return nil, err
	}
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GotConn(httptrace.GotConnInfo{})
	trace.WroteHeaders()
	if err := wait(r.Context(), s.head); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {s.kind}}, Body: &slowBody{ctx: r.Context(), pieces: s.body},
	}, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

type slowBody struct {
	ctx    context.Context
	pieces []piece
}

func (b *slowBody) Read(p []byte) (int, error) {
	if len(b.pieces) == 0 {
		return 0, io.EOF
	}
	next := b.pieces[0]
	if err := wait(b.ctx, next.after); err != nil {
		return 0, err
	}
	b.pieces = b.pieces[1:]
	return copy(p, next.text), nil
}

func (b *slowBody) Close() error { return nil }

func TestTimeouts(t *testing.T) {
	f := formats[0]
	never := time.Hour
	stream := func(after ...time.Duration) []piece {
		var list []piece
		for i, e := range f.events {
			list = append(list, piece{after[min(i, len(after)-1)], e})
		}
		return list
	}
	limits := provider.Timeouts{Connect: time.Second, FirstByte: 10 * time.Second, Idle: 5 * time.Second, Total: 30 * time.Second}
	tests := []struct {
		name   string
		net    slow
		stream bool
		want   string // Of the message; "" is a whole answer.
		sent   bool
		opened bool // The failure comes later than Open.
		took   time.Duration
	}{
		{"no connection", slow{connect: never}, false, "could not be reached within 1s", false, false, time.Second},
		{"no head", slow{head: never}, false, "did not begin to answer within 10s", true, false, 10 * time.Second},
		{"no first part", slow{body: stream(never)}, true, "did not begin to answer within 10s", true, false, 10 * time.Second},
		{"comments are no first part", slow{body: []piece{{6 * time.Second, ": ping\n\n"}, {6 * time.Second, ": ping\n\n"}}}, true, "did not begin to answer within 10s", true, false, 10 * time.Second},
		{"silence in a stream", slow{body: stream(0, 4*time.Second, never)}, true, "fell silent for 5s", true, true, 9 * time.Second},
		{"silence in a body", slow{body: []piece{{0, "{"}, {4 * time.Second, "}"}, {never, ""}}}, false, "fell silent for 5s", true, false, 9 * time.Second},
		{"an answer without end", slow{body: repeat(40, piece{time.Second, " "})}, false, "did not complete its answer within 30s", true, false, 30 * time.Second},
		{"just in time", slow{connect: 999 * time.Millisecond, head: 9 * time.Second, body: stream(0, 4*time.Second)}, true, "", true, true, 25999 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.net.kind = "application/json"
				if test.stream {
					test.net.kind = "text/event-stream"
				}
				b := backend(t, f, "http://upstream.invalid", func(c *provider.Config) { c.Timeouts, c.Transport = limits, test.net })
				start := time.Now()
				o := attempt(t.Context(), t, b, track(f, test.stream), candidate(f))
				if took := time.Since(start); took != test.took {
					t.Errorf("took %s, want %s", took, test.took)
				}
				if test.want == "" {
					if !o.terminal {
						t.Errorf("opened %v, broke %v", o.opened, o.broke)
					}
					return
				}
				err := o.broke
				if !test.opened {
					ae := asAttempt(t, o.opened)
					err = ae
					if !ae.Next || ae.Sent != test.sent {
						t.Errorf("got %+v", ae)
					}
				}
				if e := signalbox.AsError(err); e.Code != signalbox.CodeTimeout || !strings.Contains(e.Message, test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
			})
		})
	}
}

func repeat(n int, p piece) []piece {
	list := make([]piece, n)
	for i := range list {
		list[i] = p
	}
	return list
}

func TestTimeIsUpForTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := formats[0]
		b := backend(t, f, "http://upstream.invalid", func(c *provider.Config) { c.Transport = slow{head: time.Hour} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ae := asAttempt(t, attempt(ctx, t, b, track(f, false), candidate(f)).opened)
		if ae.Err.Code != signalbox.CodeTimeout {
			t.Errorf("got %v", ae)
		}
	})
}

func TestDefaultTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := formats[0]
		b := backend(t, f, "http://upstream.invalid", func(c *provider.Config) {
			c.Transport, c.Timeouts = slow{head: time.Hour}, provider.Timeouts{}
		})
		start := time.Now()
		if o := attempt(t.Context(), t, b, track(f, false), candidate(f)); o.opened == nil {
			t.Error("it answered")
		}
		if took := time.Since(start); took != provider.DefaultFirstByte {
			t.Errorf("took %s", took)
		}
	})
}
