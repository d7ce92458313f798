package api

import (
	"time"

	"github.com/signalbox/signalbox"
)

// PolicyView is all that decides, as people read it.
type PolicyView struct {
	Version  string               `json:"version"`
	Since    time.Time            `json:"since"`
	Agents   []PolicyAgent        `json:"agents"`
	Tools    []PolicyTool         `json:"tools"`
	Forbids  int                  `json:"forbids" doc:"Files of further rules, whose forbids win over every permission."`
	Risk     []PolicyRisk         `json:"risk_rules"`
	Tiers    PolicyTiers          `json:"tiers" doc:"Who must agree, by risk, where no approval rule says else."`
	Rules    []PolicyApprovalRule `json:"approval_rules" doc:"The first that fits replaces the tier."`
	Warnings []PolicyWarning      `json:"warnings"`
}

// PolicyAgent is what an agent may do.
type PolicyAgent struct {
	ID               string             `json:"id"`
	Role             *string            `json:"role" doc:"Its part in a group of agents."`
	Declared         bool               `json:"declared" doc:"False where only a key names it."`
	Models           *[]string          `json:"models" nullable:"true" doc:"Null: all that its tenant may use."`
	RequiresApproval bool               `json:"requires_approval"`
	MaxTokens        *int64             `json:"max_tokens" doc:"Input and output together, per run."`
	Tools            []PolicyPermission `json:"tools"`
	Data             *PolicyData        `json:"data" doc:"Checked, and not enforced in this version."`
	Network          *PolicyNetwork     `json:"network" doc:"Checked, and not enforced in this version."`
}

// PolicyPermission permits operations on resources by tools.
type PolicyPermission struct {
	Name         string                `json:"name" doc:"Glob over ids of tools."`
	Operations   []signalbox.Operation `json:"operations" enum:"read,write,delete"`
	Resources    []string              `json:"resources" doc:"Globs."`
	MaxPerMinute *int64                `json:"max_per_minute"`
	Source       string                `json:"source" doc:"Where it is written."`
}

// PolicyData bounds queries of databases.
type PolicyData struct {
	Tables    []string `json:"tables"`
	Columns   []string `json:"columns"`
	RowFilter *string  `json:"row_filter"`
	MaxRows   *int64   `json:"max_rows"`
	Source    string   `json:"source"`
}

// PolicyNetwork bounds requests to the web.
type PolicyNetwork struct {
	Allow        []string `json:"allow"`
	Block        []string `json:"block"`
	MaxPerMinute *int64   `json:"max_per_minute"`
	Source       string   `json:"source"`
}

// PolicyTool is what is declared of a tool.
type PolicyTool struct {
	ID        string               `json:"id"`
	Server    string               `json:"server"`
	Operation *signalbox.Operation `json:"operation" enum:"read,write,delete" doc:"Null: as its server says, where that is trusted, else write."`
	Resources []PolicyResource     `json:"resources"`
	Source    *string              `json:"source"`
}

// PolicyResource is an argument that names resources.
type PolicyResource struct {
	Argument  string                 `json:"argument"`
	Kind      signalbox.ResourceKind `json:"kind" enum:"name,path,url"`
	Operation *signalbox.Operation   `json:"operation" enum:"read,write,delete" doc:"Null: that of the tool."`
}

// PolicyRisk raises the risk of calls.
type PolicyRisk struct {
	When   string         `json:"when"`
	Level  signalbox.Risk `json:"level" enum:"low,medium,high"`
	Source string         `json:"source"`
}

// PolicyTiers says who must agree to calls of each risk.
type PolicyTiers struct {
	Low    PolicyTier `json:"low"`
	Medium PolicyTier `json:"medium"`
	High   PolicyTier `json:"high"`
}

// PolicyTier is who must agree.
type PolicyTier struct {
	Approvers int             `json:"approvers"`
	Role      *signalbox.Role `json:"role"`
}

// PolicyApprovalRule replaces the tier.
type PolicyApprovalRule struct {
	Agent     string          `json:"agent"`
	Tool      string          `json:"tool"`
	Approvers int             `json:"approvers"`
	Role      *signalbox.Role `json:"role"`
	Source    string          `json:"source"`
}

// PolicyWarning is a rule that is probably not meant as it is written.
type PolicyWarning struct {
	Text   string `json:"text"`
	Source string `json:"source"`
}

func policyView(p *PolicyInForce) PolicyView {
	tier := func(r signalbox.Risk) PolicyTier { return PolicyTier{p.Tiers[r].Approvers, OrNull(p.Tiers[r].Role)} }
	view := PolicyView{
		Version: p.Version, Since: p.Since, Agents: []PolicyAgent{}, Tools: []PolicyTool{}, Forbids: p.Forbids,
		Risk: []PolicyRisk{}, Rules: []PolicyApprovalRule{}, Warnings: append([]PolicyWarning{}, p.Warnings...),
		Tiers: PolicyTiers{Low: tier(signalbox.RiskLow), Medium: tier(signalbox.RiskMedium), High: tier(signalbox.RiskHigh)},
	}
	for i := range p.Agents {
		view.Agents = append(view.Agents, policyAgent(&p.Agents[i]))
	}
	for i := range p.Tools {
		view.Tools = append(view.Tools, policyTool(&p.Tools[i]))
	}
	for _, r := range p.Risk {
		view.Risk = append(view.Risk, PolicyRisk{r.When, r.Level, r.Source})
	}
	for _, r := range p.Rules {
		view.Rules = append(view.Rules, PolicyApprovalRule{r.Agent, r.Tool, r.Require.Approvers, OrNull(r.Require.Role), r.Source})
	}
	return view
}

func policyAgent(a *AgentInForce) PolicyAgent {
	row := PolicyAgent{ID: a.ID, Role: OrNull(a.Role), Declared: a.Declared, Tools: []PolicyPermission{}}
	p := a.Permissions
	if p == nil {
		return row
	}
	if p.Models != nil {
		models := append([]string{}, p.Models...)
		row.Models = &models
	}
	row.RequiresApproval, row.MaxTokens = p.RequiresApproval, OrNull(p.MaxTokens)
	for _, t := range p.Tools {
		row.Tools = append(row.Tools, PolicyPermission{
			t.Name, append([]signalbox.Operation{}, t.Operations...), append([]string{}, t.Resources...), OrNull(t.MaxPerMinute), t.Source,
		})
	}
	if d := p.Data; d.Source != "" || len(d.Tables)+len(d.Columns) > 0 || d.RowFilter != "" || d.MaxRows != 0 {
		row.Data = &PolicyData{
			append([]string{}, d.Tables...), append([]string{}, d.Columns...), OrNull(d.RowFilter), OrNull(d.MaxRows), d.Source,
		}
	}
	if n := p.Network; n.Source != "" || len(n.Allow)+len(n.Block) > 0 || n.MaxPerMinute != nil {
		row.Network = &PolicyNetwork{append([]string{}, n.Allow...), append([]string{}, n.Block...), n.MaxPerMinute, n.Source}
	}
	return row
}

func policyTool(t *ToolInForce) PolicyTool {
	row := PolicyTool{ID: t.ID, Server: t.Server, Resources: []PolicyResource{}}
	if t.Mapping == nil {
		return row
	}
	row.Operation, row.Source = OrNull(t.Mapping.Operation), OrNull(t.Mapping.Source)
	if t.Mapping.Path != "" { // Of an operation of an HTTP API: the path of the request, with arguments in braces.
		row.Resources = append(row.Resources, PolicyResource{string(t.Mapping.Path), signalbox.ResourcePath, nil})
	}
	for _, r := range t.Mapping.Resources {
		row.Resources = append(row.Resources, PolicyResource{r.Argument, r.Kind, OrNull(r.Operation)})
	}
	return row
}
