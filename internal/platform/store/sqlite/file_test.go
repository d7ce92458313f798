package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

func path(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "s.db")
}

func open(t *testing.T, file string, o sqlite.Options) *sqlite.DB {
	t.Helper()
	o.Now = time.Now
	db, err := sqlite.Open(t.Context(), file, o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closeDB(t *testing.T, db *sqlite.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// write appends n records through a writer.
func write(t *testing.T, db *sqlite.DB, n int) {
	t.Helper()
	size, err := db.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := store.NewWriter(db, &plain{next: size}, store.Options{})
	for range n {
		if _, err := w.Append(t.Context(), someRecord()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// refused checks that a database is not opened, and that the error tells the operator what to do.
func refused(t *testing.T, file string, code signalbox.Code, text string) {
	t.Helper()
	db, err := sqlite.Open(context.Background(), file, sqlite.Options{Now: time.Now})
	if err == nil {
		closeDB(t, db)
		t.Fatal("the database was opened")
	}
	checkError(t, err, code, text)
}

func checkError(t *testing.T, err error, code signalbox.Code, text string) {
	t.Helper()
	e := signalbox.AsError(err)
	if e.Code != code || !strings.Contains(e.Message, text) || e.Remedy == "" || e.Field != "database" {
		t.Fatalf("got %q (remedy %q, field %q), want code %q and %q", err, e.Remedy, e.Field, code, text)
	}
}

// change runs SQL on a file behind the store's back.
func change(t *testing.T, file, query string) error {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), query)
	return errors.Join(err, db.Close())
}

func TestPath(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:data/s.db": "data/s.db", "sqlite:/var/s.db": "/var/s.db", "sqlite:///var/s.db": "/var/s.db",
		"sqlite:": "", "postgres://x": "", "": "",
	} {
		got, err := sqlite.Path(url)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Path(%q) = %q, %v; want %q", url, got, err, want)
		}
	}
}

// A second close has nothing left to do and waits for nobody.
func TestCloseTwice(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db.Close() // Its error says what is closed already.
}

func TestModes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "s.db")
	db := open(t, file, sqlite.Options{})
	defer closeDB(t, db)
	write(t, db, 1)
	for name, want := range map[string]os.FileMode{
		filepath.Dir(file): 0o700, file: 0o600, file + "-wal": 0o600, file + sqlite.ViewsSuffix: 0o600,
		file + sqlite.LockSuffix: 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	file := path(t)
	cmd, out := helper(t, "append", file)
	lines(t, out, 1)
	refused(t, file, signalbox.CodeUnavailable, "in use by process "+strconv.Itoa(cmd.Process.Pid))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It was killed.
	closeDB(t, open(t, file, sqlite.Options{}))
}

func TestKilledProcessLosesNothingItAcknowledged(t *testing.T) {
	file := path(t)
	acknowledged := int64(-1)
	for round := range 5 {
		cmd, out := helper(t, "append", file)
		for _, line := range lines(t, out, 50+37*round) {
			n, err := strconv.ParseInt(line, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			acknowledged = max(acknowledged, n)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // It was killed.
	}
	db := open(t, file, sqlite.Options{})
	defer closeDB(t, db)
	next := int64(0)
	for e, err := range db.Entries(t.Context(), 0) {
		if err != nil || e.Index != next {
			t.Fatalf("entry %d: index %d, %v", next, e.Index, err)
		}
		next++
	}
	if next <= acknowledged {
		t.Fatalf("%d records are stored, but %d was acknowledged", next, acknowledged)
	}
}

func TestRefusedWriteFailsItsBatchAndNoOther(t *testing.T) {
	_, out := helper(t, "limit", path(t))
	got := strings.Join(lines(t, out, 2), "\n")
	if want := "unavailable false true\n<nil> 0"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestNewerSchema(t *testing.T) {
	for _, suffix := range []string{"", sqlite.ViewsSuffix} {
		t.Run("file"+suffix, func(t *testing.T) {
			file := path(t)
			closeDB(t, open(t, file, sqlite.Options{}))
			if err := change(t, file+suffix, "INSERT INTO schema_version VALUES (99, 0)"); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(file + suffix)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, file, signalbox.CodeConflict, "schema version 99")
			after, err := os.ReadFile(file + suffix)
			if err != nil || !bytes.Equal(before, after) {
				t.Fatalf("the refused file was changed (%v)", err)
			}
		})
	}
}

func TestNotOurs(t *testing.T) {
	t.Run("another program's database", func(t *testing.T) {
		file := path(t)
		if err := change(t, file, "CREATE TABLE things (id)"); err != nil {
			t.Fatal(err)
		}
		refused(t, file, signalbox.CodeInvalid, "another program")
		_, err := sqlite.OpenReadOnly(t.Context(), file)
		checkError(t, err, signalbox.CodeInvalid, "another program")
	})
	t.Run("not a database", func(t *testing.T) {
		file := path(t)
		if err := os.WriteFile(file, bytes.Repeat([]byte("text "), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, file, signalbox.CodeInvalid, "not a database")
	})
	t.Run("a directory", func(t *testing.T) {
		refused(t, t.TempDir(), signalbox.CodeUnavailable, "can not be opened")
	})
}

func TestDamagedFile(t *testing.T) {
	file := path(t)
	db := open(t, file, sqlite.Options{})
	write(t, db, 200)
	closeDB(t, db)
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// All pages but the first one, which holds the schema.
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())-4096), 4096); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, file, signalbox.CodeUnavailable, "damaged")
}

func TestReadOnlyFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "s.db")
	closeDB(t, open(t, file, sqlite.Options{}))
	for name, mode := range map[string]os.FileMode{
		filepath.Dir(dir): 0o755, dir: 0o555, file: 0o444, file + sqlite.LockSuffix: 0o444, file + sqlite.ViewsSuffix: 0o444,
	} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = os.Chmod(dir, 0o700) }() // So that it can be removed.
	unprivileged(t, func() {
		refused(t, file, signalbox.CodeUnavailable, "read-only")
		refused(t, filepath.Join(dir, "new.db"), signalbox.CodeUnavailable, "read-only")
		db, err := sqlite.OpenReadOnly(context.Background(), file)
		if err != nil {
			t.Fatal(err)
		}
		if size, err := db.Size(context.Background()); size != 0 || err != nil {
			t.Fatalf("size = %d, %v", size, err)
		}
		closeDB(t, db)
	})
}

// unprivileged runs fn on a thread whose file accesses are those of nobody; for root, modes would mean nothing.
func unprivileged(t *testing.T, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // Never unlocked: the thread ends with the goroutine.
		if os.Geteuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		fn()
	}()
	<-done
}

func TestFullDisk(t *testing.T) {
	for name, o := range map[string]func(t *testing.T) (string, sqlite.Options){
		"pages": func(t *testing.T) (string, sqlite.Options) { return path(t), sqlite.Options{MaxPages: 100} },
		"file system": func(t *testing.T) (string, sqlite.Options) {
			return smallDisk(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			file, options := o(t)
			db := open(t, file, options)
			w := store.NewWriter(db, &plain{}, store.Options{})
			stored, err := int64(0), error(nil)
			for err == nil {
				if _, err = w.Append(t.Context(), someRecord()); err == nil {
					stored++
				}
			}
			checkFull(t, err)
			select {
			case err := <-w.Fatal():
				t.Fatalf("a full disk stopped the writer: %v", err)
			default:
			}
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			closeDB(t, db)
			ro, err := sqlite.OpenReadOnly(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			defer closeDB(t, ro)
			if size, err := ro.Size(t.Context()); size != stored || err != nil {
				t.Fatalf("%d records are stored (%v), %d were acknowledged", size, err, stored)
			}
		})
	}
}

func checkFull(t *testing.T, err error) {
	t.Helper()
	e := signalbox.AsError(err)
	if e.Code != signalbox.CodeUnavailable || !strings.Contains(e.Message, "disk of the database is full") ||
		e.RetryAfter == 0 || !strings.Contains(e.Remedy, "Free space") {
		t.Fatalf("got %v (remedy %q), want unavailable because the disk is full", err, e.Remedy)
	}
}

// smallDisk gives a database on a file system of 1.5 MB; where this process may not mount one, on any file system with a
// bound on pages.
func smallDisk(t *testing.T) (string, sqlite.Options) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "s.db")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1500k,mode=0700"); err != nil {
		t.Logf("no small disk here, a bound on pages stands in for it: %v", err)
		return file, sqlite.Options{MaxPages: 80}
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return file, sqlite.Options{}
}

func TestLogIsAppendOnly(t *testing.T) {
	file := path(t)
	db := open(t, file, sqlite.Options{})
	write(t, db, 3)
	closeDB(t, db)
	for _, query := range []string{
		"UPDATE audit_records SET tenant = 'globex' WHERE seq = 1", "DELETE FROM audit_records WHERE seq = 2",
	} {
		if err := change(t, file, query); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestReadOnlyBesideAServer(t *testing.T) {
	file := path(t)
	db := open(t, file, sqlite.Options{})
	defer closeDB(t, db)
	write(t, db, 3)
	ro, err := sqlite.OpenReadOnly(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, ro)
	write(t, db, 2)
	if size, err := ro.Size(t.Context()); size != 5 || err != nil {
		t.Fatalf("size = %d, %v; want 5", size, err)
	}
	_, err = sqlite.OpenReadOnly(t.Context(), file+".none")
	checkError(t, err, signalbox.CodeUnavailable, "can not be opened")
}

func TestWALStaysBounded(t *testing.T) {
	file := path(t)
	db := open(t, file, sqlite.Options{WALPages: 50})
	defer closeDB(t, db)
	for range 20 {
		write(t, db, 100)
	}
	info, err := os.Stat(file + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	// Without checkpoints it would be 2,000 commits of at least two pages: 16 MB.
	if limit := int64(4 << 20); info.Size() > limit {
		t.Fatalf("the WAL has %d bytes, want at most %d", info.Size(), limit)
	}
}

type strange struct{ signalbox.Effect }

func TestUnknownEffect(t *testing.T) {
	db := open(t, path(t), sqlite.Options{})
	defer closeDB(t, db)
	w := store.NewWriter(db, &plain{}, store.Options{})
	_, err := w.Append(t.Context(), someRecord(), strange{})
	if signalbox.CodeOf(err) != signalbox.CodeUnavailable || !strings.Contains(fmt.Sprint(err), "strange") {
		t.Fatalf("got %v", err)
	}
	if _, err := w.Append(t.Context(), someRecord()); err != nil {
		t.Fatalf("the record after it: %v", err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
