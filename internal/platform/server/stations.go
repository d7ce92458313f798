package server

import (
	"context"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/model/route"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/observability/telemetry"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// expireInterval is how often projections past their retention are removed.
const expireInterval = time.Hour

// ConfigOptions is what configurations are checked with.
func ConfigOptions() config.Options {
	return config.Options{CheckExpression: route.Check}
}

// chain puts the stations together. Policy, guard and approval are not built: they stay nil and are recorded as not_run.
func (s *Server) chain() call.Handler {
	tools := map[string]call.Backend{}
	for id := range s.config.MCPServers {
		tools[id] = s.tools.servers
	}
	return call.Stations{
		Record: s.recorder.Station,
		Gate:   s.gateStation(),
		Resolve: call.Resolve(map[signalbox.Kind]call.Resolver{
			signalbox.KindModel: s.models.router, signalbox.KindTool: s.tools.servers,
		}),
		Attempt: &call.Attempter{
			Backends: map[signalbox.Kind]map[string]call.Backend{
				signalbox.KindModel: s.models.backends, signalbox.KindTool: tools,
			},
			Journal: s.recorder, Now: s.options.Now,
		},
	}.Chain()
}

func (s *Server) startTelemetry(ctx context.Context) error {
	names := map[string]string{}
	for _, a := range s.config.Agents {
		names[a.ID] = a.Name
	}
	t, err := telemetry.New(ctx, telemetry.Options{
		Version: s.options.Version, Env: s.options.Env, CaptureContent: s.config.Telemetry.CaptureContent,
		AgentName: func(id string) string { return names[id] },
		Report:    func(err error) { s.options.Logger.WarnContext(ctx, "telemetry could not be exported", "error", err) },
	})
	if err != nil {
		return err
	}
	s.telemetry = t
	s.onStop("telemetry", func(ctx context.Context) error {
		// What nobody receives in time is lost, and no reason to call the stop a failed one.
		ctx, cancel := context.WithTimeout(ctx, ExportTimeout)
		defer cancel()
		if err := t.Shutdown(ctx); err != nil {
			s.options.Logger.WarnContext(ctx, "the last telemetry could not be exported", "error", err)
		}
		return nil
	})
	return nil
}

// startProjector keeps the projections up with the log, and young.
func (s *Server) startProjector(ctx context.Context) error {
	p := projection.New(s.data.db.Views(), s.data.db.Views(), projection.Options{Decode: audit.Decode, Wake: s.data.writer.Notify()})
	s.data.projector = p
	if err := p.CatchUp(ctx); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(running)
	}()
	s.onStop("projector", func(context.Context) error {
		cancel()
		<-done
		return nil
	})
	s.every("retention", expireInterval, func(ctx context.Context) {
		before := s.options.Now().Add(-s.config.Retention.Projections)
		if _, err := p.Expire(ctx, s.data.db.Views(), before); err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "old projections could not be removed", "error", err)
		}
	})
	return nil
}

// RebuildProjections drops the projections of a database that no server uses and builds them anew. It gives the number
// of records.
func RebuildProjections(ctx context.Context, path string, now func() time.Time) (records int64, err error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Now: now})
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // What was rebuilt is committed.
	p := projection.New(db.Views(), db.Views(), projection.Options{Decode: audit.Decode})
	if err := p.Rebuild(ctx); err != nil {
		return 0, err
	}
	return db.Size(ctx)
}
