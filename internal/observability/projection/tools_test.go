package projection_test

import (
	"slices"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
)

// toolCall is a call of a tool that has ended. One that was not attempted was refused, once the tool was found or before.
func toolCall(id, tool string, o signalbox.Outcome, found bool, ms int64) signalbox.Record {
	cost := signalbox.Money(2_000_000)
	r := signalbox.Record{
		Type: signalbox.RecordOutcome, Call: id, Outcome: o,
		Who:      signalbox.Who{TenantID: "acme", AgentID: "writer"},
		What:     signalbox.What{Action: signalbox.ActionToolCall, Kind: signalbox.KindTool, ToolName: tool},
		When:     signalbox.When{Timestamp: start, DurationMS: ms},
		Context:  signalbox.Context{Provider: "files"},
		Stations: &signalbox.Stations{Resolve: signalbox.StatusDenied},
	}
	if found {
		r.Stations.Resolve = signalbox.StatusPassed
	}
	if o == signalbox.OutcomeOK || o == signalbox.OutcomeFailed {
		r.Attempts = []signalbox.Attempt{{N: 1, Name: tool, Provider: "files", Cost: &cost}}
	}
	return r
}

// TestCallsOfTools counts calls by tool: those that were refused too, unless their callers have made the name up.
func TestCallsOfTools(t *testing.T) {
	l := open(t)
	l.append(t,
		toolCall("call_1", "files.read", signalbox.OutcomeOK, true, 10), toolCall("call_2", "files.read", signalbox.OutcomeFailed, true, 1000),
		toolCall("call_3", "files.read", signalbox.OutcomeDenied, true, 3), toolCall("call_4", "files.write", signalbox.OutcomeDenied, true, 3),
		toolCall("call_5", "files.made up", signalbox.OutcomeDenied, false, 3), toolCall("call_6", "other.read", signalbox.OutcomeOK, true, 50))
	if err := projector(l, 2).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := projection.Tools(t.Context(), l.Views(), signalbox.CostQuery{Server: "files"})
	if err != nil || len(got) != 2 {
		t.Fatalf("got %+v and %v, want two tools", got, err)
	}
	read, write := got["files.read"], got["files.write"]
	want := signalbox.Totals{Calls: 3, Failures: 1, Refusals: 1, Cost: 4_000_000}
	if read.Totals != want || read.Latency.Count != 2 || read.Latency.P95 < 9.9 || read.Latency.P95 > 1010 {
		t.Errorf("files.read: got %+v, want %+v and two latencies", read, want)
	}
	if want = (signalbox.Totals{Calls: 1, Refusals: 1}); write.Totals != want || write.Latency.Count != 0 {
		t.Errorf("files.write: got %+v, want %+v and no latency", write, want)
	}
	one, err := projection.Overview(t.Context(), l.Views(), signalbox.CostQuery{Tool: "files.read"})
	if err != nil || one.Totals != read.Totals || one.Latency != read.Latency || len(one.Hours) != 1 {
		t.Errorf("the overview of a tool is %+v and %v, want that of the list", one, err)
	}
	all, err := projection.Overview(t.Context(), l.Views(), signalbox.CostQuery{})
	if err != nil || all.Calls != 6 || all.Latency.Count != 3 {
		t.Errorf("the overview is %+v and %v, want six calls and three latencies", all, err)
	}
	f, err := l.Views().Facets(t.Context(), nil)
	if want := []string{"files.read", "files.write", "other.read"}; err != nil || !slices.Equal(f.Tools, want) {
		t.Errorf("the tools to choose from are %q and %v, want %q", f.Tools, err, want)
	}
}
