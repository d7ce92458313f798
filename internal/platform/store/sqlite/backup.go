package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"

	"github.com/signalbox/signalbox"
)

// PartialSuffix is added to the name of a copy until it is whole and durable.
const PartialSuffix = ".partial"

// Copied says what a copy holds.
type Copied struct {
	Records int64 // In the log.
	Bytes   int64
}

// Copy makes a copy of the log's file at one instant: calls, ledger, keys, checkpoints. The projections are not copied;
// they are built anew. The process that serves the file may be running and is not held up: the copy is one read, during
// which only the write-ahead log grows.
//
// Until it is whole, checked and durable, the copy has another name ([PartialSuffix]); check may look at it then, and an
// error of it ends the copy. Nothing is overwritten, and after an error nothing is left. Errors of code conflict mean
// that there is a file already.
func Copy(ctx context.Context, from, to string, check func(ctx context.Context, copied *DB) error) (Copied, error) {
	if err := absent(to); err != nil {
		return Copied{}, err
	}
	source, err := OpenReadOnly(ctx, from)
	if err != nil {
		return Copied{}, err
	}
	defer source.Close() //nolint:errcheck // It was only read.
	partial := to + PartialSuffix
	if err := claim(partial); err != nil {
		return Copied{}, err
	}
	c, err := source.copyTo(ctx, partial, check)
	if err == nil {
		err = publish(partial, to)
	}
	if err != nil {
		return Copied{}, errors.Join(err, discard(partial))
	}
	return c, nil
}

// absent refuses a database that exists, or of which a part does: an old write-ahead log would be taken for the copy's.
func absent(file string) error {
	for _, name := range []string{file, file + "-wal", file + "-journal"} {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			return signalbox.Errorf(signalbox.CodeConflict, "The file %s exists; it is not overwritten.", name).
				WithField("database").WithRemedy("Give another file, or move that one away.")
		}
	}
	return nil
}

// claim makes the partial file, which nobody else may be writing.
func claim(partial string) error {
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, os.ErrExist) {
		return signalbox.Errorf(signalbox.CodeConflict, "The file %s exists: another copy is being made, or was cut off.", partial).
			WithField("database").WithRemedy("Remove it if no copy is being made.")
	}
	if err != nil {
		return cannotOpen(partial, err)
	}
	return f.Close()
}

func (d *DB) copyTo(ctx context.Context, partial string, check func(context.Context, *DB) error) (c Copied, err error) {
	if err := d.copyPages(ctx, partial); err != nil {
		return c, explain("copy the database", err)
	}
	copied, err := OpenReadOnly(ctx, partial)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	if err := copied.intact(ctx); err != nil {
		return c, err
	}
	if c.Records, err = copied.Size(ctx); err != nil {
		return c, err
	}
	info, err := os.Stat(partial)
	if err != nil {
		return c, cannotOpen(partial, err)
	}
	c.Bytes = info.Size()
	if check == nil {
		return c, nil
	}
	return c, check(ctx, copied)
}

// pagesAtOnce is how many pages are copied before the context is looked at.
const pagesAtOnce = 4096

// backuper is what the driver's connections can do.
type backuper interface {
	NewBackup(destination string) (*sqlite.Backup, error)
}

// copyPages copies within one read transaction. Without it SQLite would begin anew whenever the serving process writes.
func (d *DB) copyPages(ctx context.Context, partial string) error {
	conn, err := d.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // It was only read.
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // As above.
	var version int64
	if err := tx.QueryRowContext(ctx, "SELECT max(version) FROM schema_version").Scan(&version); err != nil {
		return err // The transaction begins with its first read.
	}
	return conn.Raw(func(c any) error {
		raw, ok := c.(backuper)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", c)
		}
		b, err := raw.NewBackup(dsn(partial, nil, "synchronous(FULL)"))
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if more, err = b.Step(pagesAtOnce); err == nil {
				err = ctx.Err()
			}
		}
		return errors.Join(err, b.Finish())
	})
}

// intact has SQLite check all pages, indexes and constraints.
func (d *DB) intact(ctx context.Context) error {
	var result string
	err := d.readers.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&result)
	if err != nil {
		return explain("check the copy", err)
	}
	if result != "ok" {
		return signalbox.Errorf(signalbox.CodeUnavailable, "The database file is damaged: %s.", strings.TrimSpace(result)).
			WithField("database").WithRemedy("Take another copy; `signalbox audit verify` says what the log of this one holds.")
	}
	return nil
}

// publish gives a copy its name once it is durable, and then makes the name durable.
func publish(partial, to string) error {
	if err := syncFile(partial); err != nil {
		return err
	}
	if err := absent(to); err != nil { // It may have come meanwhile.
		return err
	}
	if err := os.Rename(partial, to); err != nil {
		return cannotOpen(to, err)
	}
	return syncFile(filepath.Dir(to))
}

func syncFile(name string) error {
	f, err := os.Open(name) // The path is the operator's.
	if err != nil {
		return cannotOpen(name, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return signalbox.Errorf(signalbox.CodeUnavailable, "The file %s could not be made durable.", name).WithField("database").
			WithRemedy("Check the disk and the system's log, and make the copy again on a sound disk.").WithCause(err)
	}
	return nil
}

// discard removes a copy that was not finished.
func discard(partial string) error {
	var errs []error
	for _, name := range []string{partial, partial + "-journal", partial + "-wal", partial + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
