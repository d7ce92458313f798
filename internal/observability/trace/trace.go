// Package trace arranges the calls of one trace as a tree, flattened in the order in which a waterfall shows them.
//
// # What is known and what is inferred
//
// Signalbox sees calls, not what agents do between them. A call whose parent span is another call of the trace hangs
// under that call. A call whose parent span was never seen belongs to the agent that made it: the unseen span is then
// shown as a node of kind agent, marked as inferred, which starts with its first call and ends with its last. Such a
// node hangs under the node of its parent agent where the caller named one. The attempts of a call that needed more
// than one are its children.
// Calls have the names of their spans.
//
// Every parent starts no later than its children in the arranged order, so that forged span ids can not make a loop.
package trace

import (
	"cmp"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/telemetry"
)

// Kind is what a node stands for.
type Kind string

// The kinds of nodes.
const (
	KindAgent   Kind = "agent"
	KindModel   Kind = "model"
	KindTool    Kind = "tool"
	KindAttempt Kind = "attempt"
)

// Status is how the work of a node ended.
type Status string

// The statuses.
const (
	StatusOK      Status = "ok"
	StatusError   Status = "error"
	StatusRunning Status = "running"
)

// Node is one line of a waterfall.
type Node struct {
	ID         string // The span's id, or one made up for an agent without a span.
	Parent     string // The parent node's id; "" for a root.
	Depth      int
	Children   int // Direct children.
	Name       string
	Kind       Kind
	Status     Status
	Start, End time.Time
	Self       time.Duration // The part of its time in which no child was at work.
	Agent      string
	Model      string
	Tool       string
	Cost       *signalbox.Money // Of a call; nil for agents, and where it is not known.
	Usage      *signalbox.Usage
	Call       string // The call's id; "" for agents.
	Inferred   bool
	Simulated  bool

	children []*Node
}

// Source is what is known of one call of the trace.
type Source struct {
	Call     signalbox.CallView
	Attempts []signalbox.Attempt // Only where there was more than one.
}

// Arrange gives the nodes depth first. asOf ends the bars of calls that still run.
func Arrange(sources []Source, asOf time.Time) []Node {
	b := &builder{
		asOf: asOf, seen: map[string]bool{}, calls: map[string]*Node{}, agents: map[string]*Node{}, byName: map[string][]*Node{},
	}
	slices.SortStableFunc(sources, func(x, y Source) int {
		return cmp.Or(x.Call.Time.Compare(y.Call.Time), cmp.Compare(x.Call.First(), y.Call.First()))
	})
	for _, s := range sources {
		b.seen[s.Call.SpanID] = true
	}
	for _, s := range sources {
		b.add(s)
	}
	return flatten(b.roots)
}

type builder struct {
	asOf   time.Time
	seen   map[string]bool    // The spans of all calls, also of those that come later.
	calls  map[string]*Node   // By span id, those of attempts too.
	agents map[string]*Node   // By the unseen span's id, or "agent:name" without one.
	byName map[string][]*Node // Agents by name, in order of appearance.
	roots  []*Node
}

func (b *builder) add(s Source) {
	n := callNode(s.Call, b.asOf)
	b.place(n, b.parentOf(s.Call))
	for _, a := range s.Attempts {
		child := attemptNode(a, n)
		b.place(child, n)
		b.calls[child.ID] = child
	}
	b.calls[n.ID] = n
}

// parentOf is the call that made this one, or the agent whose span we never saw.
func (b *builder) parentOf(c signalbox.CallView) *Node {
	if p, ok := b.calls[c.ParentSpanID]; ok && c.ParentSpanID != "" {
		return p
	}
	if c.AgentID == "" {
		return nil
	}
	id := c.ParentSpanID
	if id == "" || b.seen[id] {
		id = "agent:" + c.AgentID
	}
	if a, ok := b.agents[id]; ok {
		return a
	}
	a := &Node{
		ID: id, Kind: KindAgent, Name: "invoke_agent " + c.AgentID, Agent: c.AgentID, Status: StatusOK, Inferred: true,
		Start: c.Time, End: c.Time,
	}
	b.place(a, b.agentNamed(c.ParentAgentID))
	b.agents[id] = a
	b.byName[c.AgentID] = append(b.byName[c.AgentID], a)
	return a
}

// agentNamed is the latest node of that agent so far, nil where it made no call before.
func (b *builder) agentNamed(name string) *Node {
	nodes := b.byName[name]
	if name == "" || len(nodes) == 0 {
		return nil
	}
	return nodes[len(nodes)-1]
}

func (b *builder) place(n, parent *Node) {
	if parent == nil {
		b.roots = append(b.roots, n)
		return
	}
	n.Parent = parent.ID
	parent.children = append(parent.children, n)
}

func callNode(c signalbox.CallView, asOf time.Time) *Node {
	n := &Node{
		ID: c.SpanID, Kind: KindModel, Name: "chat " + c.ModelName, Status: StatusOK, Start: c.Time,
		End: c.Time.Add(time.Duration(c.LatencyMS) * time.Millisecond), Agent: c.AgentID, Model: c.ModelName,
		Tool: c.ToolName, Cost: c.Cost, Usage: c.Usage, Call: c.ID, Simulated: c.Simulated,
	}
	if c.Kind == signalbox.KindTool {
		n.Kind, n.Name, n.Model = KindTool, telemetry.ToolSpan(c.ToolName), ""
	}
	switch c.Outcome {
	case signalbox.OutcomeRunning:
		n.Status, n.End = StatusRunning, later(asOf, c.Time)
	case signalbox.OutcomeOK:
	case signalbox.OutcomeDenied, signalbox.OutcomeBlocked, signalbox.OutcomeFailed, signalbox.OutcomeCancelled,
		signalbox.OutcomeUnknown:
		n.Status = StatusError
	}
	return n
}

func attemptNode(a signalbox.Attempt, call *Node) *Node {
	n := &Node{
		ID: a.SpanID, Kind: KindAttempt, Name: a.Name, Status: StatusOK, Start: a.Started,
		End: a.Started.Add(time.Duration(a.DurationMS) * time.Millisecond), Agent: call.Agent, Model: call.Model,
		Tool: call.Tool, Cost: a.Cost, Usage: a.Usage, Call: call.Call, Simulated: a.Simulated,
	}
	if a.Code != "" {
		n.Status, n.Name = StatusError, a.Name+" ("+string(a.Code)+")"
	}
	return n
}

// flatten walks depth first; an agent's bar then spans its children's, and every node knows its own share of time.
func flatten(roots []*Node) []Node {
	var out []Node
	var walk func(n *Node, depth int)
	walk = func(n *Node, depth int) {
		n.Depth, n.Children = depth, len(n.children)
		at := len(out)
		out = append(out, Node{})
		for _, c := range n.children {
			walk(c, depth+1)
		}
		n.finish()
		out[at] = *n
		out[at].children = nil
	}
	for _, r := range roots {
		walk(r, 0)
	}
	return out
}

func (n *Node) finish() {
	for _, c := range n.children {
		if n.Kind == KindAgent {
			n.End = later(n.End, c.End)
			if c.Status == StatusRunning {
				n.Status = StatusRunning
			}
		}
	}
	n.Self = n.End.Sub(n.Start) - covered(n)
}

// covered is the time within n in which at least one child was at work. Children are in order of their start.
func covered(n *Node) time.Duration {
	var sum time.Duration
	reached := n.Start
	for _, c := range n.children {
		from, to := later(c.Start, reached), c.End
		if to.After(n.End) {
			to = n.End
		}
		if to.After(from) {
			sum += to.Sub(from)
			reached = to
		}
	}
	return sum
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
