package upstream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// next makes the set that replaces another one, of which the servers with these ids are unchanged.
func next(before *Servers, unchanged []string, list ...Config) (*Servers, error) {
	return New(Options{
		Servers: list, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Before: before, Unchanged: func(id string) bool { return slices.Contains(unchanged, id) },
	})
}

func mustNext(t *testing.T, before *Servers, unchanged []string, list ...Config) *Servers {
	t.Helper()
	s, err := next(before, unchanged, list...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// grandchild is a child with one of its own, and gives the process id of that.
func grandchild(t *testing.T, id string) (Config, func() int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pid")
	return child(id, "with a grandchild", "PID_FILE", file), func() int {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(string(data))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
}

func echoes(t *testing.T, s *Servers, server string) {
	t.Helper()
	if _, err := use(t.Context(), s, server, "echo", `{}`); err != nil {
		t.Errorf("%s: %v", server, err)
	}
}

// sessionsOf is how many sessions a server of a set has had.
func sessionsOf(t *testing.T, s *Servers, server string) int64 {
	t.Helper()
	u, err := s.Find(server)
	if err != nil {
		t.Fatal(err)
	}
	return u.state().Sessions
}

// Servers that are unchanged outlive the set that they were made for, and end with the last one that they are in.
func TestUnchangedServersGoOn(t *testing.T) {
	stays, pidOfStays := grandchild(t, "stays")
	changes, pidOfChanges := grandchild(t, "changes")
	leaves, pidOfLeaves := grandchild(t, "leaves")
	first := newServers(t, stays, changes, leaves)
	for _, id := range first.IDs() {
		echoes(t, first, id)
	}
	one, ended, left := pidOfStays(), pidOfChanges(), pidOfLeaves()
	changes.CallTimeout = time.Minute
	second := mustNext(t, first, []string{"stays"}, stays, changes, child("comes", "server"))
	third := mustNext(t, second, []string{"stays", "changes", "comes"}, stays, changes, child("comes", "server"))
	for _, id := range first.IDs() {
		echoes(t, first, id) // What is under way goes on.
	}
	first.Close()
	first.Close()
	if !gone(ended) || !gone(left) {
		t.Error("a child that is in no set any more lives on")
	}
	for _, s := range []*Servers{second, third} {
		for id, want := range map[string]int64{"stays": 1, "changes": 1, "comes": 1} {
			if echoes(t, s, id); sessionsOf(t, s, id) != want {
				t.Errorf("%s has had %d sessions, want %d", id, sessionsOf(t, s, id), want)
			}
		}
	}
	if pidOfChanges() == ended || pidOfStays() != one {
		t.Errorf("processes were %d and %d, and are %d and %d", one, ended, pidOfStays(), pidOfChanges())
	}
	third.Close() // Out of turn: the second one still has them.
	echoes(t, second, "stays")
	second.Close()
	if !gone(one) || !gone(pidOfChanges()) {
		t.Error("a child outlives all sets")
	}
	_, err := use(t.Context(), second, "stays", "echo", `{}`)
	upstreamtest.WantCode(t, err, signalbox.CodeUnavailable)
}

// A set that can not be made takes nothing over.
func TestASetThatFailsTakesNothing(t *testing.T) {
	stays, pid := grandchild(t, "stays")
	first := newServers(t, stays)
	echoes(t, first, "stays")
	if _, err := next(first, []string{"stays"}, stays, Config{ID: "wrong"}); signalbox.CodeOf(err) != signalbox.CodeInvalid {
		t.Errorf("got %v", err)
	}
	echoes(t, first, "stays")
	first.Close()
	if !gone(pid()) {
		t.Error("the child lives on for a set that was never made")
	}
	second := mustNext(t, first, []string{"stays"}, stays)
	if echoes(t, second, "stays"); sessionsOf(t, second, "stays") != 1 {
		t.Error("a server that has ended was taken over")
	}
}

// Sets replace each other and end at once, and each server ends once.
func TestSetsEndInAnyOrder(t *testing.T) {
	authorizer := &counting{}
	one := Config{ID: "one", URL: upstreamtest.OverHTTP(t, true), Authorizer: authorizer}
	sets, others := []*Servers{newServers(t, one)}, &counting{}
	for range 20 {
		one.Authorizer = others
		sets = append(sets, mustNext(t, sets[len(sets)-1], []string{"one"}, one))
	}
	if n := others.closed.Load(); n != 20 {
		t.Errorf("%d of 20 that were not needed were closed", n)
	}
	var wg sync.WaitGroup
	for _, s := range sets[1:] {
		wg.Go(s.Close)
	}
	wg.Wait()
	echoes(t, sets[0], "one")
	if n := authorizer.closed.Load(); n != 0 {
		t.Error("the server has ended")
	}
	sets[0].Close()
	if n := authorizer.closed.Load(); n != 1 || others.closed.Load() != 20 {
		t.Errorf("the server ended %d times", n)
	}
}

// counting is an authorizer that counts its ends.
type counting struct{ closed atomic.Int64 }

func (*counting) Authorization(context.Context, *signalbox.Call) (string, error) { return "", nil }
func (*counting) Refused(string, *signalbox.Call) bool                           { return false }
func (c *counting) Close()                                                       { c.closed.Add(1) }

// A price is that of the set which a call was resolved by, whoever made the server.
func TestPricesAreTheSets(t *testing.T) {
	config := Config{ID: "files", URL: upstreamtest.OverHTTP(t, true), Price: &signalbox.Price{Rates: signalbox.Rates{PerCall: 2}}, ToolPrices: map[string]signalbox.Money{"fail": 7}}
	first := newServers(t, config)
	config.Price, config.ToolPrices = nil, map[string]signalbox.Money{"echo": 3}
	second := mustNext(t, first, []string{"files"}, config)
	if first.byID["files"] != second.byID["files"] {
		t.Fatal("the server is another one")
	}
	const none = -1
	for tool, want := range map[string][2]signalbox.Money{"echo": {2, 3}, "fail": {7, none}} {
		for i, s := range []*Servers{first, second} {
			c := &signalbox.Call{Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{Server: "files", Name: tool}}
			_, candidates, err := s.Resolve(t.Context(), call.NewTrack(c))
			if err != nil {
				t.Fatal(err)
			}
			got := signalbox.Money(none)
			if p := candidates[0].Price; p != nil {
				got = p.PerCall
			}
			if got != want[i] {
				t.Errorf("a call of %s costs %d in set %d, want %d", tool, got, i+1, want[i])
			}
		}
	}
}

// What is known of a server stays: that it fails, who listens to it, and what it has listed.
func TestWhatIsKnownOfAServerStays(t *testing.T) {
	m := newMoody(t)
	config := Config{ID: "moody", URL: m.url, Breaker: breaker.Rules{Failures: 2, Pause: time.Hour, MaxPause: time.Hour}}
	first := newServers(t, config)
	u := first.byID["moody"]
	list, err := u.Tools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.status.Store(http.StatusInternalServerError)
	for range 2 {
		_, err := use(t.Context(), first, "moody", "echo", `{}`)
		upstreamtest.WantCode(t, err, signalbox.CodeUpstream)
	}
	notices, stop := u.Watch(nil)
	defer stop()
	second := mustNext(t, first, []string{"moody"}, config)
	first.Close()
	calls := m.calls.Load()
	_, err = use(t.Context(), second, "moody", "echo", `{}`)
	if upstreamtest.WantCode(t, err, signalbox.CodeUnavailable); m.calls.Load() != calls || second.States()[0].Breaker != breaker.Open {
		t.Errorf("the pause is over: %+v", second.States()[0])
	}
	if again, err := second.byID["moody"].Tools(t.Context()); again != list || err != nil {
		t.Errorf("the list was read anew: %v", err)
	}
	u.notice(rpc.Message{Method: rpc.MethodListChanged})
	select {
	case <-notices:
	case <-u.Closing():
		t.Error("the server has ended")
	}
	if second.Close(); !errors.Is(u.life.Err(), context.Canceled) {
		t.Error("the server goes on")
	}
	<-u.Closing()
}
