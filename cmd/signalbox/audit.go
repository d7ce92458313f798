package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List records, newest first."`
	Status auditStatusCmd `cmd:"" help:"Show the log's tree, where its checkpoints are brought, and what is kept how long."`
	Verify auditVerifyCmd `cmd:"" help:"Recompute the whole log and compare it with what is stored and signed."`
	Prove  auditProveCmd  `cmd:"" help:"Write the proof that a record is in the log."`
	Export auditExportCmd `cmd:"" help:"Write records out, with proofs or as OCSF."`

	Archive        auditArchiveCmd        `cmd:"" help:"Write a closed range of the log to files."`
	RestoreArchive auditRestoreArchiveCmd `cmd:"" name:"restore-archive" help:"Make a database out of archives."`

	RotateMaster auditRotateMasterCmd `cmd:"" name:"rotate-master" help:"Wrap the keys of data subjects by a new master key; the server must be stopped."`
}

type auditListCmd struct {
	remote
	format
	chosen
	Cursor string `help:"Go on where a page has ended." placeholder:"NEXT"`
	Limit  int    `default:"50" help:"Records to show, 1 to 500."`
}

// Run lists records.
func (k *auditListCmd) Run(c *console) error {
	var page api.Page[api.Record]
	q, err := k.query()
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"cursor": k.Cursor, "limit": strconv.Itoa(k.Limit)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if err := k.get(c.ctx, "/audit", q, &page); err != nil {
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
	masterKey
	Database   string   `help:"Verify this database without contacting a server of ours; with --export it gives the keys that --master-key opens." placeholder:"URL"`
	Proof      string   `help:"Check this proof of one record; needs --key." type:"path" placeholder:"FILE"`
	Record     string   `help:"The record that --proof is about: a file with its line of an export." type:"path" placeholder:"FILE"`
	Export     string   `help:"Check this export; needs --key." type:"path" placeholder:"FILE"`
	Archive    []string `help:"Check this archive, without a database or a server; needs --key. Given more than once, each continues the one before." sep:"none" type:"path" placeholder:"DIR"`
	Checkpoint string   `help:"A checkpoint that was kept elsewhere; with --database or --export." type:"path" placeholder:"FILE"`
	KeyFile    string   `name:"key" help:"The log's public key; without it the key beside the SQLite file is used." type:"path" placeholder:"FILE"`
}

// Run verifies and says yes or no.
func (k *auditVerifyCmd) Run(c *console) error {
	if err := k.fits(); err != nil {
		return err
	}
	switch {
	case k.Proof != "":
		return k.proof(c)
	case k.Export != "":
		return k.export(c)
	case len(k.Archive) > 0:
		return k.archive(c)
	}
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

// fits refuses flags that would be left out of account: a check that was not made must not look like one.
func (k *auditVerifyCmd) fits() error {
	var given []string
	for _, f := range []struct {
		name string
		is   bool
	}{{"--proof", k.Proof != ""}, {"--export", k.Export != ""}, {"--archive", len(k.Archive) > 0}} {
		if f.is {
			given = append(given, f.name)
		}
	}
	switch {
	case len(given) > 1:
		return &usageError{strings.Join(given, " and ") + " are checked one at a time"}
	case k.Record != "" && k.Proof == "":
		return &usageError{"--record needs --proof"}
	case k.Checkpoint != "" && k.Export == "" && (k.Database == "" || len(given) > 0):
		return &usageError{"--checkpoint needs --database or --export"}
	case k.Database != "" && len(given) > 0 && k.Export == "":
		return &usageError{"--database is not used with " + given[0]}
	case k.Export != "" && (k.masterKey.given() != (k.Database != "")):
		return &usageError{"--export takes --database and --master-key together: the one has the keys of data subjects, the other opens them"}
	case k.masterKey.given() && k.Export == "":
		return &usageError{"--master-key needs --export"}
	}
	return nil
}

func (k *auditVerifyCmd) report(c *console) (api.VerifyReport, error) {
	if k.Database != "" {
		return k.offline(c)
	}
	var report api.VerifyReport
	err := k.do(c.ctx, http.MethodPost, "/audit/verify", nil, &report)
	return report, err
}

// logReader is a database that is only read.
type logReader interface {
	audit.LogSource
	seal.Keys
	Close() error
}

// offline reads the database itself and contacts nobody else.
func (k *auditVerifyCmd) offline(c *console) (api.VerifyReport, error) {
	db, keyFile, err := openLog(c, k.Database, k.KeyFile)
	if err != nil {
		return api.VerifyReport{}, err
	}
	defer db.Close() //nolint:errcheck // It was only read.
	setCollector()
	o := audit.Options{}
	if o.Verifier, err = audit.ReadVerifier(keyFile); err != nil {
		return api.VerifyReport{}, err
	}
	if k.Checkpoint != "" {
		if o.Saved, err = audit.ReadCheckpoint(k.Checkpoint); err != nil {
			return api.VerifyReport{}, &usageError{"--checkpoint: " + err.Error()}
		}
	}
	report, err := audit.Verify(c.ctx, db, o)
	if err != nil {
		return api.VerifyReport{}, err
	}
	return server.VerifyReport(report), nil
}

// openLog opens a database for reading and says where the public key is.
func openLog(c *console, database, key string) (db logReader, keyFile string, err error) {
	where, err := config.ParseDatabase(database)
	if err != nil {
		return nil, "", &usageError{"--database: " + err.Error()}
	}
	if where.Kind == config.DatabasePostgres {
		if key == "" {
			return nil, "", &usageError{"--database: a PostgreSQL database has no key beside it; give --key FILE, the log's public key"}
		}
		db, err = postgres.OpenReadOnly(c.ctx, where.URL.Reveal())
		return db, key, err
	}
	keyFile = key
	if keyFile == "" {
		keyFile = where.Path + server.AuditKeySuffix + ".pub"
	}
	db, err = sqlite.OpenReadOnly(c.ctx, where.Path)
	return db, keyFile, err
}
