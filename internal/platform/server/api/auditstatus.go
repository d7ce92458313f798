package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// AuditStatus says how the log is kept: its tree, where its checkpoints are brought, and for how long its content stays.
type AuditStatus struct {
	Tree        AuditTree        `json:"tree"`
	Anchors     []AuditAnchor    `json:"anchors"`
	Retention   []AuditRetention `json:"retention"`
	Archives    []AuditArchive   `json:"archives" doc:"The newest first, 100 at the most; as far as the projections are."`
	SubjectKeys *AuditSubjects   `json:"subject_keys" doc:"Null where it is not known."`
}

// AuditTree is the log's tree and what was signed of it.
type AuditTree struct {
	Size           int64      `json:"size"`
	CheckpointSize *int64     `json:"checkpoint_size" doc:"Null where none was signed yet, as the two after it."`
	CheckpointTime *time.Time `json:"checkpoint_time" doc:"Of the newest record that the checkpoint covers."`
	Root           *string    `json:"root"`
	Origin         string     `json:"origin"`
	Keys           []AuditKey `json:"keys" doc:"The active one first."`
}

// AuditKey is a key that signs checkpoints, or did.
type AuditKey struct {
	Name   string `json:"name"`
	ID     string `json:"id"`
	Active bool   `json:"active"`
}

// AuditAnchor is a place that checkpoints are brought to. With several replicas only the one that leads knows how far it is.
type AuditAnchor struct {
	Kind   string     `json:"kind" enum:"file,webhook,witness"`
	Target string     `json:"target"`
	Size   *int64     `json:"size" doc:"Of the newest checkpoint that this process has brought there; null where there is none."`
	Time   *time.Time `json:"time"`
	Error  *string    `json:"error" doc:"Of the last try; null where that succeeded."`
}

// AuditRetention is for how long the content of a tenant's records is kept.
type AuditRetention struct {
	TenantID    string `json:"tenant"`
	Domain      string `json:"domain"`
	MinDays     int64  `json:"min_days"`
	ContentDays int64  `json:"content_days" doc:"0 keeps it for ever."`
	Destroyed   int64  `json:"destroyed" doc:"Records whose content was destroyed, as far as the projections are."`
}

// AuditArchive is a range of the log that was written to files.
type AuditArchive struct {
	First  int64     `json:"first"`
	Last   int64     `json:"last"`
	Time   time.Time `json:"time"`
	File   string    `json:"file"`
	SHA256 string    `json:"sha256"`
}

// AuditSubjects counts the keys of data subjects, as of some seconds ago. A subject can have several.
type AuditSubjects struct {
	Open      int64 `json:"open"`
	Destroyed int64 `json:"destroyed"`
}

// AuditKeeping gives the parts of the status that are not about the tree. Any of its functions may be nil: that part is
// empty then. Errors are of code unavailable. Safe for concurrent use.
type AuditKeeping struct {
	Retention   func(ctx context.Context) ([]AuditRetention, error)
	Archives    func(ctx context.Context) ([]AuditArchive, error)
	SubjectKeys func(ctx context.Context) (AuditSubjects, error)
}

func (s *server) registerAuditStatus(api huma.API) {
	readers := auditReaders()
	huma.Register(api, operation("get-audit-status", http.MethodGet, "/audit/status", "How the log is kept: tree, anchors, retention", readers...), s.getAuditStatus)
}

func (s *server) getAuditStatus(ctx context.Context, _ *struct{}) (*Body[AuditStatus], error) {
	status, err := s.AuditStatus(ctx)
	if err == nil {
		err = s.AuditKeeping.fill(ctx, &status)
	}
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	return &Body[AuditStatus]{status}, nil
}

// fill adds the parts. A list that has nothing is empty, not null.
func (k AuditKeeping) fill(ctx context.Context, status *AuditStatus) (err error) {
	status.Retention, status.Archives = []AuditRetention{}, []AuditArchive{}
	if k.Retention != nil {
		if status.Retention, err = k.Retention(ctx); err != nil {
			return err
		}
	}
	if k.Archives != nil {
		if status.Archives, err = k.Archives(ctx); err != nil {
			return err
		}
	}
	if k.SubjectKeys != nil {
		subjects, err := k.SubjectKeys(ctx)
		if err != nil {
			return err
		}
		status.SubjectKeys = &subjects
	}
	return nil
}
