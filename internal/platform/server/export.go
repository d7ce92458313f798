package server

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
)

// exportLog notes that somebody takes records out, and gives what writes them, with what the vault opens.
func (s *Server) exportLog(ctx context.Context, by signalbox.Caller, o audit.ExportOptions) (func(io.Writer) error, error) {
	o.Decode = s.data.vault.Decode
	job, err := audit.NewExport(ctx, s.data.db, o)
	if err != nil {
		return nil, err
	}
	now := s.data.now().UTC()
	detail := map[string]string{"format": string(o.Format), "size": strconv.FormatInt(job.Size(), 10), detailByKey: by.Key, detailByRole: string(by.Role)}
	if filter := filterNames(o.Filter); filter != "" {
		detail["filter"] = filter
	}
	if o.Filter.Tenant != "" {
		detail["of_tenant"] = o.Filter.Tenant
	}
	_, err = s.data.writer.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		Who:     by.Who(by.Tenant),
		What:    signalbox.What{Action: signalbox.ActionLogExported, Detail: detail},
		Context: signalbox.Context{Replica: s.data.replica},
	})
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error {
		_, err := job.Write(ctx, w)
		return err
	}, nil
}

// filterNames says by what records were chosen. Whom they are about is not said: the record would stay when that person
// is erased.
func filterNames(f audit.Filter) string {
	var names []string
	for _, x := range []struct {
		name  string
		given bool
	}{
		{"tenant", f.Tenant != ""},
		{"user", f.User != ""},
		{"subject", f.Subject != ""},
		{"agent", f.Agent != ""},
		{"action", f.Action != ""},
		{"risk", f.Risk != ""},
		{"run", f.Run != ""},
		{"call", f.Call != ""},
		{"from", !f.From.IsZero()},
		{"to", !f.To.IsZero()},
	} {
		if x.given {
			names = append(names, x.name)
		}
	}
	return strings.Join(names, ",")
}
