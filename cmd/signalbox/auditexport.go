package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/signalbox/signalbox/internal/governance/audit"
)

type auditExportCmd struct {
	remote
	chosen
	masterKey
	Format   string `enum:"jsonl,ocsf" default:"jsonl" help:"jsonl has proofs and can be verified; ocsf is for a SIEM."`
	File     string `short:"o" required:"" help:"Where to write; a file that is there already is left alone." type:"path" placeholder:"FILE"`
	Database string `help:"Read this database without contacting a server of ours, which may be running; no record says so then." placeholder:"URL"`
	KeyFile  string `name:"key" help:"With --database the log's public key; without it the key beside the SQLite file is used." type:"path" placeholder:"FILE"`
}

// Run exports.
func (k *auditExportCmd) Run(c *console) error {
	filter, err := k.filter()
	if err != nil {
		return err
	}
	var done audit.Exported
	switch {
	case k.Database != "":
		done, err = k.offline(c, filter)
	case k.masterKey.given() || k.KeyFile != "":
		err = &usageError{"--key and --master-key need --database: a server has its own"}
	default:
		done, err = k.online(c)
	}
	if err != nil {
		return err
	}
	of := ""
	if done.Size > 0 { // An export without proofs does not say.
		of = fmt.Sprintf(" of the first %d", done.Size)
	}
	_, err = fmt.Fprintf(c.out, "%d records%s: %s\n", done.Records, of, k.File)
	return err
}

// offline reads the database itself. Without a master key what is sealed stays so.
func (k *auditExportCmd) offline(c *console, filter audit.Filter) (done audit.Exported, err error) {
	db, keyFile, err := openLog(c, k.Database, k.KeyFile)
	if err != nil {
		return done, err
	}
	defer db.Close() //nolint:errcheck // It was only read.
	if err := signedBy(c, db, keyFile); err != nil {
		return done, err
	}
	o := audit.ExportOptions{Format: audit.ExportFormat(k.Format), Filter: filter}
	if o.Decode, err = k.decoder(c, db); err != nil {
		return done, err
	}
	if !k.masterKey.given() && (filter.User != "" || filter.Subject != "") {
		if err := nothingSealed(c, db); err != nil {
			return done, err
		}
	}
	err = k.write(func(out io.Writer) (err error) {
		done, err = audit.Export(c.ctx, db, out, o)
		return err
	})
	return done, err
}

// signedBy refuses a log whose newest checkpoint is another key's: nobody could verify the export.
func signedBy(c *console, db logReader, keyFile string) error {
	verifier, err := audit.ReadVerifier(keyFile)
	if err != nil {
		return err
	}
	signed, err := db.LatestCheckpoint(c.ctx)
	if err != nil || signed == nil {
		return err // Export says that there is none.
	}
	_, err = audit.OpenCheckpoint(signed, verifier)
	return err
}

// write writes beside the file and renames it when it is whole.
func (k *auditExportCmd) write(export func(io.Writer) error) error {
	if _, err := os.Lstat(k.File); err == nil {
		return &usageError{"-o: " + k.File + " is there already"}
	}
	f, err := os.CreateTemp(filepath.Dir(k.File), ".export-*")
	if err != nil {
		return &usageError{"-o: " + err.Error()}
	}
	if err = export(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), k.File)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// export checks an export without the log.
func (k *auditVerifyCmd) export(c *console) error {
	o := audit.ExportChecks{}
	var err error
	if o.Verifier, err = k.publicKey(); err != nil {
		return err
	}
	if k.Checkpoint != "" {
		if o.Saved, err = audit.ReadCheckpoint(k.Checkpoint); err != nil {
			return &usageError{"--checkpoint: " + err.Error()}
		}
	}
	f, err := os.Open(k.Export)
	if err != nil {
		return &usageError{"--export: " + err.Error()}
	}
	defer f.Close()
	if k.Database != "" {
		db, _, err := openLog(c, k.Database, k.KeyFile)
		if err != nil {
			return err
		}
		defer db.Close() //nolint:errcheck // It was only read.
		if o.Decode, err = k.decoder(c, db); err != nil {
			return err
		}
	}
	report, err := audit.VerifyExport(c.ctx, f, o)
	if err != nil {
		return err
	}
	heading := []string{fmt.Sprintf("verified: %d records of the log %s, checkpoint at %d, %d with a sealed part that was not opened",
		report.Records, report.Checkpoint.Origin, report.Checkpoint.Size, report.Sealed)}
	var rows [][]string
	for _, x := range report.Findings {
		rows = append(rows, []string{number(x.Line, 1), number(x.Index, 0), x.What})
	}
	if !report.OK() {
		heading = []string{"LINE", "RECORD", "PROBLEM"}
	}
	if err := k.print(c, report, heading, rows); err != nil {
		return err
	}
	if !report.OK() {
		return errNo
	}
	return nil
}

// number is n, or a dash below the least that says something.
func number(n, least int64) string {
	if n < least {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}
