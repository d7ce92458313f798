package mcp

import (
	"context"
)

// setLevel tells a legacy server that somebody wants to hear more. What it answers changes nothing for the caller.
func (u *upstream) setLevel(ctx context.Context, level string) {
	s, err := u.session(ctx)
	if err != nil || s.modern {
		return
	}
	u.mu.Lock()
	known := s.level != "" && levelOf(s.level) <= levelOf(level)
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
