package trace_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/trace"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func source(i int64, span, parent, agent, parentAgent string, at, took int64) trace.Source {
	return trace.Source{Call: signalbox.CallView{
		ID: fmt.Sprintf("call_%d", i), Time: start.Add(time.Duration(at) * time.Millisecond), SpanID: span, ParentSpanID: parent,
		AgentID: agent, ParentAgentID: parentAgent, Kind: signalbox.KindModel, ModelName: "m", LatencyMS: took,
		Outcome: signalbox.OutcomeOK, IntentIndex: &i,
	}}
}

func draw(nodes []trace.Node) string {
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "%s%s %s %d-%d self %d\n", strings.Repeat("  ", n.Depth), n.Name, n.Status,
			n.Start.Sub(start).Milliseconds(), n.End.Sub(start).Milliseconds(), n.Self.Milliseconds())
	}
	return b.String()
}

func TestArrange(t *testing.T) {
	failed := source(3, "s3", "pr1", "researcher", "planner", 20, 30)
	failed.Call.Outcome = signalbox.OutcomeFailed
	failed.Attempts = []signalbox.Attempt{
		{Name: "big", SpanID: "a1", Started: start.Add(20 * time.Millisecond), DurationMS: 10, Code: signalbox.CodeUpstream},
		{Name: "small", SpanID: "a2", Started: start.Add(30 * time.Millisecond), DurationMS: 20, Code: signalbox.CodeTimeout},
	}
	running := source(4, "s4", "s2", "", "", 60, 0)
	running.Call.Kind, running.Call.ToolName, running.Call.Outcome = signalbox.KindTool, "files.read", signalbox.OutcomeRunning
	read := source(7, "s7", "", "", "", 90, 1)
	read.Call.Kind, read.Call.ToolName = signalbox.KindTool, "books.resources/read"
	got := draw(trace.Arrange([]trace.Source{
		running, failed,
		source(1, "s1", "pp", "planner", "", 0, 10),
		source(2, "s2", "pr1", "researcher", "planner", 15, 5),
		source(5, "s5", "pp", "planner", "", 70, 5),
		source(6, "s6", "", "", "", 80, 1), read,
	}, start.Add(100*time.Millisecond)))
	want := `invoke_agent planner ok 0-75 self 25
  chat m ok 0-10 self 10
  invoke_agent researcher ok 15-50 self 0
    chat m ok 15-20 self 5
      tools/call files.read running 60-100 self 40
    chat m error 20-50 self 0
      big (upstream) error 20-30 self 10
      small (timeout) error 30-50 self 20
  chat m ok 70-75 self 5
chat m ok 80-81 self 1
resources/read ok 90-91 self 1
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Whatever the callers claim, every call is shown once, after its parent, one level deeper.
func TestArrangeIsATree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"", "a", "b", "c"})
		span := rapid.SampledFrom([]string{"", "s0", "s1", "s2", "s3", "x", "y"})
		n := rapid.IntRange(0, 12).Draw(t, "calls")
		var sources []trace.Source
		for i := range n {
			sources = append(sources, source(int64(i), fmt.Sprintf("s%d", i), span.Draw(t, "parent"), name.Draw(t, "agent"),
				name.Draw(t, "parent agent"), rapid.Int64Range(0, 50).Draw(t, "at"), rapid.Int64Range(0, 50).Draw(t, "took")))
		}
		depth, calls, children := map[string]int{}, 0, map[string]int{}
		nodes := trace.Arrange(sources, start)
		for _, node := range nodes {
			if node.Parent == "" && node.Depth != 0 {
				t.Fatalf("root %s at depth %d", node.ID, node.Depth)
			}
			if d, ok := depth[node.Parent]; node.Parent != "" && (!ok || node.Depth != d+1) {
				t.Fatalf("%s at depth %d comes before its parent %s, or at the wrong depth", node.ID, node.Depth, node.Parent)
			}
			if node.Self < 0 {
				t.Fatalf("%s has a negative share %s", node.ID, node.Self)
			}
			depth[node.ID] = node.Depth
			children[node.Parent]++
			if !node.Inferred {
				calls++
			}
		}
		if calls != n {
			t.Fatalf("%d of %d calls are shown", calls, n)
		}
		for _, node := range nodes {
			if children[node.ID] != node.Children {
				t.Fatalf("%s says %d children and has %d", node.ID, node.Children, children[node.ID])
			}
		}
	})
}
