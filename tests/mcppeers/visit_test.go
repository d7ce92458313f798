package mcppeers

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
)

// The SDKs, and the eras in which they are used.
const (
	goSDK  = "go"
	node1  = "v1"
	node2  = "v2"
	legacy = "legacy"
	modern = "modern"
)

// clients are the SDKs with their eras. Version 1 for TypeScript knows the older versions only.
var clients = []struct{ sdk, era string }{{goSDK, modern}, {goSDK, legacy}, {node1, legacy}, {node2, legacy}, {node2, modern}}

// visit is one client at one address.
type visit struct {
	sdk, era string
	server   string // "" for all of them together.
	direct   bool   // At the server itself.
}

// name says who visits; it is also the agent's name, and part of what he sends and writes.
func (v visit) name() string {
	where := v.server
	switch {
	case v.direct:
		where = "direct-" + where
	case where == "":
		where = "joint"
	}
	return v.sdk + "-" + v.era + "-" + where
}

var allServers = []string{everything, railway, junction, files, memory, budget}

// plan gives all visits.
func plan() (visits []visit) {
	for _, sdk := range []string{goSDK, node1} {
		for _, server := range []string{everything, junction, files, memory, budget} {
			visits = append(visits, visit{sdk, legacy, server, true})
		}
	}
	visits = append(visits, visit{node2, legacy, everything, true}, visit{node2, modern, railway, true}, visit{goSDK, modern, railway, true})
	for _, c := range clients {
		for _, server := range append([]string{""}, allServers...) {
			visits = append(visits, visit{c.sdk, c.era, server, false})
		}
	}
	return visits
}

// like gives the visit that does directly what v does through Signalbox. The servers of the older versions have one era, and
// the one of the newest has sessions for the older one only as a child. Children cost a second to start, so that both
// versions for TypeScript share those that are visited directly.
func (v visit) like(server string) visit {
	sdk := strings.ReplaceAll(v.sdk, node2, node1)
	switch {
	case server == everything:
		return visit{v.sdk, legacy, server, true}
	case server != railway && server != junction:
		return visit{sdk, legacy, server, true}
	case v.era == modern:
		return visit{v.sdk, modern, railway, true}
	}
	return visit{sdk, legacy, junction, true}
}

// serverSteps gives what the visit does at a server, as it stands in [steps].
func (v visit) serverSteps(server string) (list []step) {
	for _, s := range steps[server] {
		switch {
		case v.server == "" && (s.through || s.empty): // Nothing to be seen there: two servers have the resource, or all have lists.
		case v.sdk == goSDK && v.era == modern && s.asks == "roots/list": // This SDK fails by itself at a question without parameters.
		case v.direct && s.through, !v.direct && v.era == modern && s.sessions:
		default:
			list = append(list, s)
		}
	}
	return list
}

// shared reports whether the step is about a resource that two servers have, so that nobody can say whose is meant where
// all servers are joined.
func (s step) shared(v visit, server string) bool {
	return v.server == "" && (server == railway || server == junction) && s.refused == "" &&
		(s.Method == "resources/read" || strings.HasPrefix(s.Name, "complete rail:"))
}

// servers gives where the visit goes.
func (v visit) servers() []string {
	if v.server == "" {
		return allServers
	}
	return []string{v.server}
}

// key names a step of the visit.
func (v visit) key(server string, s step) string {
	if v.server == "" {
		return server + ": " + s.Name
	}
	return s.Name
}

// steps gives what the client is told to do.
func (v visit) steps(t *testing.T, w *world) (list []step) {
	t.Helper()
	for _, server := range v.servers() {
		for _, s := range v.serverSteps(server) {
			s.Name, s.Params = v.key(server, s), v.params(t, w, server, s)
			list = append(list, s)
		}
	}
	return list
}

// params gives a step's parameters, with what is the visitor's own.
func (v visit) params(t *testing.T, w *world, server string, s step) (params map[string]any) {
	t.Helper()
	text := strings.NewReplacer(mine, v.name(), "SHELF", w.shelf).Replace(string(mustEncode(t, s.Params)))
	if err := json.Unmarshal([]byte(text), &params); err != nil {
		t.Fatal(err)
	}
	if v.server == "" {
		prefix(params, server)
		if ref, ok := params["ref"].(map[string]any); ok {
			prefix(ref, server)
		}
	}
	if v.era == modern && s.Method == "tools/call" {
		params["_meta"] = map[string]any{"io.modelcontextprotocol/logLevel": "info"}
	}
	return params
}

// prefix gives a name its form at the joint path.
func prefix(params map[string]any, server string) {
	if name, ok := params["name"].(string); ok {
		params["name"] = server + "__" + name
	}
}

// target is a visit as peers.mjs is told of it.
type target struct {
	Name    string            `json:"name"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Era     string            `json:"era"`
	Steps   []step            `json:"steps"`
}

func (w *world) target(t *testing.T, v visit) target {
	t.Helper()
	to := target{Name: v.name(), Era: v.era, Steps: v.steps(t, w)}
	switch {
	case !v.direct:
		to.URL = strings.TrimSuffix(w.URL+"/mcp/"+v.server, "/")
		to.Headers = map[string]string{"Authorization": "Bearer " + harness.Agent, "X-Signalbox-Agent": v.name()}
	case w.servers[v.server].url != "":
		to.URL = w.servers[v.server].url
	default:
		command := w.servers[v.server].command
		to.Command, to.Args = command[0], command[1:]
		to.Env = map[string]string{"MEMORY_FILE_PATH": fmt.Sprintf("%s/%s.memory", t.TempDir(), v.name())}
	}
	return to
}

// typescript lets a version of the SDK make its visits.
func (w *world) typescript(t *testing.T, sdk string, visits []visit) map[string]outcomes {
	t.Helper()
	var targets []target
	for _, v := range visits {
		targets = append(targets, w.target(t, v))
	}
	cmd := exec.CommandContext(t.Context(), w.node, "peers.mjs", sdk)
	cmd.Dir = w.packages
	cmd.Stdin = strings.NewReader(string(mustEncode(t, targets)))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	all := map[string]outcomes{}
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return all
}

// of gives the visits of an SDK.
func of(sdk string) []visit {
	return slices.DeleteFunc(plan(), func(v visit) bool { return v.sdk != sdk })
}

// agents are the names of all who visit through Signalbox.
func agents() (names []string) {
	for _, v := range plan() {
		if !v.direct {
			names = append(names, v.name())
		}
	}
	return names
}

// merge joins what several clients have done.
func merge(parts ...map[string]outcomes) map[string]outcomes {
	all := map[string]outcomes{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}
