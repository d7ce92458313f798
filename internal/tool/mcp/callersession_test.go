package mcp

import (
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func TestOneKeyDoesNotTakeAllSessions(t *testing.T) {
	var s callerSessions
	now := time.Now()
	greedy, other := signalbox.Caller{Tenant: "acme", Key: "a"}, signalbox.Caller{Tenant: "acme", Key: "b"}
	alone := s.begin(other, nil, now)
	var own []*callerSession
	for i := range MaxSessionsPerKey {
		own = append(own, s.begin(greedy, nil, now.Add(time.Duration(i)*time.Millisecond)))
	}
	later := now.Add(time.Minute)
	if _, err := s.find(own[0].id, greedy, later); err != nil {
		t.Fatalf("the first is in use: got %v", err)
	}
	if s.begin(greedy, nil, later) == nil || len(s.byID) != MaxSessionsPerKey+1 {
		t.Errorf("one more was begun: there are %d", len(s.byID))
	}
	for name, c := range map[string]struct {
		session *callerSession
		who     signalbox.Caller
		found   bool
	}{
		"not used for longest": {own[1], greedy, false},
		"used since":           {own[0], greedy, true},
		"begun later":          {own[2], greedy, true},
		"another key's":        {alone, other, true},
	} {
		if _, err := s.find(c.session.id, c.who, later); (err == nil) != c.found {
			t.Errorf("%s: got %v", name, err)
		}
	}
	select {
	case <-own[1].ended:
	default:
		t.Error("who listens in the session that has ended is not told")
	}
}
