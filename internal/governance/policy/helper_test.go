package policy_test

import (
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

func compile(t testing.TB, c policy.Config) *policy.Policy {
	t.Helper()
	p, _, err := policy.Compile(c)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return p
}

// permission writes a permission.
func permission(tool, operations string, resources ...string) signalbox.ToolPermission {
	t := signalbox.ToolPermission{Name: tool, Resources: resources}
	for _, o := range operations {
		switch o {
		case 'r':
			t.Operations = append(t.Operations, signalbox.OperationRead)
		case 'w':
			t.Operations = append(t.Operations, signalbox.OperationWrite)
		case 'd':
			t.Operations = append(t.Operations, signalbox.OperationDelete)
		}
	}
	return t
}

func limited(t signalbox.ToolPermission, perMinute int64) signalbox.ToolPermission {
	t.MaxPerMinute = perMinute
	return t
}

func may(list ...signalbox.ToolPermission) *signalbox.Permissions {
	return &signalbox.Permissions{Tools: list}
}

func path(argument string, op signalbox.Operation) signalbox.ResourceArgument {
	return signalbox.ResourceArgument{Argument: argument, Kind: signalbox.ResourcePath, Operation: op}
}

// toolCall is a request of an agent of tenant acme.
func toolCall(agent, server, tool, arguments string) policy.Request {
	return policy.Request{
		Caller: signalbox.Caller{Tenant: "acme", Key: "key", Agent: agent}, Kind: signalbox.KindTool,
		Tool: &signalbox.ToolRequest{Server: server, Name: tool, Arguments: []byte(arguments)},
	}
}

func modelCall(agent, model string, models ...string) policy.Request {
	return policy.Request{Caller: signalbox.Caller{Tenant: "acme", Key: "key", Agent: agent}, Kind: signalbox.KindModel, Model: model, Models: models}
}

// files is a server of files whose tools are declared.
func files() map[string]policy.Server {
	return map[string]policy.Server{
		"files": {Tools: map[string]signalbox.ToolMapping{
			"read_text_file": {Operation: signalbox.OperationRead, Resources: []signalbox.ResourceArgument{path("path", "")}},
			"write_file":     {Operation: signalbox.OperationWrite, Resources: []signalbox.ResourceArgument{path("path", "")}},
			"remove":         {Operation: signalbox.OperationDelete, Resources: []signalbox.ResourceArgument{path("paths", "")}},
			"move_file": {Operation: signalbox.OperationWrite, Resources: []signalbox.ResourceArgument{
				path("source", signalbox.OperationDelete), path("destination", ""),
			}},
			"stat": {Operation: signalbox.OperationRead},
		}},
		"raw":     {},
		"trusted": {Trusted: true},
	}
}
