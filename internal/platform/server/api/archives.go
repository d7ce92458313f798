package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Archives writes closed ranges of the log to files. Errors are of code invalid, conflict (the name is taken), not_found
// (no checkpoint ends such a range) or unavailable. Safe for concurrent use.
type Archives interface {
	Archive(ctx context.Context, by signalbox.Caller, r ArchiveRequest) (Archive, error)
}

// ArchiveRequest says what to archive.
type ArchiveRequest struct {
	Name   string     `json:"name" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$" doc:"Of the new directory below audit.archive."`
	First  int64      `json:"first,omitempty" minimum:"0" doc:"Index of the first record; mostly the end of the archive before."`
	Until  *int64     `json:"until,omitempty" minimum:"1" doc:"Index that is not archived any more; the range ends at the newest checkpoint up to there."`
	Before *time.Time `json:"before,omitempty" doc:"Records that are not older than this are not archived."`
}

// Archive is what was written.
type Archive struct {
	First     int64     `json:"first" doc:"Index of the first record."`
	Last      int64     `json:"last" doc:"Index of the last record."`
	Time      time.Time `json:"time"`
	File      string    `json:"file" doc:"The archive's directory."`
	SHA256    string    `json:"sha256" doc:"Of its manifest, in hex."`
	Parts     int       `json:"parts"`
	Destroyed int64     `json:"destroyed" doc:"Records whose content was destroyed before."`
}

func (s *server) registerArchives(api huma.API) {
	huma.Register(api, operation("archive-log", http.MethodPost, "/audit/archives",
		"Write a closed range of the log to files", signalbox.RoleAdmin), s.archive)
}

func (s *server) archive(ctx context.Context, in *struct{ Body ArchiveRequest }) (*Body[Archive], error) {
	c := callerOf(ctx)
	done, err := s.Archives.Archive(ctx, c.caller(), in.Body)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Archive]{done}, nil
}
