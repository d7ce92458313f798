package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/signalbox/signalbox"
)

// retryAfter is what callers are told where the operator must act first.
const retryAfter = 5 * time.Second

// fault is what a result code of SQLite means to the people who run Signalbox.
type fault struct {
	code            signalbox.Code
	message, remedy string
}

// faults are keyed by extended result code, where one has a remedy of its own, or by primary result code.
var faults = map[int]fault{
	sqlite3.SQLITE_FULL: {
		signalbox.CodeUnavailable, "the disk of the database is full",
		"Free space on the file system that holds the database; calls are served again at once.",
	},
	sqlite3.SQLITE_READONLY: {
		signalbox.CodeUnavailable, "the database can not be written: the file or its directory is read-only",
		"Give the user that runs Signalbox write permission on the database file and on its directory.",
	},
	sqlite3.SQLITE_BUSY: {
		signalbox.CodeUnavailable, "another program holds the database locked",
		"End the program that has the database file open for writing (a sqlite3 shell, a backup tool).",
	},
	sqlite3.SQLITE_CORRUPT: {
		signalbox.CodeUnavailable, "the database file is damaged",
		"Stop Signalbox, keep a copy of the file, and restore the last backup; `signalbox audit verify` says what it holds.",
	},
	sqlite3.SQLITE_NOTADB: {
		signalbox.CodeInvalid, "the file is not a database",
		"Check the path in `database`; a new database is made where no file is.",
	},
	sqlite3.SQLITE_CANTOPEN: {
		signalbox.CodeUnavailable, "the database file can not be opened",
		"Check that the path in `database` exists and that the user that runs Signalbox may read and write it.",
	},
	sqlite3.SQLITE_IOERR: {
		signalbox.CodeUnavailable, "the disk of the database has failed",
		"Check the disk and the system's log; Signalbox must be started again once the disk is sound.",
	},
	sqlite3.SQLITE_IOERR_WRITE:   noWrites,
	sqlite3.SQLITE_IOERR_SHMSIZE: noWrites,
	sqlite3.SQLITE_IOERR_SHMMAP:  noWrites,
	sqlite3.SQLITE_INTERRUPT: {
		signalbox.CodeTimeout, "the query of the database took too long",
		"Narrow the filter or the range of time.",
	},
}

var noWrites = fault{
	signalbox.CodeUnavailable, "the disk of the database takes no writes",
	"Check its free space and quota, that its file system is mounted for writing, and the system's log; calls are served " +
		"again at once.",
}

// explain turns an error of the driver into one of ours. what says what was being done, in the log's words.
func explain(what string, err error) error {
	if err == nil {
		return nil
	}
	var ours *signalbox.Error
	if errors.As(err, &ours) {
		return err
	}
	cause := fmt.Errorf("%s: %w", what, err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		f := faults[sqlite3.SQLITE_INTERRUPT]
		return signalbox.Errorf(f.code, "%s.", sentence(f.message)).WithRemedy(f.remedy).WithCause(cause)
	}
	f, known := faults[extended(err)]
	if !known {
		f, known = faults[primary(err)]
	}
	if !known {
		return signalbox.AsError(cause)
	}
	return signalbox.Errorf(f.code, "%s.", sentence(f.message)).WithRemedy(f.remedy).
		WithRetryAfter(retryAfter).WithField("database").WithCause(cause)
}

func sentence(s string) string { return string(s[0]-'a'+'A') + s[1:] }

// extended is the result code of a driver's error with its detail, 0 for any other error.
func extended(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// primary is the primary result code of a driver's error, 0 for any other error.
func primary(err error) int { return extended(err) & 0xff }

// unsynced reports whether a sync has failed. What the system says about the same pages later can not be trusted: it may
// have dropped them, and then the next sync succeeds.
func unsynced(err error) bool {
	code := extended(err)
	return code == sqlite3.SQLITE_IOERR_FSYNC || code == sqlite3.SQLITE_IOERR_DIR_FSYNC
}

// unsettled reports whether nobody knows what the disk holds after a COMMIT that gave this error. A write that was refused,
// to the write-ahead log or to its index, is no such case, nor is a full disk: SQLite takes the transaction back, and the
// next one is written over it.
func unsettled(err error) bool {
	switch extended(err) {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP:
		return false
	}
	return primary(err) == sqlite3.SQLITE_IOERR
}

// cannotOpen is the error of the operating system about a file that we need to read and write.
func cannotOpen(path string, err error) error {
	f, what := faults[sqlite3.SQLITE_CANTOPEN], "can not be opened"
	switch {
	case errors.Is(err, errUnsynced):
		f, what = faults[sqlite3.SQLITE_IOERR], "could not be synced: the disk has failed"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		f, what = faults[sqlite3.SQLITE_READONLY], "can not be written: it or its directory is read-only"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f, what = faults[sqlite3.SQLITE_FULL], "can not be written: the disk is full"
	}
	return signalbox.Errorf(f.code, "The file %s %s.", path, what).WithField("database").
		WithRemedy(f.remedy).WithCause(err)
}

func newerSchema(path string, have, known int) error {
	return signalbox.Errorf(signalbox.CodeConflict,
		"The database %s has schema version %d; this program knows versions up to %d.", path, have, known).
		WithField("database").
		WithRemedy("Start the newer version of Signalbox that wrote the database, or restore a backup made before the upgrade.")
}

func foreign(path string) error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The file %s is a database of another program.", path).
		WithField("database").WithRemedy("Check the path in `database`; a new database is made where no file is.")
}
