package backup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/signalbox/signalbox/tests/disk"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestDrill(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	before := call(t, i)
	early := newestCheckpoint(t, i)
	l := startLoad(i)
	l.more(t, 50)
	copies := t.TempDir()
	file := filepath.Join(copies, "backup.db")
	yes(t, copies, "backup", "--database", "sqlite:"+i.Database, "--to", file)
	l.more(t, 50)
	l.end(t)
	after := call(t, i)
	late := newestCheckpoint(t, i)
	public := i.Database + ".audit-key.pub"

	dir := t.TempDir()
	restored := filepath.Join(dir, "signalbox.db")
	no(t, 1, cutOff, "restore", file, "--database", "sqlite:"+restored, "--key", public, "--checkpoint", late)
	leftNothing(t, filepath.Join(dir, "*"))
	yes(t, dir, "restore", file, "--database", "sqlite:"+restored, "--key", public, "--checkpoint", early)
	yes(t, dir, "audit", "verify", "--database", "sqlite:"+restored, "--key", public, "--checkpoint", early)
	no(t, 1, cutOff, "audit", "verify", "--database", "sqlite:"+restored, "--key", public, "--checkpoint", late)
	keys(t, i.Database, restored)
	copied := harness.Start(t, harness.Options{Dir: dir})
	continues(t, copied, before, after)
	if code := copied.Stop(); code != 0 {
		t.Errorf("the copy ended with code %d", code)
	}
	no(t, 1, "The saved checkpoint", "audit", "verify", "--database", "sqlite:"+restored, "--key", public, "--checkpoint", late)
}

// Whoever puts an old copy in the place of the database is found out by whoever kept a checkpoint.
func TestRollbackIsDetected(t *testing.T) {
	o := harness.Options{Dir: t.TempDir()}
	i, err := harness.Launch(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Kill)
	call(t, i)
	old := filepath.Join(t.TempDir(), "old.db")
	yes(t, o.Dir, "backup", "--database", "sqlite:"+i.Database, "--to", old)
	call(t, i)
	saved := newestCheckpoint(t, i)
	if code := i.Stop(); code != 0 {
		t.Fatalf("the instance ended with code %d: %s", code, i.Stderr())
	}
	yes(t, o.Dir, "audit", "verify", "--database", "sqlite:"+i.Database, "--checkpoint", saved)
	replace(t, old, i.Database)
	no(t, 1, cutOff, "audit", "verify", "--database", "sqlite:"+i.Database, "--checkpoint", saved)
	// Nor does a longer log help that has grown out of the old copy.
	j := harness.Start(t, o)
	for range 5 {
		call(t, j)
	}
	newestCheckpoint(t, j)
	no(t, 1, "The saved checkpoint", "audit", "verify", "--database", "sqlite:"+i.Database, "--checkpoint", saved)
}

func replace(t *testing.T, from, database string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		os.Remove(database + suffix) // There may be none.
	}
	if err := os.WriteFile(database, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	for range 50 {
		call(t, i)
	}
	newestCheckpoint(t, i)
	dir := t.TempDir()
	file, public := filepath.Join(dir, "backup.db"), i.Database+".audit-key.pub"
	yes(t, dir, "backup", "--database", "sqlite:"+i.Database, "--to", file)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := harness.Start(t, harness.Options{})
	damaged := func(name string, change func(b []byte) []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, change(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	small := disk.Small(t, 64, os.Geteuid())
	target := filepath.Join(t.TempDir(), "new.db")
	for _, c := range []struct {
		name string
		code int
		why  string
		args []string
	}{
		{"backup over a file", 1, "exists; it is not overwritten", []string{"backup", "--database", "sqlite:" + i.Database, "--to", file}},
		{"backup of nothing", 1, "can not be opened", []string{"backup", "--database", "sqlite:" + target, "--to", target + ".b"}},
		{"backup to a full disk", 1, "full", []string{"backup", "--database", "sqlite:" + i.Database, "--to", small + "/new.db"}},
		{"backup to no folder", 1, "can not be opened", []string{"backup", "--database", "sqlite:" + i.Database, "--to", dir + "/none/b.db"}},
		{"backup of PostgreSQL", 2, "pg_dump", []string{"backup", "--database", "postgres://h/d", "--to", target}},
		{"backup without a file", 2, "--to", []string{"backup"}},
		{"restore over the database", 1, "exists; it is not overwritten", []string{"restore", file, "--database", "sqlite:" + i.Database}},
		{"restore without a key", 2, "--key", []string{"restore", file, "--database", "sqlite:" + target}},
		{"restore with another log's key", 1, "does not verify", []string{
			"restore", file, "--database", "sqlite:" + target, "--key", other.Database + ".audit-key.pub",
		}},
		{"restore of half a backup", 1, "damaged", []string{
			"restore", damaged("half.db", func(b []byte) []byte { return b[:len(b)/2] }), "--database", "sqlite:" + target, "--key", public,
		}},
		{"restore of noise", 1, "not a database", []string{
			"restore", damaged("noise.db", func(b []byte) []byte { return []byte("this is no database, but long enough to be one") }),
			"--database", "sqlite:" + target, "--key", public,
		}},
		{"restore of nothing", 1, "can not be opened", []string{"restore", dir + "/none.db", "--database", "sqlite:" + target, "--key", public}},
		{"restore to PostgreSQL", 2, "pg_restore", []string{"restore", file, "--database", "postgres://h/d", "--key", public}},
	} {
		t.Run(c.name, func(t *testing.T) {
			no(t, c.code, c.why, c.args...)
			leftNothing(t, target+"*")
			leftNothing(t, small+"/*")
		})
	}
	i.Complete(t)
}
