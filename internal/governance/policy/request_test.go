package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

// api is a server whose tools are requests.
func api() policy.Config {
	request := func(op signalbox.Operation, path signalbox.PathTemplate) signalbox.ToolMapping {
		return signalbox.ToolMapping{Operation: op, Path: path}
	}
	return policy.Config{
		Servers: map[string]policy.Server{"pets": {Tools: map[string]signalbox.ToolMapping{
			"list": request(signalbox.OperationRead, "/pets"), "get": request(signalbox.OperationRead, "/pets/{id}"),
			"put": request(signalbox.OperationWrite, "/pets/{id}"), "drop": request(signalbox.OperationDelete, "/pets/{id}"),
			"file": request(signalbox.OperationRead, "/repos/{repo}/files/{path}/"),
		}}},
		Agents: []policy.Agent{
			{ID: "reader", Permissions: may(permission("pets.*", "r", "/pets", "/pets/*", "/repos/public/files/*"))},
			{ID: "deep", Permissions: may(permission("pets.*", "r", "/repos/*/files/docs/**"))},
			{ID: "own", Permissions: may(permission("pets.*", "rwd", "/pets/a%20b"))},
			{ID: "all", Permissions: may(permission("pets.*", "rwd", "*"))},
		},
	}
}

func TestRequestsAreJudgedByTheirPath(t *testing.T) {
	p := compile(t, api())
	for _, c := range []struct {
		name, agent, tool, arguments string
		allowed                      bool
		accesses                     string // Or a part of the message.
	}{
		{"path without arguments", "reader", "list", `{"limit":1}`, true, "read /pets"},
		{"argument", "reader", "get", `{"id":"7"}`, true, "read /pets/7"},
		{"number", "reader", "get", `{"id":7}`, true, "read /pets/7"},
		{"other operation", "reader", "drop", `{"id":"7"}`, false, "delete /pets/7"},
		{"in the form that is sent", "own", "put", `{"id":"a b"}`, true, "write /pets/a%20b"},
		{"slash: both readings count", "reader", "get", `{"id":"7/admin"}`, false, "read /pets/7%2Fadmin, read /pets/7/admin"},
		{"slash: both are permitted", "all", "get", `{"id":"7/admin"}`, true, "read /pets/7%2Fadmin, read /pets/7/admin"},
		{"slash: the encoded one is not below", "deep", "file", `{"repo":"x","path":"docs/a"}`, false, "read /repos/x/files/docs%2Fa, read /repos/x/files/docs/a"},
		{"slash that would lead to another repository", "reader", "file", `{"repo":"public/files/x/../../../secret","path":"a"}`, false, "has a step"},
		{"step up", "all", "get", `{"id":".."}`, false, "has a step"},
		{"encoded step up", "all", "get", `{"id":"%2e%2e"}`, false, "is percent-encoded already"},
		{"missing", "all", "get", `{}`, false, `the argument "id" is missing`},
		{"null", "all", "get", `{"id":null}`, false, `the argument "id"`},
		{"list", "all", "get", `{"id":["7"]}`, false, `the argument "id"`},
		{"number in another form", "all", "get", `{"id":7.0}`, false, "a number in its plain form"},
		{"other case", "all", "get", `{"id":"7","ID":"8"}`, false, `"ID"`},
		{"invisible", "all", "get", "{\"id\":\"7\u200b\"}", false, "invisible character"},
		{"looks like a slash", "all", "get", `{"id":"7∕admin"}`, false, "look like separators"},
		{"too long", "all", "get", `{"id":"` + strings.Repeat("é", 1000) + `"}`, false, "is longer than 4096 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := p.Decide(toolCall(c.agent, "pets", c.tool, c.arguments))
			var accesses []string
			for _, a := range d.Accesses {
				accesses = append(accesses, fmt.Sprintf("%s %s", a.Operation, a.Resource))
			}
			got := strings.Join(accesses, ", ")
			if d.Allowed != c.allowed || got != c.accesses && (got != "" || !strings.Contains(d.Message, c.accesses)) {
				t.Errorf("got %v: %s %s, want %v: %s", d.Allowed, got, d.Message, c.allowed, c.accesses)
			}
			if !d.Allowed && got == "" && (d.Code != signalbox.CodeInvalid || !strings.HasPrefix(d.Field, "arguments")) {
				t.Errorf("got %s at %q", d.Code, d.Field)
			}
		})
	}
}

func TestListsShowRequestsThatCouldBePermitted(t *testing.T) {
	p := compile(t, api())
	for tool, want := range map[string]bool{"list": true, "get": true, "put": false, "drop": false} {
		if got, rule := p.Visible(signalbox.Caller{Tenant: "acme", Agent: "reader"}, "pets", tool, nil); got != want {
			t.Errorf("%s: got %v by %s, want %v", tool, got, rule, want)
		}
	}
}

// The path is a part of the policy: with another one it has another version, and approvals do not carry over.
func TestPathIsPartOfThePolicy(t *testing.T) {
	before, changed := compile(t, api()), api()
	m := changed.Servers["pets"].Tools["get"]
	m.Path = "/pets/{id}/"
	changed.Servers["pets"].Tools["get"] = m
	after := compile(t, changed)
	if before.Version() == after.Version() || !strings.Contains(after.Text(), `tool "pets.get" does "read" to the path "/pets/{id}/"`) {
		t.Errorf("got the version %s\n%s", after.Version(), after.Text())
	}
	request := toolCall("reader", "pets", "get", `{"id":"7"}`)
	if before.Decide(request).Part == after.Decide(request).Part {
		t.Error("what an approval is bound to is the same")
	}
}

func TestExplanationsOfRequests(t *testing.T) {
	e := compile(t, api()).Explain(toolCall("reader", "pets", "drop", `{"id":"7"}`))
	if len(e.WouldChange) != 1 || !strings.Contains(e.WouldChange[0], `Add "delete" to the operations of`) {
		t.Errorf("got %q", e.WouldChange)
	}
}

// Who may not make a call does not hear what else is wrong with it.
func TestFaultsOfArgumentsAreToldToThoseWhoMay(t *testing.T) {
	p := compile(t, api())
	o := policy.Options{Policy: func() *policy.Policy { return p }}
	for _, fault := range []signalbox.Code{signalbox.CodeInvalid, signalbox.CodeFrozen} { // The latter where the tool is held.
		for agent, want := range map[string]signalbox.Code{"all": fault, "own": signalbox.CodeForbidden} {
			track := toolTrack(agent, "pets", "get", `{"id":"7"}`)
			track.Resolve.Candidates[0].Refusal = signalbox.Errorf(fault, "Not so.")
			if passed, err := pass(o, track); passed || signalbox.CodeOf(err) != want {
				t.Errorf("%s: got %v and %v, want %s", agent, passed, err, want)
			}
		}
	}
}
