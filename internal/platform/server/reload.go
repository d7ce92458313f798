package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// ReloadInterval is how often the configuration file is looked at.
const ReloadInterval = time.Second

// Source is where the configuration comes from while the server runs.
type Source struct {
	Path string                         // The file; "" is never reloaded.
	Load func() (*config.Config, error) // Reads and checks it.
}

// startReload watches the configuration file. It is looked at rather than watched by the operating system, which sees no
// changes on many network and container file systems.
func (s *Server) startReload(context.Context) error {
	if s.options.Source.Path == "" {
		return nil
	}
	seen := contentOf(s.options.Source.Path)
	s.every("reload", ReloadInterval, func(ctx context.Context) {
		now := contentOf(s.options.Source.Path)
		if now == nil || bytes.Equal(now, seen) {
			return
		}
		seen = now
		s.reload(ctx)
	})
	return nil
}

// contentOf gives the hash of a file's content; nil where it can not be read, as while it is being replaced.
func contentOf(path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	h := sha256.Sum256(b)
	return h[:]
}

// reload takes a changed configuration, or says why not and goes on with the one in force.
func (s *Server) reload(ctx context.Context) {
	changed, err := s.take()
	action, detail := signalbox.ActionConfigReloaded, map[string]string{"changed": strings.Join(changed, ", ")}
	if err != nil {
		action, detail = signalbox.ActionConfigRejected, map[string]string{"reason": signalbox.AsError(err).Message}
		s.options.Logger.ErrorContext(ctx, "the changed configuration was not taken; the one before stays in force", "error", err)
	} else {
		s.options.Logger.InfoContext(ctx, "the configuration was reloaded", "changed", changed)
		s.warn(ctx)
		if err := s.keepPolicy(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "the policy in force could not be recorded", "error", err)
		}
	}
	s.reloaded.Store(&err)
	detail["config"] = s.runtimes.current().config.Fingerprint()
	if err := s.note(ctx, action, detail); err != nil && ctx.Err() == nil {
		s.options.Logger.WarnContext(ctx, "the reload could not be recorded", "error", err)
	}
}

// take puts the configuration of the file in force, all of it or nothing, and gives what has changed.
func (s *Server) take() ([]string, error) {
	before := s.runtimes.current()
	next, err := s.options.Source.Load()
	if err != nil {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "%v", err)
	}
	changed, err := config.Reloadable(before.config, next)
	if err != nil || len(changed) == 0 {
		return nil, err
	}
	static, err := staticKeys(next)
	if err != nil {
		return nil, err
	}
	rt, err := s.newRuntime(next, before)
	if err != nil {
		return nil, err
	}
	if err := s.keys.ring.SetStatic(static); err != nil {
		rt.retire()
		return nil, err
	}
	s.runtimes.replace(rt)
	s.keys.people.Set(providers(next))
	s.ledger.Replan()
	return changed, nil
}
