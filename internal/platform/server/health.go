package server

import (
	"context"
	"fmt"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// The statuses of components.
const (
	statusOK       = "ok"
	statusDegraded = "degraded"
	statusDown     = "down"
)

// maxLag is how many records the projections may be behind before they count as degraded.
const maxLag = 50_000

// health reports on the parts of this instance. It asks no upstream, and is there while the database is not: then it
// says so, with what was known of it last.
func (s *Server) health(ctx context.Context) api.Health {
	progress, unknown := s.data.views.Progress(ctx)
	if progress.Cursor >= progress.Size {
		progress.AsOf = s.options.Now().UTC()
	}
	if unknown == nil {
		s.read.Store(&progress)
	} else if last := s.read.Load(); last != nil {
		progress = *last
	}
	stats := s.data.writer.Stats()
	h := api.Health{
		Version: s.options.Version, Started: s.started, DataAsOf: progress.AsOf,
		Log:         api.LogHealth{Size: progress.Size},
		Queue:       api.QueueHealth{Depth: stats.Depth, Capacity: stats.Capacity},
		Projections: api.Projections{Cursor: progress.Cursor, LagRecords: progress.Size - progress.Cursor},
		InFlight:    s.recorder.InFlight(),
	}
	h.Components = []api.Component{
		s.writerHealth(stats.Depth, stats.Capacity, stats.Failed), s.checkpointHealth(ctx, &h.Log),
		s.projectionHealth(h.Projections.LagRecords, unknown), s.ledgerHealth(),
	}
	if s.cluster != nil {
		h.Components = append(h.Components, s.replicaHealth())
	}
	if s.options.Source.Path != "" {
		h.Components = append(h.Components, s.configurationHealth())
	}
	h.Components = append(h.Components, s.runtimes.current().tools.health()...)
	return h
}

// ledgerHealth is degraded where so many calls wait for money that further ones are about to be refused.
func (s *Server) ledgerHealth() api.Component {
	waiting, most := s.ledger.Waiting(), s.ledger.MaxWaiting
	c := api.Component{Name: "ledger", Status: statusOK, Detail: fmt.Sprintf("%d of %d calls wait for budget that others hold", waiting, most)}
	if waiting > most/2 {
		c.Status = statusDegraded
	}
	return c
}

// replicaHealth says how this process stands with the database that it shares.
func (s *Server) replicaHealth() api.Component {
	role := "follows"
	if s.cluster.leads.Load() {
		role = "leads"
	}
	silent := s.options.Now().Sub(s.cluster.db.LastHeartbeat()).Truncate(time.Millisecond)
	c := api.Component{Name: "replica", Status: statusOK, Detail: fmt.Sprintf("%s %s; its last heartbeat was %s ago", s.data.replica, role, silent)}
	if silent > s.config.Cluster.Lease/2 {
		c.Status = statusDegraded
	}
	return c
}

func (s *Server) writerHealth(depth, capacity int, failed int64) api.Component {
	c := api.Component{Name: "log", Status: statusOK, Detail: fmt.Sprintf("%d of %d records wait", depth, capacity)}
	if depth > capacity/2 {
		c.Status = statusDegraded
	}
	if failed > 0 {
		c.Detail += fmt.Sprintf("; %d could not be written since the start", failed)
	}
	if err := s.data.writer.Failing(); err != nil {
		c.Status, c.Detail = statusDown, signalbox.AsError(err).Message
	}
	return c
}

// configurationHealth says whether the file is in force as it is now.
func (s *Server) configurationHealth() api.Component {
	c := api.Component{Name: "configuration", Status: statusOK, Detail: "as at the start"}
	switch err := s.reloaded.Load(); {
	case err == nil:
	case *err == nil:
		c.Detail = "reloaded"
	default:
		c.Status = statusDegraded
		c.Detail = "the changed file was not taken, the one before stays in force: " + signalbox.AsError(*err).Message
	}
	return c
}

func (s *Server) checkpointHealth(ctx context.Context, log *api.LogHealth) api.Component {
	c := api.Component{Name: "checkpoint", Status: statusOK, Detail: "signed"}
	signed, err := s.data.db.LatestCheckpoint(ctx)
	if err != nil {
		return api.Component{Name: "checkpoint", Status: statusDown, Detail: signalbox.AsError(err).Message}
	}
	if signed == nil {
		c.Detail = "none yet"
		return c
	}
	point, err := audit.OpenCheckpoint(signed, s.data.key.Verifier())
	if err != nil {
		return api.Component{Name: "checkpoint", Status: statusDown, Detail: signalbox.AsError(err).Message}
	}
	root := point.Root.String()
	log.CheckpointSize, log.Root = &point.Size, &root
	if newest, err := s.data.db.Entry(ctx, point.Size-1); err == nil {
		log.CheckpointTime = &newest.Time
	}
	if behind := log.Size - point.Size; behind > 0 {
		c.Detail = fmt.Sprintf("%d records are not signed yet; a checkpoint is made every %s", behind, audit.PublishInterval)
	}
	return c
}

// projectionHealth is down where they can not be read.
func (s *Server) projectionHealth(lag int64, unread error) api.Component {
	if unread != nil {
		return api.Component{Name: "projections", Status: statusDown, Detail: signalbox.AsError(unread).Message}
	}
	c := api.Component{Name: "projections", Status: statusOK, Detail: fmt.Sprintf("%d records behind", lag)}
	status := s.data.projector.Status()
	if lag > maxLag || status.Err != nil {
		c.Status = statusDegraded
	}
	if status.Err != nil {
		c.Detail += "; the last try failed: " + signalbox.AsError(status.Err).Message
	}
	if status.Undecodable > 0 {
		c.Detail += fmt.Sprintf("; %d records could not be read", status.Undecodable)
	}
	return c
}
