package upstream

import (
	"context"

	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// SetLevel tells a legacy server that somebody wants to hear more. What it answers changes nothing for the caller.
func (u *Server) SetLevel(ctx context.Context, level string) {
	s, err := u.session(ctx)
	if err != nil || s.modern {
		return
	}
	u.mu.Lock()
	known := s.level != "" && rpc.Level(s.level) <= rpc.Level(level)
	if !known {
		s.level = level
	}
	u.mu.Unlock()
	if known {
		return
	}
	var params rpc.Object
	params.Text("level", level)
	if _, err := s.wire.request(ctx, rpc.MethodSetLevel, "", params.Bytes()); err != nil {
		u.logger.DebugContext(ctx, "the server's level of log lines could not be set", "server", u.ID, "error", err)
	}
}
