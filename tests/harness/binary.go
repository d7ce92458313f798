package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Patience is how long things may take that must happen.
const Patience = 30 * time.Second

// built is the binary of this test process.
var built struct {
	once sync.Once
	dir  string // Removed by Main; "" where the binary is not ours.
	path string
	err  error
}

// Main runs a package's tests and removes what was built for them. It is what TestMain should pass to os.Exit.
func Main(m *testing.M) int {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir) // A directory for temporary files is emptied by others too.
	}
	return code
}

// Binary gives the path of the binary under test.
func Binary() (string, error) {
	built.once.Do(func() { built.path, built.err = findOrBuild() })
	return built.path, built.err
}

func findOrBuild() (string, error) {
	if path := os.Getenv("SIGNALBOX_BIN"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "signalbox-bin-")
	if err != nil {
		return "", err
	}
	built.dir = dir
	path := filepath.Join(dir, "signalbox")
	build := exec.Command("go", "build", "-o", path, "github.com/signalbox/signalbox/cmd/signalbox")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// Result is what a command came to.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs the binary to its end, in dir, with env added to this process's environment.
func Run(t testing.TB, dir string, env []string, args ...string) Result {
	t.Helper()
	path, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	var out, errOut bytes.Buffer
	c := exec.CommandContext(ctx, path, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), env...), &out, &errOut
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("signalbox %v: %v\n%s", args, errors.Join(err, ctx.Err()), errOut.String())
	}
	return Result{c.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// Eventually asks until the condition holds; the condition says what it still waits for.
func Eventually(t testing.TB, condition func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = condition(); err == nil {
			return
		}
	}
	t.Fatalf("did not happen: %v", err)
}
