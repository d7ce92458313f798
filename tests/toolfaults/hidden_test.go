package toolfaults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
)

// peek is a child that tries to read the environments of the keeper, its parent, and of Signalbox, the keeper's parent.
const peek = `cd "$(dirname "$0")"
try() { cat "/proc/$1/environ" >/dev/null 2>&1 && echo "$2 read" || echo "$2 hidden"; }
{ try "$PPID" keeper; try "$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$PPID/status")" signalbox; } >seen.part
mv seen.part seen
`

// A child runs as Signalbox's own user, and does not see its environment. Root sees everything, so that the instance is
// another user's where the test is root's.
func TestChildrenDoNotSeeOurEnvironment(t *testing.T) {
	const nobody = 65534
	dir, err := os.MkdirTemp("", "signalbox-hidden-") // The test's own directory is not open to others.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	script := filepath.Join(dir, "peek.sh")
	if err := os.WriteFile(script, []byte(peek), 0o644); err != nil {
		t.Fatal(err)
	}
	o := harness.Options{Dir: dir, Config: harness.Simulated + fmt.Sprintf("mcp_servers:\n  peek: {command: [sh, %q]}\n", script)}
	if os.Getuid() == 0 {
		o.As = nobody
	}
	i := harness.Start(t, o)
	i.Send(t, http.MethodPost, "/mcp/peek", harness.Agent, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		"Content-Type", "application/json", "Accept", "application/json, text/event-stream")
	harness.Eventually(t, func() error {
		got, err := os.ReadFile(filepath.Join(dir, "seen"))
		if want := "keeper read\nsignalbox hidden\n"; err == nil && string(got) != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		return err
	})
	if n := i.Metric(t, "process_open_fds"); n < 3 {
		t.Errorf("it counts %v open files of its own", n)
	}
}
