package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// keysApart is said with every copy: whoever has a copy and the keys has everything.
const keysApart = "the signing key and the master key are not in it: keep copies of them elsewhere, apart from the backups"

// dumpRemedy is the way for PostgreSQL.
const dumpRemedy = "use pg_dump and pg_restore for PostgreSQL (docs/operations.md), and `signalbox audit verify --database` after a restore"

type backupCmd struct {
	Database string `help:"Database; its server may be running." default:"${database}" placeholder:"URL"`
	To       string `help:"The file to write; it must not exist." type:"path" required:"" placeholder:"FILE"`
}

// Run makes a copy of the log's file.
func (k *backupCmd) Run(c *console) error {
	file, err := sqliteFile(k.Database)
	if err != nil {
		return err
	}
	copied, err := sqlite.Copy(c.ctx, file, k.To, nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "backed up: %d records, %d bytes, to %s\n%s\n", copied.Records, copied.Bytes, k.To, keysApart)
	return err
}

type restoreCmd struct {
	File       string `arg:"" help:"A backup." type:"path"`
	Database   string `help:"The database to make; it must not exist." required:"" placeholder:"URL"`
	KeyFile    string `name:"key" help:"The log's public key; without it, the one beside the new database is used." type:"path" placeholder:"FILE"`
	Checkpoint string `help:"A checkpoint that was kept elsewhere; a backup that is older than it is refused." type:"path" placeholder:"FILE"`
}

// Run makes a database of a backup, once its log has been verified.
func (k *restoreCmd) Run(c *console) error {
	file, err := sqliteFile(k.Database)
	if err != nil {
		return err
	}
	o, err := k.against(file)
	if err != nil {
		return err
	}
	var report audit.Report
	copied, err := sqlite.Copy(c.ctx, k.File, file, func(ctx context.Context, db *sqlite.DB) error {
		if report, err = audit.Verify(ctx, db, o); err == nil && !report.OK() {
			return notRestored(c.errOut, report)
		}
		return err
	})
	if err != nil {
		return err
	}
	signed := int64(0)
	if report.Checkpoint != nil {
		signed = report.Checkpoint.Size
	}
	_, err = fmt.Fprintf(c.out, "restored and verified: %d records, checkpoint at %d, root %s\n%s\n",
		copied.Records, signed, report.Root, "put the signing key and the master key in their places before the server is started; "+
			"projections are built at its start")
	return err
}

// against gives what the log of the backup is verified with.
func (k *restoreCmd) against(file string) (o audit.Options, err error) {
	key := k.KeyFile
	if key == "" {
		key = file + server.AuditKeySuffix + ".pub"
	}
	if o.Verifier, err = audit.ReadVerifier(key); err != nil {
		if k.KeyFile == "" && errors.Is(err, os.ErrNotExist) {
			return o, &usageError{"--key: a backup has no key in it, and there is none at " + key + "; give --key FILE, the log's public key"}
		}
		return o, err
	}
	if k.Checkpoint != "" {
		if o.Saved, err = audit.ReadCheckpoint(k.Checkpoint); err != nil {
			return o, &usageError{"--checkpoint: " + err.Error()}
		}
	}
	return o, nil
}

// notRestored says what is wrong with a backup.
func notRestored(w io.Writer, r audit.Report) error {
	for _, f := range r.Findings {
		fmt.Fprintf(w, "record %d: %s: %s\n", f.Index, f.Check, f.What)
	}
	return signalbox.Errorf(signalbox.CodeConflict, "The log of the backup does not verify: %d findings. Nothing was restored.",
		int64(len(r.Findings))+r.More).
		WithRemedy("Take another backup, or the right key and checkpoint.")
}

// sqliteFile gives the file of a database that is to be copied.
func sqliteFile(database string) (string, error) {
	where, err := config.ParseDatabase(database)
	if err != nil {
		return "", &usageError{"--database: " + err.Error()}
	}
	if where.Kind == config.DatabasePostgres {
		return "", &usageError{"--database: this command copies SQLite files only; " + dumpRemedy}
	}
	return where.Path, nil
}
