package api

import (
	"context"
	"iter"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxReason is the most characters that the reason of an erasure has.
const MaxReason = 500

// Subjects erases and gives out what records say about people. Errors are of code not_found (nothing was ever recorded
// about the subject), invalid or unavailable. Safe for concurrent use.
type Subjects interface {
	// Erase destroys the keys of a subject. What it gives says what was destroyed, and that nothing was left where it was
	// erased before. An error after the keys were destroyed says so; erasing once more then does the rest.
	Erase(ctx context.Context, by signalbox.Caller, tenant, subject, reason string) (Erasure, error)
	// Export notes that it was asked, and gives the entries that the subject's keys seal, in order, and then what there is
	// to say about all of them. The sequence can be read once, and ends with its first error.
	Export(ctx context.Context, by signalbox.Caller, tenant, subject string) (iter.Seq2[signalbox.Entry, error], func() SubjectSummary, error)
}

// EraseRequest says why.
type EraseRequest struct {
	Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why, such as the number of the request; it must not name the subject, because it stays in the log."`
}

// Erasure is what came of erasing a data subject.
type Erasure struct {
	Tenant        string    `json:"tenant"`
	SubjectHash   string    `json:"subject_hash" doc:"By which the log knows the subject: an HMAC of the name, in hex."`
	KeysDestroyed int       `json:"keys_destroyed" doc:"0 where nothing was left."`
	ErasedAt      time.Time `json:"erased_at" doc:"When the last of the keys was destroyed."`
	BackupsExpire string    `json:"backups_expire" doc:"The day when the last backup that holds a key has expired, as audit.backup_days has it."`
	Record        *int64    `json:"record" doc:"Index of the record that is the evidence; null where nothing was left, or where it has no place yet."`
	Complete      bool      `json:"complete" doc:"Whether lists and files hold nothing any more; where not, erase once more."`
	APIKeys       []string  `json:"api_keys" doc:"API keys that are bound to a user of that name, which they still hold."`
	Message       string    `json:"message"`
}

// SubjectSummary is the last line of the answer to an access request: without it the answer is not whole.
type SubjectSummary struct {
	Tenant      string            `json:"tenant"`
	SubjectHash string            `json:"subject_hash"`
	Records     int64             `json:"records" doc:"Lines before this one."`
	KeysOpen    int               `json:"keys_open"`
	KeysErased  int               `json:"keys_erased"`
	Evidence    []SubjectEvidence `json:"evidence" doc:"Erasures of the subject, oldest first."`
}

// SubjectEvidence is a record of an erasure.
type SubjectEvidence struct {
	Index         int64     `json:"index"`
	Time          time.Time `json:"time"`
	KeysDestroyed string    `json:"keys_destroyed"`
	Reason        string    `json:"reason"`
	BackupsExpire string    `json:"backups_expire"`
}

// SubjectLine is one line of the answer to an access request: one of its members is there.
type SubjectLine struct {
	Record  *Record         `json:"record,omitzero"`
	Summary *SubjectSummary `json:"summary,omitzero"`
	Error   *ErrorBody      `json:"error,omitzero" doc:"Why the answer ends before it is whole."`
}

// SubjectPath names a data subject.
type SubjectPath struct {
	Subject string `path:"subject" minLength:"1" maxLength:"256" doc:"X-Signalbox-Subject of the calls, or else their user."`
	Tenant  string `query:"tenant" required:"true" minLength:"1" maxLength:"128"`
}

func (s *server) registerSubjects(api huma.API) {
	huma.Register(api, operation("erase-subject", http.MethodPost, "/subjects/{subject}/erasure",
		"Destroy the keys of a data subject", signalbox.RoleAdmin), s.eraseSubject)
	export := operation("export-subject", http.MethodGet, "/subjects/{subject}/records",
		"All records about a data subject, as JSON lines", signalbox.RoleAdmin)
	export.Responses = map[string]*huma.Response{"200": {
		Description: "A line with a record each, oldest first, and a last line with a summary.",
		Content: map[string]*huma.MediaType{jsonLines: {
			Schema: huma.SchemaFromType(api.OpenAPI().Components.Schemas, reflect.TypeFor[SubjectLine]()),
		}},
	}}
	huma.Register(api, export, s.exportSubject)
}

const jsonLines = "application/x-ndjson"

func (s *server) eraseSubject(ctx context.Context, in *struct {
	SubjectPath
	Body EraseRequest
},
) (*Body[Erasure], error) {
	c := callerOf(ctx)
	done, err := s.Subjects.Erase(ctx, c.caller(), in.Tenant, in.Subject, in.Body.Reason)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Erasure]{done}, nil
}

func (s *server) exportSubject(ctx context.Context, in *SubjectPath) (*huma.StreamResponse, error) {
	c := callerOf(ctx)
	entries, summary, err := s.Subjects.Export(ctx, c.caller(), in.Tenant, in.Subject)
	if err != nil {
		return nil, fail(c, err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		h.SetHeader("Content-Type", jsonLines)
		h.SetHeader("Content-Disposition", `attachment; filename="subject.jsonl"`)
		line := func(l SubjectLine) bool {
			b, err := json.Marshal(l)
			if err == nil {
				_, err = h.BodyWriter().Write(append(b, '\n'))
			}
			return err == nil // Who has gone away misses the last line.
		}
		for e, err := range entries {
			var r signalbox.Record
			if err == nil {
				r, err = s.Decode(e)
			}
			if err != nil {
				line(SubjectLine{Error: &NewAnswerError(err, c.RequestID).Err})
				return
			}
			row := recordRow(e, r)
			if !line(SubjectLine{Record: &row}) {
				return
			}
		}
		total := summary()
		line(SubjectLine{Summary: &total})
	}}, nil
}
