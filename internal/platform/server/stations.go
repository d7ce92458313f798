package server

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/model/route"
	"github.com/signalbox/signalbox/internal/observability/telemetry"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// ConfigOptions is what configurations are checked with.
func ConfigOptions() config.Options {
	return config.Options{CheckExpression: route.Check, CheckRisk: policy.CheckCEL, CheckCedar: policy.CheckCedar, CheckPolicy: checkPolicy}
}

// stations puts the stations together. Those from resolve on belong to the runtime in force.
func (s *Server) stations() call.Handler {
	return call.Stations{
		Record: s.recorder.Station, Gate: s.gateStation(), Attempt: call.HandlerFunc(s.runtimes.serve),
	}.Chain()
}

// innerStations puts the stations together that follow from the configuration.
func (s *Server) innerStations(r *runtime) call.Handler {
	return call.Stations{
		Resolve: call.Resolve(map[signalbox.Kind]call.Resolver{
			signalbox.KindModel: r.models.router, signalbox.KindTool: tenantTools{r.tools.servers, r.config},
		}),
		Policy: s.policyStation(r.permissions), Guard: guardStation(r.guards, r.permissions), Idempotency: s.once.Station(), Approval: s.approvalStation(),
		Attempt: &call.Attempter{
			Backends: map[signalbox.Kind]map[string]call.Backend{
				signalbox.KindModel: r.models.backends, signalbox.KindTool: r.tools.servers.Backends(),
			},
			Journal: s.recorder, Now: s.options.Now, Progress: s.progress,
		},
	}.Chain()
}

// progress tells the alerts what a stream has cost so far.
func (s *Server) progress(t *call.Track, a *signalbox.Attempt, cost signalbox.Money) {
	s.alerts.Progress(t, a, cost)
}

// gateStation makes the gate's station.
func (s *Server) gateStation() call.Station {
	return gate.Station(gate.Options{
		Now: s.options.Now, Keys: s.keys.ring, Ledger: s.ledger, Brakes: s.alerts, Secrets: guard.New(),
		MaxConcurrent: func() int64 { return s.runtimes.current().config.Limits.MaxConcurrentCalls },
		AgentRole:     func(agent string) string { return s.runtimes.current().roles[agent] },
	})
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
