package mcp

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// logLevels are those of the protocol, the most talkative first.
var logLevels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// setLevel answers a legacy caller who says which log lines he wants. Servers of the older versions are told the most that
// anybody wants, since many callers share a session with them; each caller then gets his own.
func (h *Handler) setLevel(ctx context.Context, x *exchange) (json.Value, error) {
	level, err := x.params.Get("level").Text()
	if err != nil || !slices.Contains(logLevels, level) {
		return nil, invalid("params.level", errors.New("one of the protocol's levels is expected"))
	}
	if x.session != nil {
		x.session.setLevel(level)
	}
	ctx, cancel := context.WithTimeout(ctx, JointListWait)
	defer cancel()
	var wg sync.WaitGroup
	for _, u := range x.endpoint.servers {
		wg.Go(func() { u.setLevel(ctx, level) })
	}
	wg.Wait()
	return json.Value("{}"), nil
}

// setLevel tells a legacy server that somebody wants to hear more. What it answers changes nothing for the caller.
func (u *upstream) setLevel(ctx context.Context, level string) {
	s, err := u.session(ctx)
	if err != nil || s.modern {
		return
	}
	u.mu.Lock()
	known := s.level != "" && slices.Index(logLevels, s.level) <= slices.Index(logLevels, level)
	if !known {
		s.level = level
	}
	u.mu.Unlock()
	if known {
		return
	}
	var params object
	params.text("level", level)
	if _, err := s.wire.request(ctx, methodSetLevel, "", params.bytes()); err != nil {
		u.logger.DebugContext(ctx, "the server's level of log lines could not be set", "server", u.ID, "error", err)
	}
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
	return slices.Index(logLevels, level) >= slices.Index(logLevels, s.level)
}
