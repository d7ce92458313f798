package server

import (
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
	seen := fileSums{}
	seen.differ(s.configFiles())
	s.every("reload", ReloadInterval, func(ctx context.Context) {
		if seen.differ(s.configFiles()) {
			s.reload(ctx)
		}
	})
	return nil
}

// configFiles are the configuration file and those that the configuration in force is read with.
func (s *Server) configFiles() []string {
	return s.runtimes.current().config.Files(s.options.Source.Path)
}

// fileSums are the hashes of files, by their paths.
type fileSums map[string][sha256.Size]byte

// differ reports whether one of the files is not what it was, and takes note of what they are now. A file that was not
// among them before is as it was read; one that can not be read, as while it is being replaced, is looked at the next time.
func (c fileSums) differ(paths []string) (changed bool) {
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		now := sha256.Sum256(b)
		before, known := c[path]
		changed = changed || known && before != now
		c[path] = now
	}
	return changed
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
