package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/signalbox/signalbox"
)

// retryAfter is what callers are told where the operator must act first.
const retryAfter = 5 * time.Second

// fault is what an error of PostgreSQL means to the people who run Signalbox.
type fault struct {
	code            signalbox.Code
	message, remedy string
}

// readOnly is the SQLSTATE of a write on a server, or in a session, that takes none.
const readOnly = "25006"

// faults are keyed by SQLSTATE, or by its class: the first two characters.
var faults = map[string]fault{
	"53100": {
		signalbox.CodeUnavailable, "the disk of the database server is full",
		"Free space on the file system of the PostgreSQL server; calls are served again at once.",
	},
	"53300": {
		signalbox.CodeUnavailable, "the database server has no connection left",
		"Raise max_connections of the PostgreSQL server: a replica takes about 20.",
	},
	"57014": {
		signalbox.CodeTimeout, "the query of the database took too long",
		"Narrow the filter or the range of time.",
	},
	"55P03": {
		signalbox.CodeUnavailable, "the database did not give a lock in time",
		"Retry; where it persists, look for transactions that were left open (pg_stat_activity).",
	},
	readOnly: {
		signalbox.CodeUnavailable, "the database takes no writes",
		"Give the address of the primary server in `database`; a standby, or a server with " +
			"default_transaction_read_only, can not be used.",
	},
	"42501": {
		signalbox.CodeForbidden, "the database role lacks a permission",
		"Give the role of `database` the right to create a schema in its database, or make it the database's owner.",
	},
	"3D000": {
		signalbox.CodeInvalid, "the database does not exist",
		"Create it: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0; or correct `database`.",
	},
	"28": {
		signalbox.CodeInvalid, "the database server refused the role or its password",
		"Check the role and the password in `database`, and pg_hba.conf of the server.",
	},
	"40": {
		signalbox.CodeUnavailable, "transactions of the database kept getting in each other's way",
		"Retry after the given time.",
	},
	"57P": {
		signalbox.CodeUnavailable, "the database server is starting, stopping or has ended the connection",
		"Retry after the given time; check the PostgreSQL server where it persists.",
	},
	"58": {
		signalbox.CodeUnavailable, "the disk of the database server has failed",
		"Check the disk and the log of the PostgreSQL server.",
	},
	"XX": {
		signalbox.CodeUnavailable, "the database is damaged or its server has failed",
		"Look at the log of the PostgreSQL server; `signalbox audit verify` says what the log still holds.",
	},
}

var (
	unreachable = fault{
		signalbox.CodeUnavailable, "the database server can not be reached",
		"Check that PostgreSQL runs and that the host and port in `database` are right and reachable from here.",
	}
	slow = fault{
		signalbox.CodeTimeout, "the database did not answer in time",
		"Retry; where it persists, look at the load of the PostgreSQL server and at the way to it.",
	}
)

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
	f, known := diagnose(err)
	if !known {
		return signalbox.AsError(cause)
	}
	e := signalbox.Errorf(f.code, "%s.", sentence(f.message)).WithRemedy(f.remedy).WithCause(cause)
	if f.code != signalbox.CodeTimeout {
		e = e.WithField("database")
	}
	if f.code == signalbox.CodeUnavailable {
		e = e.WithRetryAfter(retryAfter)
	}
	return e
}

func diagnose(err error) (fault, bool) {
	if f, ok := known(sqlState(err)); ok {
		return f, true
	}
	var connect *pgconn.ConnectError
	switch {
	case sqlState(err) != "":
		return fault{}, false
	case errors.As(err, &connect):
		return unreachable, true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return slow, true
	case lost(err):
		return unreachable, true
	}
	return fault{}, false
}

func known(state string) (fault, bool) {
	for n := len(state); n >= 2; n-- {
		if f, ok := faults[state[:n]]; ok {
			return f, true
		}
	}
	return fault{}, false
}

// sqlState is the code of a server's error, "" for any other error.
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// lost reports whether an error means that the connection is gone, or never was.
func lost(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	state := sqlState(err)
	return errors.As(err, &connect) || errors.As(err, &network) || strings.HasPrefix(state, "57P") ||
		strings.HasPrefix(state, "08") || state == "" && isClosed(err)
}

// isClosed knows the errors of a connection that the other side has closed, which have no type.
func isClosed(err error) bool {
	text := err.Error()
	return strings.Contains(text, "EOF") || strings.Contains(text, "conn closed") || errors.Is(err, net.ErrClosed)
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func refused(code signalbox.Code, remedy, format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(code, format, args...).WithField("database").WithRemedy(remedy)
}

func oldServer(version string) error {
	return refused(signalbox.CodeInvalid, "Use PostgreSQL 14 or newer.",
		"The database server is too old: its version number is %s, and %d is the oldest that is served.", version, minVersion)
}

func notDurable(setting string) error {
	return refused(signalbox.CodeInvalid, "Set "+setting+" to on for the server, the database and the role of `database` "+
		"(SHOW "+setting+"; ALTER ROLE … RESET "+setting+").",
		"The database server runs with %s = off: it would acknowledge what a crash can lose.", setting)
}

func retriesSyncs() error {
	return refused(signalbox.CodeInvalid, "Set data_sync_retry to off, which is its default, and restart the server.",
		"The database server runs with data_sync_retry = on: it would take the second answer of a disk that has failed a sync.")
}

func wrongEncoding(encoding string) error {
	return refused(signalbox.CodeInvalid, "Create one: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0;",
		"The database has the encoding %s; it must have UTF8.", encoding)
}

func isStandby() error {
	return refused(signalbox.CodeInvalid, "Give the primary's address, or several with target_session_attrs=read-write.",
		"The database server is a standby and takes no writes.")
}

func newerSchema(have, known int) error {
	return refused(signalbox.CodeConflict,
		"Start the newer version of Signalbox that wrote the database, or restore a backup made before the upgrade.",
		"The database has schema version %d; this program knows versions up to %d.", have, known)
}

func empty() error {
	return refused(signalbox.CodeNotFound, "Check the name of the database, and a search_path in `database`.",
		"The database holds no data of Signalbox.")
}
