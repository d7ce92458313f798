package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"
)

//go:embed migrations
var migrations embed.FS

// applicationID marks our files in their header ("SBOX").
const applicationID = 0x53424f58

// schema is one of the two sets of tables, each in a file of its own.
type schema struct {
	dir  string
	name string
}

var (
	logSchema   = schema{dir: "migrations/log", name: "log"}
	viewsSchema = schema{dir: "migrations/views", name: "views"}
)

// version is the newest version that this program knows: the number of its migrations.
func (s schema) version() int { return len(s.files()) }

// files lists the migrations in their order; their names begin with their number.
func (s schema) files() []string {
	names, err := fs.Glob(migrations, path.Join(s.dir, "*.sql"))
	if err != nil {
		panic(err) // The pattern is constant.
	}
	slices.Sort(names)
	return names
}

// check refuses files that are not ours or newer than this program, and gives the version; 0 is an empty file.
func (s schema) check(ctx context.Context, db querier, file string) (int, error) {
	var id, tables int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return 0, explain("read the application id", err)
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return 0, explain("read the schema", err)
	}
	if tables == 0 {
		return 0, nil
	}
	if id != applicationID {
		return 0, foreign(file)
	}
	var version int
	if err := db.QueryRowContext(ctx, "SELECT max(version) FROM schema_version").Scan(&version); err != nil {
		return 0, explain("read the schema version", err)
	}
	if version > s.version() {
		return 0, newerSchema(file, version, s.version())
	}
	return version, nil
}

// migrate brings the file to the newest version, one transaction per step.
func (s schema) migrate(ctx context.Context, conn *sql.Conn, file string, now time.Time) error {
	have, err := s.check(ctx, conn, file)
	if err != nil {
		return err
	}
	for i, name := range s.files()[have:] {
		if err := s.step(ctx, conn, name, have+i+1, now); err != nil {
			return explain("migrate with "+name, err)
		}
	}
	return nil
}

func (s schema) step(ctx context.Context, conn *sql.Conn, name string, version int, now time.Time) error {
	script, err := migrations.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the migration: %w", err)
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // After the commit it does nothing.
	for _, q := range []string{
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		"CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL) STRICT",
		string(script),
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO schema_version VALUES (?, ?)", version, now.UnixMicro()); err != nil {
		return err
	}
	return tx.Commit()
}

// querier is what reads: a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}
