// Package sqlitetest gives tests databases on SQLite without the time that it takes to make one: all migrations, under the
// race detector, are a second.
package sqlitetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// failer is what this needs of a test; *rapid.T is one too.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Prepare puts a new database, as [sqlite.Open] leaves one that is closed again, where the file does not exist yet.
func Prepare(t failer, file string) {
	t.Helper()
	if _, err := os.Stat(file); err == nil {
		return
	}
	files, err := made()
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	for suffix, content := range files {
		if err := os.WriteFile(file+suffix, content, 0o600); err != nil {
			t.Fatalf("make a database: %v", err)
		}
	}
}

// made gives the content of a new database's files, by what is added to its name. They are made once in a process.
var made = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "sqlitetest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // It is temporary.
	file := filepath.Join(dir, "s.db")
	db, err := sqlite.Open(context.Background(), file, sqlite.Options{Now: time.Now})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, suffix := range []string{"", sqlite.ViewsSuffix} {
		if files[suffix], err = os.ReadFile(file + suffix); err != nil {
			return nil, err
		}
	}
	return files, nil
})
