package policy_test

import (
	"slices"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

// FuzzArguments feeds arbitrary arguments to a decision: it never panics, and what it permits lies under docs.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"path":"docs/a"}`, `{"path":["docs/a","docs/../x"]}`, `{"options":{"to":"docs/b"}}`, `{"options":[{"to":"docs/b"},{"To":"x"}]}`,
		`{"path":null}`, `{"path":7}`, `{"Path":"x"}`, `[]`, `{"path":"a","path":"b"}`, `{"path":"docs\u002f..\u002f.."}`, `{"path":"docs/\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	p := compile(f, policy.Config{
		Servers: map[string]policy.Server{"s": {Tools: map[string]signalbox.ToolMapping{"t": {
			Operation: signalbox.OperationRead,
			Resources: []signalbox.ResourceArgument{path("path", ""), path("options.to", signalbox.OperationWrite)},
		}}}},
		Agents: []policy.Agent{{ID: "a", Permissions: may(permission("s.t", "rw", "docs/**"))}},
		Risk:   []signalbox.RiskRule{{When: `arguments.path == "docs/secret"`, Level: signalbox.RiskHigh}},
	})
	f.Fuzz(func(t *testing.T, arguments []byte) {
		r := toolCall("a", "s", "t", "")
		r.Tool.Arguments = arguments
		d := p.Decide(r)
		under := func(a signalbox.Access) bool {
			return a.Resource == "docs" || len(a.Resource) > len("docs/") && a.Resource[:len("docs/")] == "docs/"
		}
		if d.Allowed && (len(d.Accesses) == 0 || slices.ContainsFunc(d.Accesses, func(a signalbox.Access) bool { return !under(a) })) {
			t.Errorf("%s: permitted %v", arguments, d.Accesses)
		}
		if !d.Allowed && (d.Code == "" || d.Message == "" || d.Remedy == "") {
			t.Errorf("%s: the denial is incomplete: %+v", arguments, d)
		}
	})
}
