package server

import (
	"context"
	"errors"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/governance/ledger"
	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/orchestration/approval"
	"github.com/signalbox/signalbox/internal/orchestration/idempotency"
	"github.com/signalbox/signalbox/internal/orchestration/task"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// database is what the server needs of a store; both stores have it.
type database interface {
	store.Committer
	audit.ArchiveSource
	audit.CheckpointStore
	api.Records
	gate.KeySource
	gate.SessionStore
	ledger.Vault
	subjectKeys
	subjectStore
	alert.Outbox
	Run(ctx context.Context, tenant, id string) (signalbox.Run, error)
	OpenRuns(ctx context.Context) ([]signalbox.Run, error)
	Accounts(ctx context.Context, f signalbox.AccountFilter) (items []signalbox.AccountView, next string, err error)
	FindAccounts(ctx context.Context, names []string) ([]signalbox.AccountView, error)
	ForgetAccounts(ctx context.Context, before time.Time, limit int) (int, error)
	Headers(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error)
	DestroyedUntil(ctx context.Context, tenant string) (until int64, err error)
	Sweep(ctx context.Context) error
	approval.Store
	task.Store
	ForgetTasks(ctx context.Context, before time.Time, limit int) (int, error)
	idempotency.Store
	ForgetIdempotency(ctx context.Context, before time.Time, limit int) (int, error)
	governance
	Brakes(ctx context.Context) ([]signalbox.Brake, error)
	FindBrakes(ctx context.Context, ids []string) ([]signalbox.Brake, error)
	Alerts(ctx context.Context, f signalbox.AlertFilter) (items []signalbox.Alert, next string, err error)
	Notifications(ctx context.Context, alert string) ([]signalbox.Notification, error)
	Close() error
}

// governance is what the server needs of what people have decided.
type governance interface {
	Grants(ctx context.Context, tenants []string, limit int) ([]signalbox.Grant, error)
	Grant(ctx context.Context, id string) (signalbox.Grant, error)
	Incidents(ctx context.Context, tenants []string, open *bool, limit int, cursor string) ([]signalbox.Incident, string, error)
	Incident(ctx context.Context, id string) (signalbox.Incident, error)
	PolicyVersions(ctx context.Context, limit int) ([]signalbox.PolicyVersion, error)
	PolicyVersion(ctx context.Context, version string) (signalbox.PolicyVersion, error)
	Pins(ctx context.Context, server string) ([]signalbox.Pin, error)
}

// subjectKeys is what the server needs of the keys of data subjects.
type subjectKeys interface {
	seal.Keys
	SubjectKeys(ctx context.Context, after string, limit int) ([]signalbox.SubjectKey, error)
	CountSubjectKeys(ctx context.Context) (open, destroyed int64, err error)
}

// views is what the server needs of a store's projections.
type views interface {
	projection.Log
	projection.Store
	projection.Expirer
	projection.Reader
	RunByID(ctx context.Context, tenant, id string) (signalbox.RunView, error)
	SealedBlocks(ctx context.Context, keys []string, from int64, limit int) ([]int64, error)
	api.Views
	api.Traces
}

// data is the log and everything that keeps or reads it.
type data struct {
	db        database
	views     views
	replica   string           // This process among those that share the database.
	lost      <-chan struct{}  // Closed when this process can commit nothing any more; nil where that can not be.
	broken    <-chan error     // Tells why nothing may be written any more; nil where that can not be.
	now       func() time.Time // The database's clock.
	key       *audit.Keyring
	anchors   *audit.Anchors
	vault     *seal.Vault
	writer    *store.Writer
	projector *projection.Projector
	size      func() int64 // Records in the log, as far as this process knows.
	lag       func() int64 // Of them, those that are not projected yet.
}

// startData opens the database and starts what keeps and reads the log.
func (s *Server) startData(ctx context.Context) error {
	if s.config.Database.Kind == config.DatabasePostgres {
		return s.startPostgres(ctx)
	}
	return s.startSQLite(ctx)
}

// startWriter starts the log's one writer in this process, and the record station.
func (s *Server) startWriter(sequencer store.Sequencer) {
	s.data.writer = store.NewWriter(timedCommitter{s.data.db, s.telemetry, s.options.Now}, sequencer, store.Options{
		QueueEntries: int(s.config.Limits.MaxQueuedRecords), Changed: s.logChanged,
	})
	s.recorder = call.NewRecorder(call.RecorderOptions{
		Log: s.data.writer, Masker: guard.New(), Now: s.options.Now, Ended: s.ended, Replica: s.data.replica,
		Closed:    s.data.writer.Closed,
		NoContent: s.config.Records.Content == config.ContentNone,
	})
	s.every("late outcomes", SettleInterval, func(ctx context.Context) {
		if err := s.recorder.Settle(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "outcomes still wait for the log", "error", err)
		}
		s.probeLog(ctx)
	})
	s.onStop("writer", s.stopWriter)
}

// ended is told of every durable outcome.
func (s *Server) ended(r signalbox.Record) {
	s.telemetry.Ended(r)
	if s.alerts != nil {
		s.alerts.Ended(r)
	}
}

// logChanged tells the operator that calls are refused because the log can not be written, and that they are not any
// more.
func (s *Server) logChanged(reason error) {
	if reason != nil {
		s.options.Logger.Error("the log can not be written: calls are refused", "error", reason)
		return
	}
	s.options.Logger.Warn("the log can be written again")
}

// probeLog tries a log that can not be written: an instance that is not ready may get no calls by which it could find out
// that its disk has room again.
func (s *Server) probeLog(ctx context.Context) {
	if s.data.writer.Failing() == nil {
		return
	}
	if err := s.note(ctx, signalbox.ActionLogResumed, nil); err != nil && ctx.Err() == nil {
		s.options.Logger.DebugContext(ctx, "the log still can not be written", "error", err)
	}
}

func (s *Server) stopWriter(ctx context.Context) error {
	return errors.Join(s.recorder.Settle(ctx), s.data.writer.Close(ctx))
}
