package config

import (
	"net/url"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// DatabaseKind says which store is used.
type DatabaseKind string

// The kinds of database.
const (
	DatabaseSQLite   DatabaseKind = "sqlite"   // A file, for one process.
	DatabasePostgres DatabaseKind = "postgres" // A server, for several replicas.
)

// Database says where everything is stored.
type Database struct {
	Kind DatabaseKind `json:"kind"`
	Path string       `json:"path"` // Of the SQLite file; "" for PostgreSQL.
	URL  Endpoint     `json:"url"`  // Of the PostgreSQL database; it prints without password and parameters. None for SQLite.
}

// String gives the database as the configuration writes it, without password and parameters.
func (d Database) String() string {
	if d.Kind == DatabasePostgres {
		return d.URL.String()
	}
	return "sqlite:" + d.Path
}

// File gives the path of the SQLite file. The error, for a PostgreSQL database, is a *DatabaseError.
func (d Database) File() (string, error) {
	if d.Kind == DatabasePostgres {
		return "", &DatabaseError{"is a PostgreSQL database, where a SQLite file is needed", sqliteRemedy}
	}
	return d.Path, nil
}

// DatabaseError says what is wrong with the address of a database, and what to do.
type DatabaseError struct{ Message, Remedy string }

// Error gives both on one line.
func (e *DatabaseError) Error() string { return "database: " + e.Message + "; " + e.Remedy }

const (
	sqliteRemedy   = "write sqlite: and the path of a file, such as " + DefaultDatabase
	postgresRemedy = "write postgres://user:password@host:5432/database, with %40 for an @ in the password (and so on)"
)

// ParseDatabase reads sqlite:PATH, postgres://… or postgresql://…. The error is a *DatabaseError and never quotes the
// address, which may hold a password.
func ParseDatabase(address string) (Database, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		return parsePostgres(address)
	case scheme != "sqlite":
		return Database{}, &DatabaseError{"is not the address of a database", sqliteRemedy + ", or postgres:// and so on"}
	case strings.HasPrefix(rest, "//"):
		return Database{}, &DatabaseError{"has slashes after sqlite:", sqliteRemedy + ", or sqlite:/var/lib/signalbox.db"}
	case rest == "" || rest == ":memory:" || strings.ContainsAny(rest, "?#\x00"):
		return Database{}, &DatabaseError{"does not name a file", sqliteRemedy}
	}
	return Database{Kind: DatabaseSQLite, Path: rest}, nil
}

// parsePostgres checks no more than the shape: the driver knows the parameters. What would put a part of a password
// where it is printed is refused: signs that must be escaped in it.
func parsePostgres(address string) (Database, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Opaque != "" || u.Fragment != "" || strings.Contains(u.RawQuery, "@") || strings.Contains(u.Path, "@"):
		return Database{}, &DatabaseError{"is not the URL of a PostgreSQL database", postgresRemedy}
	case u.Host == "" && u.Query().Get("host") == "":
		return Database{}, &DatabaseError{"names no PostgreSQL server", postgresRemedy}
	case strings.Trim(u.Path, "/") == "":
		return Database{}, &DatabaseError{"names no database of the PostgreSQL server", postgresRemedy}
	}
	return Database{Kind: DatabasePostgres, URL: NewEndpoint(address)}, nil
}

// database is the value of the key of that name.
type database struct{ into *Database }

func (v database) read(r *reader, n ast.Node, field string) {
	var address string
	before := len(r.problems)
	textInto(&address).read(r, n, field)
	if len(r.problems) > before {
		return
	}
	d, err := ParseDatabase(address)
	if wrong, ok := err.(*DatabaseError); ok { //nolint:errorlint // ParseDatabase wraps nothing.
		r.problem(r.place(n, field), wrong.Message, wrong.Remedy)
		return
	}
	*v.into = d
}
