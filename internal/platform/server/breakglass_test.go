package server

import (
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// A grant that no call could use is not given: nobody must believe that something is permitted by it.
func TestGrantThatCoversNothing(t *testing.T) {
	for name, c := range map[string]struct{ agent, tool, field string }{
		"a tool":               {"reader", "files.read", ""},
		"tools of a server":    {"reader", "files.*", ""},
		"all tools":            {"reader", "*", ""},
		"an agent's pattern":   {"*", "files.*", "agent"},
		"words":                {"reader", "read any file", "tool"},
		"no server":            {"reader", "read", "tool"},
		"a pattern that fails": {"reader", "files.[", "tool"},
	} {
		got := ""
		if err := effective(api.GrantRequest{Agent: c.agent, Tool: c.tool}); err != nil {
			e := signalbox.AsError(err)
			if got = e.Field; e.Remedy == "" {
				t.Errorf("%s: no remedy in %v", name, err)
			}
		}
		if got != c.field {
			t.Errorf("%s: refused for %q, want %q", name, got, c.field)
		}
	}
}
