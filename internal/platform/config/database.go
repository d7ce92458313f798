package config

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Database says where everything is stored.
type Database struct {
	Path string `json:"path"` // Of the SQLite file.
}

// String gives the database as the configuration writes it.
func (d Database) String() string { return "sqlite:" + d.Path }

// DatabaseError says what is wrong with the address of a database, and what to do.
type DatabaseError struct{ Message, Remedy string }

// Error gives both on one line.
func (e *DatabaseError) Error() string { return "database: " + e.Message + "; " + e.Remedy }

// ParseDatabase reads sqlite:PATH. The error is a *DatabaseError and never quotes the address, which may hold a
// password.
func ParseDatabase(address string) (Database, error) {
	const remedy = "write sqlite: and the path of a file, such as " + DefaultDatabase
	scheme, rest, _ := strings.Cut(address, ":")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		return Database{}, &DatabaseError{"PostgreSQL is not built in this version", remedy}
	case scheme != "sqlite":
		return Database{}, &DatabaseError{"is not the address of a database", remedy}
	case strings.HasPrefix(rest, "//"):
		return Database{}, &DatabaseError{"has slashes after sqlite:", remedy + ", or sqlite:/var/lib/signalbox.db"}
	case rest == "" || rest == ":memory:" || strings.ContainsAny(rest, "?#\x00"):
		return Database{}, &DatabaseError{"does not name a file", remedy}
	}
	return Database{Path: rest}, nil
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
