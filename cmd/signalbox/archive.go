package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

type auditArchiveCmd struct {
	remote
	format
	Database string `help:"Archive out of this database without contacting a server; no record says so then." placeholder:"URL"`
	To       string `required:"" help:"With --database a new directory, else the name of one below the server's audit.archive." placeholder:"DIR"`
	From     int64  `help:"Index of the first record; mostly the end of the archive before." placeholder:"INDEX"`
	Until    string `required:"" help:"Where the range ends at the latest: an index, or a time (RFC 3339). It ends at the newest checkpoint before." placeholder:"TIME|INDEX"`
	KeyFile  string `name:"key" help:"The log's public key; without it the key beside the SQLite file is used." type:"path" placeholder:"FILE"`
}

// Run writes an archive.
func (k *auditArchiveCmd) Run(c *console) error {
	o := audit.ArchiveOptions{First: k.From, Now: time.Now}
	var err error
	if o.Until, err = strconv.ParseInt(k.Until, 10, 64); err != nil {
		if o.Before, err = time.Parse(time.RFC3339, k.Until); err != nil {
			return &usageError{fmt.Sprintf("--until: %q is neither an index nor a time such as 2026-01-01T00:00:00Z", k.Until)}
		}
	} else if o.Until < 1 {
		return &usageError{"--until: an index must be 1 or more"}
	}
	if k.Database == "" {
		return k.ask(c, o)
	}
	src, keyFile, err := openArchiveSource(c, k.Database, k.KeyFile)
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // It was only read.
	if o.Verifier, err = audit.ReadVerifier(keyFile); err != nil {
		return err
	}
	m, err := audit.WriteArchive(c.ctx, src, k.To, o)
	if err != nil {
		return err
	}
	return k.show(c, server.ArchiveOf(k.To, m))
}

// ask lets the server write it.
func (k *auditArchiveCmd) ask(c *console, o audit.ArchiveOptions) error {
	if k.KeyFile != "" {
		return &usageError{"--key needs --database"}
	}
	request := api.ArchiveRequest{Name: k.To, First: o.First}
	if o.Until > 0 {
		request.Until = &o.Until
	} else {
		request.Before = &o.Before
	}
	var done api.Archive
	if err := k.do(c.ctx, http.MethodPost, "/audit/archives", request, &done); err != nil {
		return err
	}
	return k.show(c, done)
}

func (k *auditArchiveCmd) show(c *console, a api.Archive) error {
	return k.print(c, a, []string{fmt.Sprintf("archived: records %d to %d, %d files, in %s", a.First, a.Last, a.Parts+1, a.File)}, nil)
}

// archiveReader is a database that an archive can be written from.
type archiveReader interface {
	audit.ArchiveSource
	Close() error
}

// openArchiveSource opens a database and says where the log's public key is.
func openArchiveSource(c *console, database, keyFile string) (archiveReader, string, error) {
	where, err := config.ParseDatabase(database)
	if err != nil {
		return nil, "", &usageError{"--database: " + err.Error()}
	}
	if where.Kind == config.DatabasePostgres {
		if keyFile == "" {
			return nil, "", &usageError{"--database: a PostgreSQL database has no key beside it; give --key FILE, the log's public key"}
		}
		db, err := postgres.OpenReadOnly(c.ctx, where.URL.Reveal())
		return db, keyFile, err
	}
	if keyFile == "" {
		keyFile = where.Path + server.AuditKeySuffix + ".pub"
	}
	db, err := sqlite.OpenReadOnly(c.ctx, where.Path)
	return db, keyFile, err
}

// archive checks archives without a database.
func (k *auditVerifyCmd) archive(c *console) error {
	verifier, err := k.publicKey()
	if err != nil {
		return err
	}
	report, err := audit.VerifyArchives(c.ctx, verifier, k.Archive...)
	if err != nil {
		return notGood(c, err)
	}
	return k.print(c, report, []string{archiveText("verified", report)}, nil)
}

// notGood tells what is wrong with an archive, and says no.
func notGood(c *console, err error) error {
	e := signalbox.AsError(err)
	if e.Code != signalbox.CodeInvalid || e.Field != "archive" {
		return err
	}
	if _, err := fmt.Fprintf(c.errOut, "signalbox: %s %s\n", e.Message, e.Remedy); err != nil {
		return err
	}
	return errNo
}

func archiveText(done string, r audit.ArchiveReport) string {
	text := fmt.Sprintf("%s: records %d to %d of %s, root %s", done, r.First, r.End-1, r.Origin, r.Root)
	if r.Destroyed > 0 {
		text += fmt.Sprintf("; %d without content, for %d of which the record that says why is not in here", r.Destroyed, r.Unproven)
	}
	return text
}

type auditRestoreArchiveCmd struct {
	format
	Archives []string `arg:"" help:"Directories of archives: the first begins with the log, each other continues the one before." type:"path" name:"dir"`
	Database string   `required:"" help:"A SQLite database that does not exist yet." placeholder:"URL"`
	KeyFile  string   `required:"" name:"key" help:"The log's public key." type:"path" placeholder:"FILE"`
}

// Run makes a database out of archives.
func (k *auditRestoreArchiveCmd) Run(c *console) error {
	where, err := config.ParseDatabase(k.Database)
	if err != nil {
		return &usageError{"--database: " + err.Error()}
	}
	if where.Kind == config.DatabasePostgres {
		return &usageError{"--database: archives are restored into SQLite only; name a file such as sqlite:restored.db"}
	}
	if _, err := os.Lstat(where.Path); !errors.Is(err, os.ErrNotExist) {
		return &usageError{"--database: " + where.Path + " exists already; name a new file"}
	}
	verifier, err := audit.ReadVerifier(k.KeyFile)
	if err != nil {
		return err
	}
	if _, err := audit.VerifyArchives(c.ctx, verifier, k.Archives...); err != nil { // Before a file is made.
		return notGood(c, err)
	}
	db, err := sqlite.Open(c.ctx, where.Path, sqlite.Options{Now: time.Now})
	if err != nil {
		return err
	}
	report, err := audit.RestoreArchives(c.ctx, verifier, db, k.Archives...)
	if err := errors.Join(err, db.Close()); err != nil {
		return notGood(c, err)
	}
	return k.print(c, report, []string{archiveText("restored", report)}, nil)
}
