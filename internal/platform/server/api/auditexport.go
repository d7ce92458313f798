package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// ExportWait is how long one write of an export may take; a reader that is slower is gone.
const ExportWait = 30 * time.Second

// Export notes who has asked for what, and gives what writes it, with what is sealed opened. The first error is of code
// not_found (nothing is signed yet) or unavailable; one of write means that what was written is not whole. Safe for
// concurrent use.
type Export func(ctx context.Context, by signalbox.Caller, o audit.ExportOptions) (write func(io.Writer) error, err error)

// ExportQuery says what is exported, and how.
type ExportQuery struct {
	AuditFilter
	Format audit.ExportFormat `query:"format" enum:"jsonl,ocsf" default:"jsonl" doc:"jsonl has proofs and can be verified; ocsf is for a SIEM."`
}

// exportFailure is the last line of an export that could not be finished.
type exportFailure struct {
	Error ErrorBody `json:"error"`
}

func (s *server) registerAuditExport(api huma.API) {
	export := operation("export-log", http.MethodGet, "/audit/export", "Records of the log with proofs, or as OCSF, as JSON lines", auditReaders()...)
	export.Responses = map[string]*huma.Response{"200": {
		Description: "The records that the newest checkpoint covers, oldest first. The last line of jsonl has the member end, " +
			"without which the export is truncated; a line with the member error says why either format ends early.",
		Content: map[string]*huma.MediaType{jsonLines: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, export, s.exportLog)
}

// auditReaders are the roles that read the log; they see all tenants.
func auditReaders() []signalbox.Role {
	return []signalbox.Role{signalbox.RoleAdmin, signalbox.RoleOperator, signalbox.RoleAuditor}
}

func (s *server) exportLog(ctx context.Context, q *ExportQuery) (*huma.StreamResponse, error) {
	c := callerOf(ctx)
	write, err := s.Export(ctx, c.caller(), audit.ExportOptions{Filter: q.filter(), Format: q.Format})
	if err != nil {
		return nil, fail(c, err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		h.SetHeader("Content-Type", jsonLines)
		h.SetHeader("Content-Disposition", `attachment; filename="audit.`+string(q.Format)+`.jsonl"`)
		_, w := humago.Unwrap(h)
		out := patient{w, http.NewResponseController(w), s.Now}
		if err := write(out); err != nil {
			line, lost := json.Marshal(exportFailure{NewAnswerError(err, c.RequestID).Err})
			if lost == nil {
				_, _ = out.Write(append(line, '\n')) // Who has gone away misses the last line.
			}
		}
	}}, nil
}

// patient gives each write its own time.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

// Write writes, for [ExportWait] at the most.
func (p patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(p.now().Add(ExportWait)) // A writer without deadlines can not block.
	return p.ResponseWriter.Write(b)
}
