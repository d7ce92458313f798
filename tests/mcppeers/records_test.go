package mcppeers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
)

// tally counts records by what was done, what came of it, and what it cost.
type tally map[string]int

func (n tally) add(tool string, outcome signalbox.Outcome, cost string, times int) {
	n[fmt.Sprintf("%s %s, $%s", tool, outcome, cost)] += times
}

// recorded: the log has each call of each visitor, with its outcome and what it cost, and no other.
func (w *world) recorded(t *testing.T) {
	t.Helper()
	logged := map[string]tally{}
	for _, r := range w.Log(t) {
		if r.Type != signalbox.RecordOutcome {
			continue
		}
		if logged[r.Who.AgentID] == nil {
			logged[r.Who.AgentID] = tally{}
		}
		cost := "-"
		if r.What.Cost != nil {
			cost = r.What.Cost.String()
		}
		logged[r.Who.AgentID].add(r.What.ToolName, *r.Outcome, cost, 1)
	}
	wants := map[string]tally{claudeCode: claudeTally(), inspector: inspectorTally(), shy: shyTally()}
	for _, v := range plan() {
		if !v.direct {
			wants[v.name()] = v.tally()
		}
	}
	for _, who := range slices.Sorted(maps.Keys(wants)) {
		got, want := logged[who], wants[who]
		for _, what := range slices.Sorted(maps.Keys(got)) {
			if want[what] == 0 {
				t.Errorf("%s: the log has %d × %s too many", who, got[what], what)
			}
		}
		for _, what := range slices.Sorted(maps.Keys(want)) {
			if strings.Contains(what, "toggle-subscriber-updates") && got[what] > 0 {
				continue // How often the switch was turned is chance.
			}
			if got[what] != want[what] {
				t.Errorf("%s: the log has %d × %s, want %d", who, got[what], what, want[what])
			}
		}
	}
	w.Complete(t)
}

// tally gives what the log must have of a visit.
func (v visit) tally() tally {
	n := tally{}
	for _, server := range v.servers() {
		for _, s := range v.serverSteps(server) {
			if s.act() {
				v.count(n, server, s)
			}
		}
	}
	return n
}

// act reports whether the step is a call.
func (s step) act() bool {
	return slices.Contains([]string{"tools/call", "resources/read", "prompts/get", "completion/complete"}, s.Method)
}

func (v visit) count(n tally, server string, s step) {
	id := server + "." + s.tool()
	switch {
	case s.shared(v, server), s.refused != "" && v.server == "" && s.Method == "resources/read":
		n.add("."+s.tool(), signalbox.OutcomeDenied, "-", 1) // No server was found.
	case s.refused == signalbox.CodeNotFound && v.server == "":
		n.add("."+server+"__"+s.tool(), signalbox.OutcomeDenied, "-", 1)
	case s.refused != "":
		n.add(id, signalbox.OutcomeDenied, "-", 1)
	case s.Cancel:
		n.add(id, signalbox.OutcomeCancelled, s.cost(), 1)
	case s.fails:
		n.add(id, signalbox.OutcomeFailed, "0", 1) // The server says that it has done nothing.
	case s.asks != "" && server != everything: // The call is made again with the answer.
		n.add(id, signalbox.OutcomeOK, s.cost(), 2)
		n.add(server+"."+s.asks, signalbox.OutcomeOK, "0", 1)
	case s.asks != "":
		n.add(id, signalbox.OutcomeOK, s.cost(), 1)
		n.add(server+"."+s.asks, signalbox.OutcomeOK, "0", 1)
	default:
		n.add(id, signalbox.OutcomeOK, s.cost(), 1)
	}
}

// cost is what the step's act costs, in dollars: the servers' price is one of calls of tools.
func (s step) cost() string {
	if s.Method != "tools/call" {
		return "0"
	}
	return price
}

// tool is what records call the step's act, after the server's id.
func (s step) tool() string {
	if name, ok := s.Params["name"].(string); ok && s.Method == "tools/call" {
		return name
	}
	return s.Method
}
