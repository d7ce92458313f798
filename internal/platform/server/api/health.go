package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Health is how the parts of this instance are.
type Health struct {
	Version     string      `json:"version"`
	Started     time.Time   `json:"started"`
	DataAsOf    time.Time   `json:"data_as_of"`
	Log         LogHealth   `json:"log"`
	Queue       QueueHealth `json:"queue"`
	Projections Projections `json:"projections"`
	InFlight    int         `json:"in_flight"`
	Components  []Component `json:"components"`
}

// LogHealth is the state of the log's tree.
type LogHealth struct {
	Size           int64      `json:"size"`
	CheckpointSize *int64     `json:"checkpoint_size"`
	CheckpointTime *time.Time `json:"checkpoint_time" doc:"Of the newest record that the checkpoint covers."`
	Root           *string    `json:"root"`
}

// QueueHealth is the back-pressure of the log's writer.
type QueueHealth struct {
	Depth    int `json:"depth"`
	Capacity int `json:"capacity"`
}

// Projections say how far the views are behind the log.
type Projections struct {
	Cursor     int64 `json:"cursor"`
	LagRecords int64 `json:"lag_records"`
}

// Component is one part and how it is.
type Component struct {
	Name   string `json:"name"`
	Status string `json:"status" enum:"ok,degraded,down"`
	Detail string `json:"detail"`

	Server string `json:"-"` // The MCP server that it is; "" for others.
}

func (s *server) registerHealth(api huma.API) {
	huma.Register(api, operation("get-health", http.MethodGet, "/health", "How the parts of this instance are"), s.getHealth)
}

func (s *server) getHealth(ctx context.Context, _ *struct{}) (*Body[Health], error) {
	h := s.Health(ctx)
	h.Components = slices.DeleteFunc(h.Components, func(c Component) bool { return c.Server != "" && !s.knows(callerOf(ctx), c.Server) })
	return &Body[Health]{h}, nil
}
