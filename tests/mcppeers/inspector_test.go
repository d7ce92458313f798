package mcppeers

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// inspector is an agent that uses the inspector's command line.
const inspector = "inspector"

// Its exit codes.
const (
	exitOK        = 0
	exitFailed    = 1 // An error of the protocol, among others.
	exitAuth      = 3
	exitToolError = 5
)

// inspect runs the inspector once for each case.
func (w *world) inspect(t *testing.T) {
	home := t.TempDir()
	cases := []struct {
		name, path, key string
		args            []string
		code            int
		has             string
	}{
		{"initialize", "/mcp/railway", harness.Agent, []string{"--method", "initialize"}, exitOK, `"signalbox/railway"`},
		{"tools", "/mcp/railway", harness.Agent, []string{"--method", "tools/list", "--protocol-era", "modern"}, exitOK, `"timetable"`},
		{"call", "/mcp", harness.Agent, []string{"--method", "tools/call", "--tool-name", "everything__get-sum", "--tool-args-json", `{"a":2.5,"b":40}`, "--protocol-era", "modern"}, exitOK, `42.5`},
		{"the tool fails", "/mcp/railway", harness.Agent, []string{"--method", "tools/call", "--tool-name", "derail"}, exitToolError, "The points are locked."},
		{"not permitted", "/mcp/railway", harness.Agent, []string{"--method", "resources/read", "--uri", "rail://secret"}, exitFailed, "may not read"},
		{"resources", "/mcp/everything", harness.Agent, []string{"--method", "resources/list"}, exitOK, `"demo://resource/static/document/architecture.md"`},
		{"prompts", "/mcp", harness.Agent, []string{"--method", "prompts/list"}, exitOK, `"everything__args-prompt"`},
		{"unknown key", "/mcp", "sb_this-key-is-unknown", []string{"--method", "tools/list"}, exitAuth, "auth"},
	}
	var wg sync.WaitGroup
	places := make(chan struct{}, 2) // Each takes a second of a core.
	for _, c := range cases {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			code, out, err := w.run(t.Context(), home, w.URL+c.path, c.key, c.args...)
			if err != nil || code != c.code || !strings.Contains(out, c.has) {
				t.Errorf("%s: code %d, want %d with %s; %v: %s", c.name, code, c.code, c.has, err, out)
			}
		})
	}
	wg.Wait()
}

// run gives the inspector's exit code, and what it prints.
func (w *world) run(ctx context.Context, home, url, key string, args ...string) (code int, out string, err error) {
	program := filepath.Join(w.packages, "node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	args = append([]string{
		program, "--cli", url, "--transport", "http", "--format", "json", "--connect-timeout", "120000", "--stored-auth-only",
		"--header", "Authorization: Bearer " + key, "X-Signalbox-Agent: " + inspector,
	}, args...)
	cmd := exec.CommandContext(ctx, w.node, args...)
	cmd.Dir = home
	cmd.Env = append(cmd.Environ(), "HOME="+home)
	b, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode(), string(b), nil
	}
	return 0, string(b), err
}

// inspectorTally is what the log must have of it.
func inspectorTally() tally {
	n := tally{}
	n.add("everything.get-sum", signalbox.OutcomeOK, price, 1)
	n.add("railway.derail", signalbox.OutcomeOK, price, 1)
	n.add("railway.resources/read", signalbox.OutcomeDenied, "-", 1)
	return n
}
