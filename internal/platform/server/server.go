// Package server puts the parts together and runs them.
//
// # Order
//
// Start: the database is opened and locked; the tree is restored and the writer started; the projections catch up, and
// calls that a crash has left without an outcome get theirs; then keys, stations, adapters, and last the listener. Stop
// is the reverse: no new requests, those under way end or are cut after [DrainTimeout], what they owe the log is
// written, a last checkpoint is signed, the database is closed.
//
// Every part that runs adds its own stop when it is started, so the order is written once. Where the log can not be
// trusted any more ([Server.Run] returns its reason) the process must exit.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/governance/ledger"
	"github.com/signalbox/signalbox/internal/governance/runs"
	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/observability/telemetry"
	"github.com/signalbox/signalbox/internal/orchestration/approval"
	"github.com/signalbox/signalbox/internal/orchestration/idempotency"
	"github.com/signalbox/signalbox/internal/orchestration/task"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/tool/mcp"
	"github.com/signalbox/signalbox/internal/tool/pin"
)

// Limits of the process.
const (
	// DrainTimeout is how long calls under way may take to end when the server stops. With StopTimeout it stays below the
	// 30 seconds that orchestrators commonly give.
	DrainTimeout = 20 * time.Second
	// SettleInterval is how often outcomes that the log could not take are tried again, and a log that could not be
	// written is: so long at most after its cause is gone, calls are served again.
	SettleInterval = time.Second
	// FatalDrain is how long calls get to be told of it, when the log can not be trusted any more. None can end well.
	FatalDrain = 2 * time.Second
	// StopTimeout bounds the steps of a stop that come after the calls.
	StopTimeout = 8 * time.Second
	// ExportTimeout is how long a stop waits for the receiver of the last telemetry.
	ExportTimeout = 3 * time.Second
)

// Options are what a server gets from its process.
type Options struct {
	Version string
	Logger  *slog.Logger
	Now     func() time.Time
	Env     func(string) (string, bool)
	Source  Source
}

// Server is a whole instance.
type Server struct {
	config  *config.Config
	options Options
	started time.Time

	data      *data
	recorder  *call.Recorder
	telemetry *telemetry.Telemetry
	keys      *keys
	runtimes  runtimes
	ledger    *ledger.Ledger
	alerts    *alert.Engine
	courier   *alert.Courier
	runs      *runs.Keeper
	grants    *grants
	pins      *pin.Keeper
	approvals *approval.Keeper
	tasks     *task.Keeper
	held      *mcp.Held           // Calls whose callers are asked something.
	once      *idempotency.Keeper // Of calls with an idempotency key.
	chain     call.Handler        // The stations.
	links     links
	cluster   *cluster // Nil with SQLite.
	http      *http.Server
	life      context.Context //nolint:containedctx // Ends when the process is about to stop; what waits for people ends with it.
	end       context.CancelFunc
	listener  net.Listener

	routes   []Route
	policies sync.Mutex                         // Keeps two reloads from recording one policy twice.
	read     atomic.Pointer[signalbox.Progress] // Of the projections, when they could be read last.
	reloaded atomic.Pointer[error]              // What came of the last reload; nil where there was none.

	stops []stop
}

// stop is how one part ends.
type stop struct {
	name string
	run  func(context.Context) error
}

// New starts everything but the listener's service. On an error nothing is left running.
func New(ctx context.Context, c *config.Config, o Options) (*Server, error) {
	s := &Server{config: c, options: o, started: o.Now().UTC(), held: mcp.NewHeld()}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"telemetry", s.startTelemetry},
		{"database", s.startData},
		{"keys", s.startKeys},
		{"grants", s.startGrants},
		{"pins", s.startPins},
		{"approvals", s.startApprovals},
		{"models and tools", s.startRuntime},
		{"ledger", s.startLedger},
		{"alerts", s.startAlerts},
		{"policy", s.startPolicy},
		{"listener", s.listen}, // Before the jobs, whose messages to people have the address in them. It serves nothing yet.
		{"watch", s.startWatch},
		{"tasks", s.startTasks},
		{"metrics", s.startMetrics},
		{"reload", s.startReload},
	}
	for _, step := range steps {
		if err := step.run(ctx); err != nil {
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopTimeout)
			defer cancel()
			return nil, errors.Join(fmt.Errorf("start %s: %w", step.name, err), s.stop(stopCtx))
		}
	}
	return s, nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is how a client on this machine reaches the server.
func (s *Server) URL() string {
	scheme := "http"
	if s.config.TLS.Enabled() {
		scheme = "https"
	}
	return scheme + "://" + s.Addr().String()
}

// Run serves until ctx ends or the log fails for good, and then stops everything in order.
func (s *Server) Run(ctx context.Context) error {
	// A stop that comes this early is an orderly one too.
	if err := s.note(context.WithoutCancel(ctx), signalbox.ActionStarted, map[string]string{
		"version": s.options.Version, "config": s.config.Fingerprint(), "listen": s.Addr().String(),
	}); err != nil {
		return errors.Join(err, s.shutdown(ctx, DrainTimeout))
	}
	serving := make(chan error, 1)
	go func() { serving <- s.http.Serve(s.listener) }()
	drain := DrainTimeout
	var reason error
	select {
	case <-ctx.Done():
	case reason = <-serving:
	case <-s.data.lost:
		reason = errors.New("the other replicas have declared this one dead: it was silent for longer than the lease")
	case reason = <-s.data.writer.Fatal():
		reason, drain = untrusted(reason), FatalDrain
	case reason = <-s.data.broken:
		reason, drain = untrusted(reason), FatalDrain
	}
	return errors.Join(reason, s.shutdown(ctx, drain))
}

// untrusted is the reason for which a process ends by itself.
func untrusted(reason error) error {
	e := *signalbox.AsError(reason)
	e.Message = "The log can not be trusted any more: " + e.Message
	return e.WithCause(reason)
}

// shutdown drains the calls and stops the parts.
func (s *Server) shutdown(ctx context.Context, drainTime time.Duration) error {
	ctx = context.WithoutCancel(ctx)
	s.end()
	drain, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	err := s.http.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		s.options.Logger.WarnContext(ctx, "calls were cut after the drain time-out", "in_flight", s.recorder.InFlight())
		err = s.http.Close()
	}
	s.tasks.Stop(drain) // No more begin.
	rest, cancel := context.WithTimeout(ctx, StopTimeout)
	defer cancel()
	err = errors.Join(err, s.held.Close(rest)) // Whose callers are away end as cancelled, and have their outcomes below.
	if noteErr := s.note(rest, signalbox.ActionStopped, nil); noteErr != nil {
		err = errors.Join(err, noteErr)
	}
	return errors.Join(err, s.stop(rest))
}

func (s *Server) stop(ctx context.Context) error {
	s.end()
	var errs []error
	for i := len(s.stops) - 1; i >= 0; i-- {
		if err := s.stops[i].run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.stops[i].name, err))
		}
	}
	s.stops = nil
	return errors.Join(errs...)
}

// onStop adds how a part that has just started ends.
func (s *Server) onStop(name string, run func(context.Context) error) {
	s.stops = append(s.stops, stop{name, run})
}

func (s *Server) listen(context.Context) error {
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: gate.ReadHeaderTimeout, IdleTimeout: gate.IdleTimeout,
		MaxHeaderBytes: int(s.config.Limits.MaxHeaderBytes),
		ErrorLog:       slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug),
	}
	listener, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return signalbox.Errorf(signalbox.CodeConflict, "%s can not be listened on", s.config.Listen).WithField("listen").
			WithRemedy("Stop what uses the address, or set another one with `listen` or --listen.").WithCause(err)
	}
	s.listener = listener
	s.onStop("listener", func(context.Context) error {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	if !s.config.TLS.Enabled() {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(s.config.TLS.Cert, s.config.TLS.Key)
	if err != nil {
		return signalbox.Errorf(signalbox.CodeInvalid, "the certificate and its key can not be loaded").WithField("tls").
			WithRemedy("Give PEM files that belong together in tls.cert and tls.key.").WithCause(err)
	}
	s.listener = tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	})
	return nil
}
