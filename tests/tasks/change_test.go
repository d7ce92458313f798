package tasks

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/taskserver"
)

// What is told of a task passes the rules of now, and who lost its server has lost it.
func TestTheConfigurationChangesWhileATaskIsOpen(t *testing.T) {
	t.Parallel()
	s := taskserver.Start(t)
	rest := strings.ReplaceAll(config, "@URL@", s.URL) + harness.Simulated
	i := harness.Start(t, harness.Options{Config: rest})
	change := func(desk string) {
		t.Helper()
		base, err := os.ReadFile(i.Config)
		if err == nil {
			_, now, found := strings.Cut(string(base), "  desk: {")
			now, _, _ = strings.Cut(now, "url:")
			if !found {
				t.Fatalf("there is no desk in %s", base)
			}
			err = os.WriteFile(i.Config, []byte(strings.Replace(string(base), "  desk: {"+now, "  desk: {"+desk, 1)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	task := open(t, i, "/mcp/desk", "confirm_delete", `{}`)
	comes(t, i, "/mcp/desk", task.ID, "input_required")
	about(t, i, "/mcp/desk", harness.Agent, "tasks/update", task.ID, `,"inputResponses":{"confirm":{"action":"accept","content":{"name":"kim@example.com"}}}`)
	raw := comes(t, i, "/mcp", task.ID, "completed")
	if !strings.Contains(raw.body, "kim@example.com") {
		t.Fatalf("got %s", raw.body)
	}
	tells := func(path, want string) {
		t.Helper()
		harness.Eventually(t, func() error {
			if a := get(t, i, path, task.ID); !strings.Contains(a.body, want) {
				return fmt.Errorf("no %s in %s", want, a.body)
			}
			return nil
		})
	}
	change("guard: {results: mask}, ")
	tells("/mcp", "[email]")
	change("guard: {results: block}, ")
	tells("/mcp/desk", `"code":"blocked"`)
	change("tenants: [other], ")
	for _, path := range []string{"/mcp", "/mcp/desk"} {
		tells(path, `"not_found"`)
	}
	change("")
	tells("/mcp", "kim@example.com")
	i.Complete(t)
}
