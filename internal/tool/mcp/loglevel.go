package mcp

import (
	"context"
	"errors"
	"sync"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// setLevel answers a legacy caller who says which log lines he wants. Servers of the older versions are told the most that
// anybody wants, since many callers share a session with them; each caller then gets his own.
func (h *Handler) setLevel(ctx context.Context, x *exchange) (json.Value, error) {
	level, err := x.params.Get("level").Text()
	if err != nil || rpc.Level(level) < 0 {
		return nil, invalid("params.level", errors.New("one of the protocol's levels is expected"))
	}
	if x.session != nil {
		x.session.setLevel(level)
	}
	ctx, cancel := context.WithTimeout(ctx, JointListWait)
	defer cancel()
	var wg sync.WaitGroup
	for _, u := range x.endpoint.servers {
		wg.Go(func() { u.SetLevel(ctx, level) })
	}
	wg.Wait()
	return json.Value("{}"), nil
}

// logLevel is from which level on the caller wants log lines of a modern server: he says so in his message, or has said so in
// his session. It is null where he has not.
func (x *exchange) logLevel() json.Node {
	if x.modern() || x.session == nil {
		return x.meta.Get(rpc.MetaLogLevel)
	}
	x.session.mu.Lock()
	level := x.session.level
	x.session.mu.Unlock()
	if level == "" {
		return json.Node{}
	}
	node, err := json.Parse(json.Quote(level), json.Limits{})
	if err != nil {
		return json.Node{}
	}
	return node
}

func (s *callerSession) setLevel(level string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.level = level
}

// hears reports whether the caller wants a log line of that level.
func (s *callerSession) hears(level string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return rpc.Level(level) >= rpc.Level(s.level)
}
