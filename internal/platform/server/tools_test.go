package server

import (
	"testing"

	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

func TestToolHealth(t *testing.T) {
	cases := []struct {
		name           string
		state          upstream.State
		status, detail string
	}{
		{"not used yet", upstream.State{Connection: upstream.Idle, Breaker: breaker.Closed, Places: 4}, statusOK, "configured, not connected yet"},
		{"being connected", upstream.State{Connection: upstream.Connecting, Breaker: breaker.Closed, Places: 4}, statusOK, "connecting"},
		{"at work", upstream.State{Connection: upstream.Connected, Breaker: breaker.Closed, InFlight: 3, Places: 4}, statusOK, "connected; 3 of 4 calls in flight"},
		{"full", upstream.State{Connection: upstream.Connected, Breaker: breaker.Closed, InFlight: 4, Places: 4}, statusDegraded, "connected; 4 of 4 calls in flight"},
		{"failing now and then", upstream.State{Connection: upstream.Connected, Breaker: breaker.Closed, Failures: 2, Places: 4}, statusOK, "connected; the last 2 calls failed"},
		{"in a pause", upstream.State{Connection: upstream.Connected, Breaker: breaker.Open, Failures: 5, Places: 4}, statusDown, "connected; the last 5 calls failed; calls are refused for a while"},
		{"after it", upstream.State{Connection: upstream.Connected, Breaker: breaker.HalfOpen, Failures: 5, Places: 4}, statusDegraded, "connected; the last 5 calls failed; the next call is a probe"},
		{"not reachable", upstream.State{Connection: upstream.Broken, Breaker: breaker.Closed, Failure: "It is off.", Places: 4}, statusDegraded, "not connected: It is off."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.state.Server = "files"
			got := toolHealth(c.state)
			if got.Name != "mcp files" || got.Status != c.status || got.Detail != c.detail {
				t.Errorf("got %+v, want %s, %q", got, c.status, c.detail)
			}
		})
	}
}
