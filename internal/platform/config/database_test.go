package config

import (
	"errors"
	"strings"
	"testing"
)

func TestParseDatabase(t *testing.T) {
	cases := []struct {
		address, shown string // shown "" is an error.
		kind           DatabaseKind
	}{
		{"sqlite:data/x.db", "sqlite:data/x.db", DatabaseSQLite},
		{"sqlite:/var/x.db", "sqlite:/var/x.db", DatabaseSQLite},
		{"sqlite:C:\\x.db", "sqlite:C:\\x.db", DatabaseSQLite},
		{"postgres://h/d", "postgres://h/d", DatabasePostgres},
		{"postgresql://u@h:5432/d", "postgresql://u@h:5432/d", DatabasePostgres},
		{"postgres://u:canary@h/d", "postgres://u:[secret]@h/d", DatabasePostgres},
		{"postgres://u:can%40ary@h/d?sslmode=require&password=canary", "postgres://u:[secret]@h/d?[secret]", DatabasePostgres},
		{"postgres://u:c@nary@h/d", "postgres://u:[secret]@h/d", DatabasePostgres},
		{"postgres://[::1]:5432/d", "postgres://[::1]:5432/d", DatabasePostgres},
		{"postgres:///d?host=/var/run/postgresql", "postgres:///d?[secret]", DatabasePostgres},
		{address: "postgres:///d"},
		{address: "postgres://u:canary@h"},
		{address: "postgres://u:canary@h/"},
		{address: "postgres:u:canary@h/d"},
		{address: "postgres://u:can/ary@h/d"},
		{address: "postgres://u:1/canary@h/d"},
		{address: "postgres://u:p@canary?@h/d"},
		{address: "postgres://u:can#ary@h/d"},
		{address: "postgres://u:1#canary@h/d"},
		{address: "postgres://u:can%ary@h/d"},
		{address: "postgres://u:can\nary@h/d"},
		{address: "postgres:"},
		{address: "sqlite:"},
		{address: "sqlite::memory:"},
		{address: "sqlite://x"},
		{address: "x.db"},
		{address: "sqlite:x?mode=ro"},
		{address: "sqlite:a\x00b"},
		{address: "mysql://u:canary@h/d"},
	}
	for _, tc := range cases {
		t.Run(tc.address, func(t *testing.T) {
			got, err := ParseDatabase(tc.address)
			if (err == nil) != (tc.shown != "") || (err == nil && (got.Kind != tc.kind || got.String() != tc.shown)) {
				t.Errorf("got %v, %v, want %q", got, err, tc.shown)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("shows the password: %v", err)
			}
			if err == nil && tc.kind == DatabasePostgres && got.URL.Reveal() != tc.address {
				t.Errorf("lost the address: %q", got.URL.Reveal())
			}
		})
	}
}

func TestFileOfADatabase(t *testing.T) {
	file, err := Database{Kind: DatabaseSQLite, Path: "x.db"}.File()
	if file != "x.db" || err != nil {
		t.Errorf("got %q, %v", file, err)
	}
	d, err := ParseDatabase("postgres://u:canary@h/d")
	if err != nil {
		t.Fatal(err)
	}
	var wrong *DatabaseError
	if file, err = d.File(); file != "" || !errors.As(err, &wrong) || wrong.Remedy == "" || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %q, %v", file, err)
	}
}

func TestWithDatabase(t *testing.T) {
	plain, keyed := mustParse(t, "listen: :1"), mustParse(t, "audit: {key: k.pem, master_key: m.key}")
	slow := mustParse(t, "audit: {key: k.pem, master_key: m.key}\nproviders: {p: {kind: simulated, timeouts: {total: 2h}}}")
	cases := []struct {
		name, address string
		of            *Config
		wrong         string
	}{
		{"a file", "sqlite:x.db", plain, ""},
		{"a server", "postgres://u:canary@h/d", keyed, ""},
		{"nonsense", "x.db", plain, "is not the address of a database"},
		{"no signing key", "postgres://u:canary@h/d", plain, "audit.key is missing"},
		{"calls that outlive the rest", "postgres://u:canary@h/d", slow, "cluster.longest_call 1h is shorter than timeouts.total of provider p, 2h"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			before := tc.of.Database
			got, err := tc.of.WithDatabase(tc.address)
			if tc.of.Database != before {
				t.Error("changed the configuration it was made from")
			}
			if tc.wrong == "" {
				if err != nil || got.Database.Kind == "" || got.Listen != tc.of.Listen {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			var wrong *DatabaseError
			if got != nil || !errors.As(err, &wrong) || !strings.Contains(err.Error(), tc.wrong) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v, %v, want %q", got, err, tc.wrong)
			}
		})
	}
}
