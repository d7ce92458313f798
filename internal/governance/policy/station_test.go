package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

// pass sends a call through the station and reports whether it came out on the other side.
func pass(o policy.Options, t *call.Track) (bool, error) {
	passed := false
	_, err := policy.Station(o)(call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) {
		passed = true
		return nil, nil
	})).Serve(context.Background(), t)
	return passed, err
}

func toolTrack(agent, server, tool, arguments string) *call.Track {
	t := call.NewTrack(&signalbox.Call{
		Kind: signalbox.KindTool, Caller: signalbox.Caller{Tenant: "acme", Agent: agent},
		Tool: &signalbox.ToolRequest{Server: server, Name: tool, Arguments: []byte(arguments)},
	})
	t.Resolve.Candidates = []signalbox.Candidate{{Name: server + "." + tool, Annotations: &signalbox.Annotations{ReadOnly: isTrue()}}}
	return t
}

func TestStation(t *testing.T) {
	p := compile(t, policy.Config{Servers: files(), Agents: []policy.Agent{
		{ID: "a", Permissions: may(permission("trusted.*", "r", "*"), permission("files.*", "r", "docs/*"))},
		{ID: "m", Permissions: &signalbox.Permissions{Models: []string{"x", "z"}}},
	}})
	o := policy.Options{Policy: func() *policy.Policy { return p }}
	t.Run("passes by annotations of the candidate", func(t *testing.T) {
		track := toolTrack("a", "trusted", "do", "{}")
		passed, err := pass(o, track)
		if !passed || err != nil || track.Policy.Status != signalbox.StatusPassed || track.Policy.Operation != signalbox.OperationRead || track.Policy.Version != p.Version() {
			t.Errorf("got %v %v %+v", passed, err, track.Policy)
		}
	})
	t.Run("denies", func(t *testing.T) {
		track := toolTrack("a", "files", "read_text_file", `{"path":"x"}`)
		passed, err := pass(o, track)
		e := signalbox.AsError(err)
		if passed || e.Code != signalbox.CodeForbidden || !strings.Contains(e.Remedy, `Add "x"`) {
			t.Errorf("got %v %+v", passed, e)
		}
		if r := track.Policy; r.Status != signalbox.StatusDenied || r.Rule == "" || r.Version != p.Version() || len(r.Accesses) != 1 || r.Risk != signalbox.RiskLow {
			t.Errorf("the result is incomplete: %+v", r)
		}
	})
	t.Run("refuses what it can not read", func(t *testing.T) {
		_, err := pass(o, toolTrack("a", "files", "read_text_file", `{"path":1}`))
		if e := signalbox.AsError(err); e.Code != signalbox.CodeInvalid || e.Field != "arguments.path" {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("asks for grants", func(t *testing.T) {
		granted := o
		granted.Grants = func(tenant, agent string) []signalbox.Grant {
			return []signalbox.Grant{{ID: "grant_1", Tenant: tenant, Agent: agent, Tool: "raw.*"}}
		}
		track := toolTrack("a", "raw", "do", "{}")
		if passed, err := pass(granted, track); !passed || track.Policy.BreakGlass != "grant_1" {
			t.Errorf("got %v %v %+v", passed, err, track.Policy)
		}
	})
	t.Run("narrows models", func(t *testing.T) {
		for agent, want := range map[string][]string{"m": {"x", "z"}, "a": {"x", "y", "z"}} {
			track := call.NewTrack(&signalbox.Call{Kind: signalbox.KindModel, Caller: signalbox.Caller{Agent: agent}, Model: &signalbox.ModelRequest{Model: "x"}})
			all := []signalbox.Candidate{{Name: "x"}, {Name: "y"}, {Name: "z"}}
			track.Resolve.Candidates = all
			passed, err := pass(o, track)
			var got []string
			for _, c := range track.Resolve.Candidates {
				got = append(got, c.Name)
			}
			if !passed || err != nil || !slices.Equal(got, want) || all[1].Name != "y" {
				t.Errorf("%s: got %v %v %v, want %v", agent, passed, err, got, want)
			}
		}
	})
	t.Run("a panic means no", func(t *testing.T) {
		track := toolTrack("a", "trusted", "do", "{}")
		passed, err := pass(policy.Options{Policy: func() *policy.Policy { return nil }}, track)
		if passed || signalbox.CodeOf(err) != signalbox.CodeInternal || track.Policy.Status != signalbox.StatusFailed {
			t.Errorf("got %v %v %+v", passed, err, track.Policy)
		}
	})
}
