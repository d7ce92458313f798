package mcp

import (
	"errors"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// narrowed gives the caller that testDoor's calls have, with the run as the agent; the run "contradiction" is refused.
func narrowed(c *signalbox.Call) (signalbox.Caller, error) {
	caller := c.Caller
	caller.Agent = c.Claims.Run
	if caller.Agent == "contradiction" {
		return caller, signalbox.Errorf(signalbox.CodeForbidden, "The key is bound to another agent.").WithRemedy("Leave the header out.")
	}
	return caller, nil
}

// visibleTo shows "reader" what says that it only reads and "writer" the tool wipe; others see nothing.
func visibleTo(caller signalbox.Caller, server, tool string, a *signalbox.Annotations) (bool, string) {
	switch {
	case server != "files":
		return false, "wrong server"
	case caller.Agent == "destroyer":
		return a != nil && a.Destructive != nil && *a.Destructive, "only what destroys"
	case caller.Agent == "writer":
		return tool == "wipe", "agents[0].permissions (signalbox.yml:12)"
	case caller.Agent == "":
		return false, "no agent, no tools"
	}
	return false, "agents[1].permissions (signalbox.yml:" + map[bool]string{true: "20", false: "21"}[tool == "wipe"] + ")"
}

func TestListsShowWhatTheCallerMayUse(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	url, log := gateway(t, s, nil, FilterLists(narrowed, visibleTo, nil, nil))
	cases := []struct{ agent, tools, why string }{
		{"writer", "wipe", ""},
		{"destroyer", "wipe", ""},
		{"reader", "", `The policy shows no tool of the MCP server "files" to the agent "reader": agents[1].permissions (signalbox.yml:21); agents[1].permissions (signalbox.yml:20)`},
		{"", "", `The policy shows no tool of the MCP server "files" to a caller that names no agent: no agent, no tools`},
	}
	for _, c := range cases {
		for _, version := range []string{"2026-07-28", "2025-06-18"} {
			t.Run(c.agent+" "+version, func(t *testing.T) {
				list, err := connectAs(t, url+"files", version, c.agent).ListTools(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, tool := range list.Tools {
					names = append(names, tool.Name)
				}
				why, _ := list.Meta[MetaPolicy].(string)
				if strings.Join(names, " ") != c.tools || why != c.why {
					t.Errorf("got %q, because %q", names, why)
				}
				if list.CacheScope != "private" {
					t.Errorf("got cache scope %q", list.CacheScope)
				}
			})
		}
	}
	if len(log.all()) != 0 {
		t.Error("a list is no call")
	}
}

func connectAs(t *testing.T, url, version, agent string) *sdk.ClientSession {
	t.Helper()
	return connect(t, url, version, "X-Signalbox-Run", agent)
}

func TestAListForNobodyIsAnError(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	url, _ := gateway(t, s, nil, FilterLists(narrowed, visibleTo, nil, nil))
	_, err := connectAs(t, url+"files", "2025-06-18", "contradiction").ListTools(t.Context(), nil)
	var rpc *jsonrpc.Error
	if !errors.As(err, &rpc) || rpc.Code != -31403 || !strings.Contains(rpc.Message, "bound to another agent") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyAPolicyIsNamedForAnEmptyList(t *testing.T) {
	if got := string(encodeList("tools", nil, 0, rpc.Object{})); got != `{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"private"}` {
		t.Errorf("got %s", got)
	}
	many := hidden("tool", "files", signalbox.Caller{Agent: "a"}, []string{"1", "2", "3", "4", "5", "6", "7"})
	if !strings.HasSuffix(many, `"a": 1; 2; 3; 4; 5, and 2 more rules`) {
		t.Errorf("got %s", many)
	}
	if got := hidden("tool", "files", signalbox.Caller{}, nil); !strings.HasSuffix(got, "names no agent.") {
		t.Errorf("got %s", got)
	}
}

func TestAListDecidesNothing(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	url, log := gateway(t, s, nil, FilterLists(narrowed, visibleTo, nil, nil))
	// The stations here have no policy, and so the call is served although no list shows the tool: what a caller may do is
	// for them to say.
	status, body := send(t, url+"files", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`)
	if status != 200 || !strings.Contains(string(body), `"content"`) || len(log.all()) != 2 {
		t.Errorf("got %d %s", status, body)
	}
	// And a tool that does not exist is refused without the names of those that do.
	_, body = send(t, url+"files", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}`)
	if strings.Contains(string(body), "wipe") || !strings.Contains(string(body), `"not_found"`) {
		t.Errorf("got %s", body)
	}
}
