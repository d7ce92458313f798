package cli

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// refuses starts an instance that must not start, and checks that it stops at once, with code 1 and the reason.
func refuses(t *testing.T, o harness.Options, reasons ...string) {
	t.Helper()
	i, err := harness.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	r := harness.Run(t, o.Dir, nil, "serve", "--config", i.Config)
	if r.Code != 1 || r.Stdout != "" {
		t.Errorf("code %d, standard output %q", r.Code, r.Stdout)
	}
	for _, reason := range append(reasons, "remedy:") {
		if !strings.Contains(r.Stderr, reason) {
			t.Errorf("standard error does not say %q:\n%s", reason, r.Stderr)
		}
	}
	if strings.Contains(r.Stderr, "goroutine ") {
		t.Errorf("it panicked:\n%s", r.Stderr)
	}
}

// filled gives a folder with a database that holds a few calls, and a copy of the file's bytes.
func filled(t *testing.T, dir string) (file string, content []byte) {
	t.Helper()
	i, err := harness.Launch(harness.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Kill()
	for range 20 {
		if err := served(i); err != nil {
			t.Fatal(err)
		}
	}
	if code := i.Stop(); code != 0 {
		t.Fatalf("code %d:\n%s", code, i.Stderr())
	}
	content, err = os.ReadFile(i.Database)
	if err != nil {
		t.Fatal(err)
	}
	return i.Database, content
}

// unchanged: a database that was refused was not touched.
func unchanged(t *testing.T, file string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the refused file was changed (%v)", err)
	}
}

func TestDatabaseOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	first := harness.Start(t, harness.Options{Dir: dir})
	refuses(t, harness.Options{Dir: dir}, "is in use by process")
	if err := served(first); err != nil {
		t.Errorf("the first instance: %v", err)
	}
	first.Complete(t)
}

func TestDatabaseOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	file, _ := filled(t, dir)
	if err := change(file, "INSERT INTO schema_version (version, applied) SELECT 99, max(applied) FROM schema_version"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, harness.Options{Dir: dir}, "schema version 99")
	unchanged(t, file, before)
}

func TestFilesThatAreNoDatabaseOfOurs(t *testing.T) {
	for name, c := range map[string]struct {
		make   func(string) error
		reason string
	}{
		"another program's": {func(file string) error {
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				return err
			}
			return change(file, "CREATE TABLE cats (name TEXT)")
		}, "another program"},
		"text": {func(file string) error {
			return os.WriteFile(file, bytes.Repeat([]byte("This is a letter. "), 1000), 0o600)
		}, "not a database"},
		"a folder": {func(file string) error { return os.Mkdir(file, 0o700) }, "can not be opened"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "signalbox.db")
			if err := c.make(file); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(file)
			refuses(t, harness.Options{Dir: dir}, c.reason)
			if err == nil { // A folder can not be read.
				unchanged(t, file, before)
			}
		})
	}
}

func TestDamagedDatabase(t *testing.T) {
	dir := t.TempDir()
	file, content := filled(t, dir)
	damaged := slices.Clone(content)
	for n := 4096; n < len(damaged); n++ {
		damaged[n] ^= 0x5a
	}
	if err := os.WriteFile(file, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, harness.Options{Dir: dir}, "damaged")
	r := harness.Run(t, dir, nil, "audit", "verify", "--database", "sqlite:"+file)
	if r.Code != 1 || !strings.Contains(r.Stderr+r.Stdout, "damaged") {
		t.Errorf("audit verify ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// Projections are no truth: a damaged or missing file of them is made anew from the log, by the server or by the command.
func TestDamagedProjections(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(file string) error{
		"missing": func(file string) error {
			return errors.Join(os.Remove(file), removeIfThere(file+"-wal"), removeIfThere(file+"-shm"))
		},
		"of another log": func(file string) error { return change(file, "UPDATE progress SET leaf = x'00'") },
		"forged":         func(file string) error { return change(file, "UPDATE calls SET model_name = 'forged'") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file, _ := filled(t, dir)
			if err := damage(file + ".views"); err != nil {
				t.Fatal(err)
			}
			if name == "forged" {
				r := harness.Run(t, dir, nil, "projections", "rebuild", "--database", "sqlite:"+file)
				if r.Code != 0 {
					t.Fatalf("projections rebuild ends with %d: %s", r.Code, r.Stderr)
				}
			}
			i := harness.Start(t, harness.Options{Dir: dir})
			harness.Eventually(t, func() error { return ended(i, 20) })
			var page api.Page[api.Call]
			i.Get(t, "/calls", nil, &page)
			for _, row := range page.Items {
				if row.ModelName == nil || *row.ModelName != "sim" {
					t.Fatalf("a row has the model %v", row.ModelName)
				}
			}
		})
	}
}

func removeIfThere(file string) error {
	if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// disk mounts a small file system of its own, which needs root, as the whole suite does.
func disk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a disk of %s: %v (the test needs the right to mount: run it as root)", size, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func TestReadOnlyDatabase(t *testing.T) {
	dir := disk(t, "8m")
	file, content := filled(t, dir)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refuses(t, harness.Options{Dir: t.TempDir(), Database: file}, "read-only")
	unchanged(t, file, content)
	// It can still be read.
	r := harness.Run(t, t.TempDir(), nil, "audit", "verify", "--database", "sqlite:"+file)
	if r.Code != 0 {
		t.Errorf("audit verify ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestNoRoomForADatabase(t *testing.T) {
	dir := disk(t, "64k")
	if err := fill(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	refuses(t, harness.Options{Dir: t.TempDir(), Database: filepath.Join(dir, "signalbox.db")}, "full")
}

// fill takes all room of a disk.
func fill(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 64 << 10; size >= 1; size /= 2 {
		piece := make([]byte, size)
		for {
			if _, err := f.Write(piece); errors.Is(err, syscall.ENOSPC) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// Another program that holds the file locked, a shell or a backup, costs calls and nothing else.
func TestLockedWhileServing(t *testing.T) {
	t.Parallel()
	i := harness.Start(t, harness.Options{})
	acknowledged := map[string]bool{}
	a := i.Send(t, http.MethodPost, chatPath, harness.Agent, good)
	acknowledged[a.Header.Get("X-Signalbox-Call")] = true
	release, err := hold(t, i.Database)
	if err != nil {
		t.Fatal(err)
	}
	checkFailure(t, chatPath, i.Send(t, http.MethodPost, chatPath, harness.Agent, good), 503, "unavailable")
	if !strings.Contains(i.Stderr(), "program holds the database locked") {
		t.Errorf("the log of the process does not say why:\n%s", i.Stderr())
	}
	release()
	harness.Eventually(t, func() error {
		a := i.Send(t, http.MethodPost, chatPath, harness.Agent, good)
		if a.Status != http.StatusOK {
			return fmt.Errorf("status %d: %s", a.Status, a.Body)
		}
		acknowledged[a.Header.Get("X-Signalbox-Call")] = true
		return nil
	})
	checkAcknowledged(t, i, acknowledged)
}

// hold locks a database for writing until it is released.
func hold(t *testing.T, file string) (release func(), err error) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(file))
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(t.Context())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if _, err := c.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		return nil, errors.Join(err, c.Close(), db.Close())
	}
	return func() {
		if err := errors.Join(c.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}, nil
}

// A full disk stops calls, and nothing else: what was acknowledged stays, the process stays up and says why, and calls
// are served again as soon as there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := disk(t, "16m")
	i := harness.Start(t, harness.Options{Dir: t.TempDir(), Database: filepath.Join(dir, "signalbox.db")})
	acknowledged := map[string]bool{}
	call := func() harness.Answer {
		a := i.Send(t, http.MethodPost, chatPath, harness.Agent, good)
		if a.Status == http.StatusOK {
			acknowledged[a.Header.Get("X-Signalbox-Call")] = true
		}
		return a
	}
	for range 10 {
		call()
	}
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n := 0; n < 3000 && refused < 5; n++ { // What SQLite has allocated already is used up first.
		a := call()
		if a.Status == http.StatusOK {
			continue
		}
		refused++
		checkFailure(t, chatPath, a, 503, "unavailable")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if refused == 0 {
		t.Fatal("the full disk refuses nothing")
	}
	if a := i.Send(t, http.MethodGet, "/healthz", "", ""); a.Status != http.StatusOK {
		t.Errorf("/healthz answers %d", a.Status)
	}
	if a := i.Send(t, http.MethodGet, "/readyz", "", ""); a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "disk") {
		t.Errorf("/readyz answers %d: %s", a.Status, a.Body)
	}
	var health api.Health
	i.Get(t, "/health", nil, &health)
	if log := health.Components[0]; log.Name != "log" || log.Status != "down" || !strings.Contains(log.Detail, "full") {
		t.Errorf("the health report says %+v", log)
	}
	if !strings.Contains(i.Stderr(), "disk of the database is full") {
		t.Errorf("the log of the process does not say why:\n%s", i.Stderr())
	}
	if a := i.Send(t, http.MethodGet, "/v1/models", harness.Agent, ""); a.Status != http.StatusOK {
		t.Errorf("/v1/models answers %d", a.Status)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	// Nobody need call for it: a load balancer would send no calls to an instance that is not ready.
	harness.Eventually(t, func() error {
		if a := i.Send(t, http.MethodGet, "/readyz", "", ""); a.Status != http.StatusOK {
			return fmt.Errorf("/readyz answers %d: %s", a.Status, a.Body)
		}
		return nil
	})
	harness.Eventually(t, func() error {
		if a := call(); a.Status != http.StatusOK {
			return fmt.Errorf("status %d: %s", a.Status, a.Body)
		}
		return nil
	})
	checkAcknowledged(t, i, acknowledged)
}

// checkAcknowledged: every call that was answered well is in the log, with one outcome.
func checkAcknowledged(t *testing.T, i *harness.Instance, acknowledged map[string]bool) {
	t.Helper()
	harness.Eventually(t, func() error { // Outcomes that could not be written are written late.
		open := map[string]int{}
		for _, r := range i.Log(t) {
			if r.CallID != nil && r.Type == "intent" {
				open[*r.CallID]++
			}
			if r.CallID != nil && r.Type == "outcome" {
				delete(open, *r.CallID)
			}
		}
		if len(open) > 0 {
			return fmt.Errorf("%d calls have no outcome", len(open))
		}
		return nil
	})
	for _, r := range i.Log(t) {
		if r.CallID != nil && r.Type == "outcome" && r.Outcome != nil && *r.Outcome == "ok" {
			delete(acknowledged, *r.CallID)
		}
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged calls are not in the log as ok", len(acknowledged))
	}
	i.Complete(t)
}
