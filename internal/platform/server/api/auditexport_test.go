package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// export does what the server's wiring does, but for the record of it.
func (s *site) export(ctx context.Context, _ signalbox.Caller, o audit.ExportOptions) (func(io.Writer) error, error) {
	job, err := audit.NewExport(ctx, s.db, o)
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error {
		if !s.broken {
			_, err := job.Write(ctx, w)
			return err
		}
		var whole bytes.Buffer
		if _, err := job.Write(ctx, &whole); err != nil {
			return err
		}
		first, _, _ := bytes.Cut(whole.Bytes(), []byte("\n"))
		if _, err := w.Write(append(first, '\n')); err != nil {
			return err
		}
		return signalbox.Errorf(signalbox.CodeUnavailable, "The database is gone.").WithRemedy("Wait.")
	}, nil
}

// nobody knows no data subject; nowhere has no room for archives.
type (
	nobody  struct{}
	nowhere struct{}
)

func (nobody) Erase(context.Context, signalbox.Caller, string, string, string) (api.Erasure, error) {
	return api.Erasure{}, errNobody
}

func (nobody) Export(context.Context, signalbox.Caller, string, string) (iter.Seq2[signalbox.Entry, error], func() api.SubjectSummary, error) {
	return nil, nil, errNobody
}

func (nowhere) Archive(context.Context, signalbox.Caller, api.ArchiveRequest) (api.Archive, error) {
	return api.Archive{}, signalbox.Errorf(signalbox.CodeConflict, "No directory is configured for archives.").WithRemedy("Set audit.archive.")
}

var errNobody = signalbox.Errorf(signalbox.CodeNotFound, "Nothing was ever recorded about that subject.").WithRemedy("Check the name.")

// sign puts a checkpoint over the whole log and gives the log's public key.
func (s *site) sign() string {
	s.t.Helper()
	_, verifier, err := s.signed()
	if err != nil {
		s.t.Fatalf("sign: %v", err)
	}
	return verifier
}

func (s *site) signed() ([]byte, string, error) {
	key, _, err := audit.GenerateKey("signalbox/test", bytes.NewReader(bytes.Repeat([]byte{7}, 64)))
	if err != nil {
		return nil, "", err
	}
	tree, err := audit.Restore(context.Background(), s.db)
	if err != nil {
		return nil, "", err
	}
	signed, err := key.Sign(tree)
	return signed, key.Verifier(), errors.Join(err, s.db.PutCheckpoint(context.Background(), signed))
}

func TestExportOverHTTPVerifies(t *testing.T) {
	s := open(t)
	auditRecords(t, s)
	verifier := s.sign()
	for name, test := range map[string]struct {
		query []string
		want  int64
	}{
		"all":      {nil, 12},
		"tenant":   {[]string{"tenant", "globex"}, 4},
		"subject":  {[]string{"subject", "subject-3"}, 3},
		"run":      {[]string{"run", "run_2"}, 2},
		"call":     {[]string{"call", "call_5"}, 1},
		"risk":     {[]string{"risk", "high", "agent", "agent-1"}, 2},
		"from":     {[]string{"from", start.Add(9 * time.Hour).Format(time.RFC3339Nano)}, 3},
		"nobody's": {[]string{"tenant", "umbrella"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			values := url.Values{}
			for i := 0; i < len(test.query); i += 2 {
				values.Set(test.query[i], test.query[i+1])
			}
			a := s.ask(http.MethodGet, "/api/v1/audit/export?"+values.Encode(), auditor, "")
			if ct := a.header.Get("Content-Type"); a.status != http.StatusOK || ct != "application/x-ndjson" {
				t.Fatalf("status %d, %s: %s", a.status, ct, a.body)
			}
			r, err := audit.VerifyExport(t.Context(), bytes.NewReader(a.body), audit.ExportChecks{Verifier: verifier})
			if err != nil || !r.OK() || r.Records != test.want {
				t.Errorf("%d records, want %d; %+v (%v)", r.Records, test.want, r.Findings, err)
			}
		})
	}
	events := s.ask(http.MethodGet, "/api/v1/audit/export?format=ocsf", auditor, "")
	if n := strings.Count(string(events.body), `"class_uid":6003`); n != 12 || strings.Contains(string(events.body), `"end"`) {
		t.Errorf("%d events: %s", n, events.body)
	}
}

// An export that breaks off says so, and can not be taken for a whole one.
func TestExportThatBreaks(t *testing.T) {
	s := open(t)
	auditRecords(t, s)
	verifier := s.sign()
	s.broken = true
	a := s.ask(http.MethodGet, "/api/v1/audit/export", auditor, "")
	lines := strings.Split(strings.TrimSuffix(string(a.body), "\n"), "\n")
	var f refusal
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &f); err != nil || f.Error.Code != signalbox.CodeUnavailable || f.Error.Remedy == "" {
		t.Errorf("the last line is %s (%v)", lines[len(lines)-1], err)
	}
	if _, err := audit.VerifyExport(t.Context(), bytes.NewReader(a.body), audit.ExportChecks{Verifier: verifier}); !strings.Contains(err.Error(), "truncated") {
		t.Errorf("it is verified: %v", err)
	}
}
