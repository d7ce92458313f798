package api

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/tool/pin"
)

// Tool is a tool of an MCP server: of its lists, or one of which only the configuration speaks.
type Tool struct {
	ID          string                `json:"id" doc:"server.tool"`
	Server      string                `json:"server"`
	Name        string                `json:"name" doc:"As its server calls it, or a method such as resources/read."`
	Title       *string               `json:"title"`
	Description *string               `json:"description" doc:"As the server says: of the form that may be used, else of the new one."`
	State       *signalbox.PinState   `json:"state" enum:"pinned,held,rejected" doc:"Null: no list had it yet."`
	Flags       []PinFlag             `json:"flags"`
	Operations  []signalbox.Operation `json:"operations" enum:"read,write,delete" doc:"That calls of it can have."`
	Declared    bool                  `json:"declared" doc:"Whether the configuration says which; else it is what the server says, where that is trusted, or write."`
	Price       *string               `json:"price_per_call" doc:"US dollars; null: unpriced."`
	Use         ToolUse               `json:"use" doc:"In the range that was asked for."`
}

// ToolUse counts calls that have ended.
type ToolUse struct {
	Calls        int64    `json:"calls"`
	Failures     int64    `json:"failures"`
	Refusals     int64    `json:"refusals" doc:"Of calls for which the tool was found; not of those of a tool that is held."`
	Cost         string   `json:"cost" doc:"US dollars, of the calls whose cost is known."`
	Unpriced     int64    `json:"unpriced"`
	LatencyP50MS *float64 `json:"latency_p50_ms" doc:"Of calls that were served or have failed."`
	LatencyP95MS *float64 `json:"latency_p95_ms"`
}

// ToolDetail is a tool with all that is known of it.
type ToolDetail struct {
	Tool
	AsOf      time.Time        `json:"as_of"`
	Resources []PolicyResource `json:"resources" doc:"Arguments that name resources."`
	Source    *string          `json:"source" doc:"Where operation and resources are declared."`
	Agents    []ToolAgent      `json:"agents" doc:"Who could call it in some way. Break-glass grants do not count."`
	Others    int              `json:"agents_without" doc:"How many agents could not."`
	Pin       *PinDetail       `json:"pin" doc:"In which form it may be used; null: no list had it yet."`
	Points    []CostPoint      `json:"points" doc:"Its calls by the hour, oldest first; hours without any are left out."`
}

// ToolAgent is an agent that could call a tool.
type ToolAgent struct {
	Agent string `json:"agent"`
	Rule  string `json:"rule" doc:"What lets it, and where that is written."`
}

// ToolQuery asks for tools of a server.
type ToolQuery struct {
	OneServer
	Paging
	RangeQuery
	State string `query:"state" enum:"pinned,held,rejected"`
}

// ToolRules are what decides about a tool.
type ToolRules struct {
	Mapping    *signalbox.ToolMapping // Nil where nothing is declared.
	Operations []signalbox.Operation
	Price      *signalbox.Money
	Agents     []ToolAgent
	Others     int
}

// listedTool is a tool before it is written.
type listedTool struct {
	server, name string
	pin          *signalbox.Pin // Nil where no list had it.
}

func (t *listedTool) id() string { return t.server + "." + t.name }

// said is what the server says of the tool.
func (t *listedTool) said() pin.Description {
	switch {
	case t.pin == nil:
		return pin.Description{}
	case t.pin.Pinned != nil:
		return pin.Describe(t.pin.Pinned.Definition)
	}
	return pin.Describe(t.pin.Shown().Definition)
}

// toolsOf gives all tools of a server by name: those that were seen, and those that are declared.
func (s *server) toolsOf(ctx context.Context, server string) ([]listedTool, error) {
	pins, err := s.Pins.List(ctx, server)
	if err != nil {
		return nil, err
	}
	var list []listedTool
	known := map[string]bool{}
	for i := range pins {
		known[pins[i].Tool] = true
		list = append(list, listedTool{server, pins[i].Tool, &pins[i]})
	}
	for _, name := range s.Servers.Declared(server) {
		if !known[name] {
			list = append(list, listedTool{server, name, nil})
		}
	}
	slices.SortFunc(list, func(a, b listedTool) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

func (s *server) listTools(ctx context.Context, q *ToolQuery) (*Body[Page[Tool]], error) {
	c := callerOf(ctx)
	page, err := s.toolPage(ctx, c, q)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Page[Tool]]{page}, nil
}

func (s *server) toolPage(ctx context.Context, c ctxWithCaller, q *ToolQuery) (page Page[Tool], err error) {
	page.Items = []Tool{}
	if _, err := s.findServer(q.ID); err != nil {
		return page, err
	}
	if page.AsOf, err = s.asOf(ctx); err != nil {
		return page, err
	}
	list, err := s.toolsOf(ctx, q.ID)
	if err != nil {
		return page, err
	}
	from, to := s.span(q.From, q.To)
	if err := boundedHours(from, to); err != nil {
		return page, err
	}
	uses, err := s.ToolUses(ctx, signalbox.CostQuery{Server: q.ID, From: from, To: to, Tenants: c.tenants()})
	if err != nil {
		return page, err
	}
	list = slices.DeleteFunc(list, func(t listedTool) bool {
		return t.name <= q.Cursor || q.State != "" && (t.pin == nil || string(t.pin.State) != q.State)
	})
	if len(list) > q.Limit {
		list = list[:q.Limit]
		page.Next = cursor(list[q.Limit-1].name)
	}
	judge := s.Servers.Rules(q.ID)
	for i := range list {
		rules := judge(list[i].name, list[i].said().Annotations, false)
		page.Items = append(page.Items, toolRow(&list[i], &rules, uses[list[i].id()]))
	}
	return page, nil
}

// boundedHours refuses a range of which nobody could see the hours.
func boundedHours(from, to time.Time) error {
	if to.Sub(from) <= MaxCostHours*time.Hour {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeInvalid, "The range is over %d hours.", MaxCostHours).WithField("from").
		WithRemedy("Ask for a shorter range.")
}

func toolRow(t *listedTool, rules *ToolRules, use projection.ToolUse) Tool {
	said := t.said()
	row := Tool{
		ID: t.id(), Server: t.server, Name: t.name, Title: OrNull(said.Title), Description: OrNull(said.Description), Flags: []PinFlag{},
		Operations: append([]signalbox.Operation{}, rules.Operations...), Declared: rules.Mapping != nil && rules.Mapping.Operation != "",
		Price: dollars(rules.Price), Use: toolUse(use),
	}
	if t.pin != nil {
		form := t.pin.Shown()
		row.State, row.Flags = &t.pin.State, pinFlags(&form)
	}
	return row
}

func toolUse(u projection.ToolUse) ToolUse {
	out := ToolUse{Calls: u.Calls, Failures: u.Failures, Refusals: u.Refusals, Cost: u.Cost.String(), Unpriced: u.Unpriced}
	if u.Latency.Count > 0 {
		out.LatencyP50MS, out.LatencyP95MS = &u.Latency.P50, &u.Latency.P95
	}
	return out
}

// OneTool names a tool, and a range of time.
type OneTool struct {
	ID string `path:"id" maxLength:"512" doc:"server.tool"`
	RangeQuery
}

func (s *server) getTool(ctx context.Context, q *OneTool) (*Body[ToolDetail], error) {
	c := callerOf(ctx)
	detail, err := s.toolDetail(ctx, c, q)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[ToolDetail]{detail}, nil
}

func (s *server) toolDetail(ctx context.Context, c ctxWithCaller, q *OneTool) (d ToolDetail, err error) {
	t, err := s.findTool(ctx, q.ID)
	if err != nil {
		return d, err
	}
	if d.AsOf, err = s.asOf(ctx); err != nil {
		return d, err
	}
	from, to := s.span(q.From, q.To)
	if err := boundedHours(from, to); err != nil {
		return d, err
	}
	o, err := s.Overview(ctx, signalbox.CostQuery{Tool: q.ID, From: from, To: to, Tenants: c.tenants()})
	if err != nil {
		return d, err
	}
	rules := s.Servers.Rules(t.server)(t.name, t.said().Annotations, true)
	d.Tool = toolRow(&t, &rules, projection.ToolUse{Totals: o.Totals, Latency: o.Latency})
	d.Agents, d.Others = append([]ToolAgent{}, rules.Agents...), rules.Others
	declared := policyTool(&ToolInForce{ID: q.ID, Server: t.server, Mapping: rules.Mapping})
	d.Resources, d.Source, d.Points = declared.Resources, declared.Source, []CostPoint{}
	if t.pin != nil {
		both := pinDetail(t.pin)
		d.Pin = &both
	}
	for _, h := range o.Hours {
		d.Points = append(d.Points, CostPoint{h.Start, figures(h.Totals)})
	}
	return d, nil
}

func (s *server) findTool(ctx context.Context, id string) (listedTool, error) {
	server, name := serverOf(id)
	if _, err := s.findServer(server); err != nil {
		return listedTool{}, err
	}
	list, err := s.toolsOf(ctx, server)
	if err != nil {
		return listedTool{}, err
	}
	if i := slices.IndexFunc(list, func(t listedTool) bool { return t.name == name }); i >= 0 {
		return list[i], nil
	}
	return listedTool{}, signalbox.Errorf(signalbox.CodeNotFound, "No list of the MCP server %q had a tool %s yet.", server, strconv.Quote(name)).
		WithField("id").WithRemedy("Look for it among the server's tools; a tool is seen when they are listed.")
}
