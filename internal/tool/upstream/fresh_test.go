package upstream

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// lister is a server of the newest version with one tool, on two pages of which each says for how long it counts.
type lister struct {
	address string
	asked   atomic.Int64
}

func newLister(t *testing.T, first, second string) *lister {
	t.Helper()
	l := &lister{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m, err := rpc.Decode(body)
		if err != nil {
			t.Error(err)
		}
		result := `{"supportedVersions":["2026-07-28"],"capabilities":{}}`
		if m.Method == rpc.MethodListTools {
			params, _ := json.Object(m.Params)
			result = `{"tools":[{"name":"a"}],"nextCursor":"2"` + first + `}`
			if cursor, _ := params.Get("cursor").Text(); cursor == "2" {
				l.asked.Add(1)
				result = `{"tools":[]` + second + `}`
			}
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
	}))
	t.Cleanup(srv.Close)
	l.address = srv.URL
	return l
}

func TestListsAreNotOlderThanTheirServersSay(t *testing.T) {
	const seconds = time.Second
	cases := []struct {
		name, first, second string
		fresh               time.Duration // What a caller who gets the list at once may believe.
		kept, again         time.Duration // How old a list is given out to a caller, and is not any more.
	}{
		{"nothing is said", "", "", 10 * seconds, 9 * seconds, 10 * seconds},
		{"longer than we believe it", `,"ttlMs":60000`, `,"ttlMs":60000`, 10 * seconds, 9 * seconds, 10 * seconds},
		{"shorter", `,"ttlMs":4000`, `,"ttlMs":4000`, 4 * seconds, 3 * seconds, 4 * seconds},
		{"shorter on one page", `,"ttlMs":60000`, `,"ttlMs":4000`, 4 * seconds, 3 * seconds, 4 * seconds},
		{"not at all", `,"ttlMs":0`, `,"ttlMs":0`, 0, seconds - 1, seconds},
		{"no number", `,"ttlMs":"long"`, "", 0, seconds - 1, seconds},
		{"less than nothing", `,"ttlMs":-1`, "", 0, seconds - 1, seconds},
		{"very long", `,"ttlMs":1e300`, "", 10 * seconds, 9 * seconds, 10 * seconds},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLister(t, c.first, c.second)
			var elapsed atomic.Int64
			begin := time.Now()
			s, err := New(Options{
				Servers: []Config{{ID: "a", URL: l.address}}, Version: "test", Logger: slog.New(slog.DiscardHandler),
				Now: func() time.Time { return begin.Add(time.Duration(elapsed.Load())) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ask := func(ctx context.Context, after time.Duration, want int64) *ToolList {
				t.Helper()
				elapsed.Store(int64(after))
				list, err := s.byID["a"].Tools(ctx)
				if err != nil || l.asked.Load() != want {
					t.Fatalf("after %s: asked %d times, %v, want %d times", after, l.asked.Load(), err, want)
				}
				return list
			}
			caller := ForCaller(t.Context(), 0)
			if got := s.byID["a"].Fresh(ask(caller, 0, 1)); got != c.fresh {
				t.Errorf("a caller may keep it for %s, want %s", got, c.fresh)
			}
			if got, want := s.byID["a"].Fresh(ask(caller, c.kept, 1)), max(0, c.fresh-c.kept); got != want {
				t.Errorf("%s later: for %s, want %s", c.kept, got, want)
			}
			ask(t.Context(), DefaultListTTL-1, 1) // What a call needs of it is believed for as long as ever.
			ask(caller, c.again+DefaultListTTL-1, 2)
		})
	}
}

func TestAListThatHangsIsNotWaitedForAgain(t *testing.T) {
	var asked atomic.Int64
	hanging := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // Else the end of the connection is not noticed.
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		<-r.Context().Done()
	}))
	t.Cleanup(hanging.Close)
	var elapsed atomic.Int64
	begin := time.Now()
	s, err := New(Options{
		Servers: []Config{{ID: "a", URL: hanging.URL}}, Version: "test", Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return begin.Add(time.Duration(elapsed.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.byID["a"].Tools(t.Context()); signalbox.CodeOf(err) != signalbox.CodeUpstream {
		t.Fatalf("it fails: got %v", err)
	}
	first, cancel := context.WithCancel(ForCaller(t.Context(), time.Hour))
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.byID["a"].Tools(first); signalbox.CodeOf(err) != signalbox.CodeCancelled {
		t.Fatalf("who comes first waits: got %v", err)
	}
	elapsed.Store(int64(time.Hour))
	if _, err := s.byID["a"].Tools(ForCaller(t.Context(), time.Hour)); signalbox.CodeOf(err) != signalbox.CodeTimeout {
		t.Errorf("who comes when the time is over: got %v", err)
	}
}
