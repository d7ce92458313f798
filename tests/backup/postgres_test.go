package backup

import (
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

const config = fleet.Base + "tenants: [{id: acme}]\ncluster: {lease: 5s, longest_call: 15m}\n" + harness.Simulated

// program finds a program of PostgreSQL: in PATH, or where Debian keeps it.
func program(t *testing.T, name string) string {
	t.Helper()
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(all)
	if len(all) > 0 {
		return all[len(all)-1]
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing (%v): run `make setup` as root, or install PostgreSQL's client programs", name, err)
	}
	return path
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program(t, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// The way that docs/operations.md describes.
func TestPostgresDrill(t *testing.T) {
	database := postgrestest.Database(t)
	f := fleet.Launch(t, config, database, 1)
	before := call(t, f)
	early := newestCheckpoint(t, f.At(0))
	l := startLoad(f.At(0))
	l.more(t, 50)
	dump := filepath.Join(t.TempDir(), "signalbox.dump")
	run(t, "pg_dump", "--format=custom", "--file="+dump, database)
	l.more(t, 50)
	l.end(t)
	after := call(t, f)
	late := newestCheckpoint(t, f.At(0))

	restored := postgrestest.Database(t)
	run(t, "pg_restore", "--exit-on-error", "--no-owner", "--dbname="+restored, dump)
	public := filepath.Join(f.Root, "audit.key.pub")
	yes(t, f.Root, "audit", "verify", "--database", restored, "--key", public, "--checkpoint", early)
	no(t, 1, cutOff, "audit", "verify", "--database", restored, "--key", public, "--checkpoint", late)
	file := filepath.Join(t.TempDir(), "restored.yml") // With the keys of the first.
	text := strings.NewReplacer("@DATABASE@", restored, "@ROOT@", f.Root).Replace(config)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	continues(t, harness.Start(t, harness.Options{File: file}), before, after)
}
