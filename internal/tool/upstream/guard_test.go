package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// moody is a modern server over HTTP whose calls end as it is told.
type moody struct {
	url    string
	status atomic.Int64 // Of the next calls; 0 is a good answer.
	calls  atomic.Int64
	hold   chan struct{} // Calls wait for it to be closed.
}

func newMoody(t *testing.T) *moody {
	t.Helper()
	m := &moody{hold: make(chan struct{})}
	close(m.hold)
	good := upstreamtest.Forward(upstreamtest.OverHTTP(t, true))
	m.url = upstreamtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") != rpc.MethodCallTool {
			good.ServeHTTP(w, r)
			return
		}
		m.calls.Add(1)
		select {
		case <-m.hold:
		case <-r.Context().Done():
		}
		if status := int(m.status.Load()); status != 0 {
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(status)
			return
		}
		good.ServeHTTP(w, r)
	}))
	return m
}

func TestMoreCallsThanPlacesWaitAndAreTurnedAway(t *testing.T) {
	m := newMoody(t)
	m.hold = make(chan struct{})
	s := newServers(t, Config{ID: "a", URL: m.url, MaxCalls: 2, PlaceWait: 50 * time.Millisecond}, Config{ID: "b", URL: upstreamtest.OverHTTP(t, true)})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := use(t.Context(), s, "a", "echo", `{}`); err != nil {
				t.Error(err)
			}
		})
	}
	for m.calls.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	_, err := use(t.Context(), s, "a", "echo", `{}`)
	if e := upstreamtest.WantCode(t, err, signalbox.CodeUnavailable); e.RetryAfter <= 0 || !strings.Contains(e.Message, "2 calls") {
		t.Errorf("got %+v", e)
	}
	if _, err := use(t.Context(), s, "b", "echo", `{}`); err != nil {
		t.Errorf("another server: %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err = use(gone, s, "a", "echo", `{}`)
	upstreamtest.WantCode(t, err, signalbox.CodeCancelled)
	if got := s.States()[0]; got.InFlight != 2 || got.Places != 2 || got.Declined != 1 {
		t.Errorf("got %+v", got)
	}
	close(m.hold)
	wg.Wait()
	if _, err := use(t.Context(), s, "a", "echo", `{}`); err != nil {
		t.Error(err)
	}
}

func TestAServerThatFailsIsGivenAPause(t *testing.T) {
	m := newMoody(t)
	var elapsed atomic.Int64
	begin := time.Now()
	s, err := New(Options{
		Servers: []Config{{ID: "a", URL: m.url, Breaker: breaker.Rules{Failures: 3, Pause: time.Minute, MaxPause: time.Hour}}},
		Version: "test", Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return begin.Add(time.Duration(elapsed.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	calls := func(want signalbox.Code, sent int64) {
		t.Helper()
		before := m.calls.Load()
		_, err := use(t.Context(), s, "a", "echo", `{}`)
		upstreamtest.WantCode(t, err, want)
		if n := m.calls.Load() - before; n != sent {
			t.Errorf("sent %d times, want %d", n, sent)
		}
	}
	m.status.Store(401)
	for range 5 { // The server works, and wants something else.
		calls(signalbox.CodeUpstream, 1)
	}
	m.status.Store(500)
	for range 3 {
		calls(signalbox.CodeUpstream, 1)
	}
	calls(signalbox.CodeUnavailable, 0)
	if got := s.States()[0]; got.Breaker != breaker.Open || got.Until.IsZero() {
		t.Errorf("the breaker is %s until %s", got.Breaker, got.Until)
	}
	elapsed.Store(int64(time.Minute))
	m.status.Store(429)
	calls(signalbox.CodeRateLimited, 1)
	calls(signalbox.CodeUnavailable, 0)
	elapsed.Store(int64(3 * time.Minute))
	m.status.Store(0)
	for range 3 {
		calls("", 1)
	}
	if got := s.States()[0]; got.Breaker != breaker.Closed || got.Failures != 0 || got.Connection != Connected {
		t.Errorf("got %+v", got)
	}
}

func TestStatusesHaveTheirCodes(t *testing.T) {
	for status, want := range map[int]struct {
		code  signalbox.Code
		after time.Duration
	}{
		401: {signalbox.CodeUpstream, 9 * time.Second}, 403: {signalbox.CodeUpstream, 9 * time.Second}, 404: {signalbox.CodeUpstream, 9 * time.Second},
		429: {signalbox.CodeRateLimited, 9 * time.Second}, 500: {signalbox.CodeUpstream, 9 * time.Second},
		503: {signalbox.CodeUnavailable, 9 * time.Second}, 529: {signalbox.CodeUnavailable, 9 * time.Second},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			m := newMoody(t)
			m.status.Store(int64(status))
			s := newServers(t, Config{ID: "a", URL: m.url})
			_, err := use(t.Context(), s, "a", "echo", `{}`)
			if e := upstreamtest.WantCode(t, err, want.code); e.RetryAfter != want.after || !strings.Contains(e.Message, fmt.Sprint(status)) {
				t.Errorf("got %+v", e)
			}
		})
	}
	t.Run("already when it is connected", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		defer srv.Close()
		s := newServers(t, Config{ID: "a", URL: srv.URL})
		_, err := use(t.Context(), s, "a", "echo", `{}`)
		if e := upstreamtest.WantCode(t, err, signalbox.CodeUnavailable); e.RetryAfter != 9*time.Second {
			t.Errorf("got %+v", e)
		}
	})
}

// A child that hears and never answers is started again once it has cost enough calls.
func TestAChildThatHangsIsStartedAgain(t *testing.T) {
	server := child("a", "hangs")
	server.CallTimeout = 100 * time.Millisecond
	server.Breaker = breaker.Rules{Failures: 2, Pause: 10 * time.Millisecond, MaxPause: 10 * time.Millisecond}
	s := newServers(t, server)
	for range 500 {
		_, err := use(t.Context(), s, "a", "state", `{}`)
		if err == nil {
			t.Fatal("it does not hang")
		}
		if s.byID["a"].started.Load() > 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it was never started again")
}

func TestAChildThatCanNotBeTrustedIsNamed(t *testing.T) {
	for role, want := range map[string]string{
		"flood": "10000 lines", "another id": "a request that was never made", "half a line": "its process has ended", "dies at once": "exit status 3",
	} {
		t.Run(role, func(t *testing.T) {
			s := newServers(t, child("a", role))
			var messages []string
			for range 3 { // It may take its time to be known.
				_, err := use(t.Context(), s, "a", "echo", `{}`)
				if err == nil {
					t.Fatal("it works")
				}
				messages = append(messages, err.Error())
			}
			if !strings.Contains(strings.Join(messages, "\n"), want) {
				t.Errorf("got %q, want %q", messages, want)
			}
		})
	}
}
