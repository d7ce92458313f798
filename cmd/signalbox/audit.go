package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/server"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List records, newest first."`
	Verify auditVerifyCmd `cmd:"" help:"Recompute the whole log and compare it with what is stored and signed."`
	Prove  notBuilt       `cmd:"" help:"Not built in this version."`
	Export notBuilt       `cmd:"" help:"Not built in this version."`
}

type auditListCmd struct {
	remote
	format
	Limit int `default:"50" help:"Records to show, 1 to 500."`
}

// Run lists records.
func (k *auditListCmd) Run(c *console) error {
	var page api.Page[api.Record]
	if err := k.get(c.ctx, "/audit", url.Values{"limit": {strconv.Itoa(k.Limit)}}, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, r := range page.Items {
		subject := r.What.ToolName
		if subject == "" {
			subject = r.Context.ModelName
		}
		rows = append(rows, []string{
			strconv.FormatInt(r.Index, 10), r.Time.Format(time.RFC3339), string(r.Type), r.What.Action, r.Who.TenantID,
			r.Who.AgentID, subject, text(r.Outcome), text(r.CallID),
		})
	}
	return k.print(c, page, []string{"INDEX", "TIME", "TYPE", "ACTION", "TENANT", "AGENT", "SUBJECT", "OUTCOME", "CALL"}, rows)
}

type auditVerifyCmd struct {
	remote
	format
	Database   string `help:"Verify this database file without contacting a server." placeholder:"URL"`
	Checkpoint string `help:"A checkpoint that was kept elsewhere; only with --database." type:"path" placeholder:"FILE"`
	KeyFile    string `name:"key" help:"The log's public key; without it the key beside the database is used." type:"path" placeholder:"FILE"`
}

// Run verifies and says yes or no.
func (k *auditVerifyCmd) Run(c *console) error {
	report, err := k.report(c)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, f := range report.Findings {
		rows = append(rows, []string{text(f.Index), f.Problem})
	}
	heading := []string{fmt.Sprintf("verified: %d records, checkpoint at %d, root %s", report.Records, report.CheckpointSize, report.Root)}
	if !report.OK {
		heading = []string{"RECORD", "PROBLEM"}
	}
	if err := k.print(c, report, heading, rows); err != nil {
		return err
	}
	if !report.OK {
		return errNo
	}
	return nil
}

func (k *auditVerifyCmd) report(c *console) (api.VerifyReport, error) {
	if k.Database != "" {
		return k.offline(c)
	}
	if k.Checkpoint != "" {
		return api.VerifyReport{}, &usageError{"--checkpoint needs --database"}
	}
	var report api.VerifyReport
	err := k.do(c.ctx, http.MethodPost, "/audit/verify", nil, &report)
	return report, err
}

// offline reads the file itself and contacts nobody.
func (k *auditVerifyCmd) offline(c *console) (api.VerifyReport, error) {
	file, err := databaseFile(k.Database)
	if err != nil {
		return api.VerifyReport{}, err
	}
	db, err := sqlite.OpenReadOnly(c.ctx, file)
	if err != nil {
		return api.VerifyReport{}, err
	}
	defer db.Close() //nolint:errcheck // It was only read.
	keyFile := k.KeyFile
	if keyFile == "" {
		keyFile = file + server.AuditKeySuffix + ".pub"
	}
	o := audit.Options{}
	if o.Verifier, err = audit.ReadVerifier(keyFile); err != nil {
		return api.VerifyReport{}, err
	}
	if k.Checkpoint != "" {
		if o.Saved, err = os.ReadFile(k.Checkpoint); err != nil {
			return api.VerifyReport{}, &usageError{"--checkpoint: " + err.Error()}
		}
	}
	report, err := audit.Verify(c.ctx, db, o)
	if err != nil {
		return api.VerifyReport{}, err
	}
	return server.VerifyReport(report), nil
}
