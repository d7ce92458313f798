package upstream

import (
	"testing"

	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

func TestStates(t *testing.T) {
	s := newServers(t,
		Config{ID: "down", URL: "http://127.0.0.1:1/mcp"}, Config{ID: "legacy", URL: upstreamtest.OverHTTP(t, false)}, Config{ID: "modern", URL: upstreamtest.OverHTTP(t, true)})
	for _, got := range s.States() {
		if got.Connection != Idle || got.Listed != -1 || got.Version != "" || got.Failure != "" {
			t.Errorf("before anybody uses it: %+v", got)
		}
	}
	if _, err := s.byID["down"].Tools(t.Context()); err == nil {
		t.Error("what is not there has listed tools")
	}
	listed := map[string]int{}
	for _, id := range []string{"legacy", "modern"} {
		list, err := s.byID[id].Tools(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		listed[id] = len(list.Tools)
	}
	states := s.States()
	down, legacy, modern := states[0], states[1], states[2]
	if down.Connection != Broken || down.Failure == "" || down.Version != "" || down.Listed != -1 || !down.Until.IsZero() {
		t.Errorf("got %+v", down)
	}
	if legacy.Connection != Connected || legacy.Modern || legacy.Version != "2025-11-25" || legacy.Listed != listed["legacy"] {
		t.Errorf("got %+v, want %d tools", legacy, listed["legacy"])
	}
	if modern.Connection != Connected || !modern.Modern || modern.Version != "2026-07-28" || modern.Listed != listed["modern"] {
		t.Errorf("got %+v, want %d tools", modern, listed["modern"])
	}
}
