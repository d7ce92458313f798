package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Policy tells what decides who may do what. Errors are of code not_found (a version that never was in force), invalid
// (arguments that can not be read) or unavailable. Safe for concurrent use.
type Policy interface {
	Current(ctx context.Context) (PolicyInForce, error)
	Explain(ctx context.Context, q PolicyQuestion) (PolicyAnswer, error)
	Versions(ctx context.Context, limit int) ([]signalbox.PolicyVersion, error) // Newest first; texts may be missing.
	Version(ctx context.Context, version string) (signalbox.PolicyVersion, error)
}

// PolicyInForce is all that decides now.
type PolicyInForce struct {
	Version  string
	Since    time.Time
	Agents   []AgentInForce
	Tools    []ToolInForce
	Forbids  int // Files of further rules.
	Risk     []signalbox.RiskRule
	Tiers    map[signalbox.Risk]signalbox.Requirement
	Rules    []signalbox.ApprovalRule
	Warnings []PolicyWarning
}

// AgentInForce is an agent with its permissions, nil where it has none.
type AgentInForce struct {
	ID, Role    string
	Declared    bool // Otherwise only a key names it.
	Permissions *signalbox.Permissions
}

// ToolInForce is a tool with what is declared of it, nil where nothing is.
type ToolInForce struct {
	ID, Server string
	Mapping    *signalbox.ToolMapping
}

// PolicyQuestion is a call that is not made.
type PolicyQuestion struct {
	Tenant    string
	Agent     string
	Tool      string
	Model     string
	Arguments json.Value // An object; nil is an empty one.
	Purpose   string
	StepKind  string
}

// PolicyAnswer says what would become of a call.
type PolicyAnswer struct {
	Allowed       bool                 `json:"allowed"`
	Rule          string               `json:"rule" doc:"What permits or denies it, and where that is written."`
	Message       string               `json:"message"`
	WouldChange   []string             `json:"would_change" doc:"What would make the answer another one."`
	Operation     *signalbox.Operation `json:"operation" enum:"read,write,delete"`
	Accesses      []PolicyAccess       `json:"accesses"`
	RiskLevel     signalbox.Risk       `json:"risk_level" enum:"low,medium,high"`
	RiskRule      *string              `json:"risk_rule" doc:"What has set the risk."`
	Approvers     int                  `json:"approvers_required"`
	Role          *signalbox.Role      `json:"approver_role"`
	WhyApproval   *string              `json:"why_approval"`
	PolicyVersion string               `json:"policy_version"`
}

// PolicyAccess is one thing that the call would do.
type PolicyAccess struct {
	Operation signalbox.Operation `json:"operation" enum:"read,write,delete"`
	Resource  string              `json:"resource" doc:"Normalised; empty where the tool declares none."`
	Rule      *string             `json:"rule" doc:"What permits it; null where nothing does."`
}

// ExplainRequest is the question what would become of a call.
type ExplainRequest struct {
	Tenant    string            `json:"tenant,omitempty" maxLength:"128" doc:"The caller's own unless given."`
	Agent     string            `json:"agent,omitempty" maxLength:"128" doc:"Empty: a call without an agent."`
	Tool      string            `json:"tool,omitempty" maxLength:"256" doc:"server.tool; or else a model is asked about."`
	Arguments exactBody[object] `json:"arguments,omitempty" doc:"Of the tool."`
	Model     string            `json:"model,omitempty" maxLength:"128"`
	Purpose   string            `json:"purpose,omitempty" maxLength:"128"`
	StepKind  string            `json:"step_kind,omitempty" maxLength:"64"`
}

// object is any JSON object.
type object map[string]any

// PolicyVersionRow is a policy that was in force.
type PolicyVersionRow struct {
	Version string    `json:"version"`
	Time    time.Time `json:"time" doc:"When it was in force first."`
}

// PolicyVersionText is a policy that was in force, for comparing it with another.
type PolicyVersionText struct {
	PolicyVersionRow
	Text string `json:"text" doc:"All that decides, one line for each rule, sorted."`
}

// VersionQuery bounds the list of versions.
type VersionQuery struct {
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

func (s *server) registerPolicy(api huma.API) {
	readers := []signalbox.Role{
		signalbox.RoleDeveloper, signalbox.RoleApprover, signalbox.RoleAuditor, signalbox.RoleOperator, signalbox.RoleAdmin,
	}
	huma.Register(api, operation("get-policy", http.MethodGet, "/policy", "Who may do what", readers...), s.getPolicy)
	huma.Register(api, operation("explain-policy", http.MethodPost, "/policy/explain", "What would become of a call, and why", readers...), s.explainPolicy)
	huma.Register(api, operation("list-policy-versions", http.MethodGet, "/policy/versions", "Policies that were in force, newest first", readers...), s.listPolicyVersions)
	huma.Register(api, operation("get-policy-version", http.MethodGet, "/policy/versions/{version}", "A policy as text", readers...), s.getPolicyVersion)
}

func (s *server) getPolicy(ctx context.Context, _ *struct{}) (*Body[PolicyView], error) {
	p, err := s.Policy.Current(ctx)
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	p.Tools = slices.DeleteFunc(slices.Clone(p.Tools), func(t ToolInForce) bool { return !s.knows(callerOf(ctx), t.Server) })
	return &Body[PolicyView]{policyView(&p)}, nil
}

func (s *server) explainPolicy(ctx context.Context, in *Body[ExplainRequest]) (*Body[PolicyAnswer], error) {
	c := callerOf(ctx)
	q, err := s.question(c, &in.Body)
	if err != nil {
		return nil, fail(c, err)
	}
	a, err := s.Policy.Explain(ctx, q)
	if err != nil {
		return nil, fail(c, err)
	}
	if a.WouldChange == nil {
		a.WouldChange = []string{}
	}
	if a.Accesses == nil {
		a.Accesses = []PolicyAccess{}
	}
	return &Body[PolicyAnswer]{a}, nil
}

// question checks whose call it would be, and of what.
func (s *server) question(c ctxWithCaller, r *ExplainRequest) (PolicyQuestion, error) {
	q := PolicyQuestion{
		Tenant: orElse(r.Tenant, c.Key.Tenant), Agent: r.Agent, Tool: r.Tool, Model: r.Model,
		Arguments: r.Arguments.Value, Purpose: r.Purpose, StepKind: r.StepKind,
	}
	switch {
	case !c.maySee(q.Tenant):
		return q, signalbox.Errorf(signalbox.CodeForbidden, "The role %s may ask only about its own tenant.", c.Key.Role).
			WithField("tenant").WithRemedy("Leave the tenant out, or use a key with the role auditor, operator or admin.")
	case !slices.Contains(s.Tenants(), q.Tenant):
		return q, signalbox.Errorf(signalbox.CodeNotFound, "There is no such tenant.").WithField("tenant").
			WithRemedy("Name one of the configuration.")
	case (q.Tool == "") == (q.Model == ""):
		return q, signalbox.Errorf(signalbox.CodeInvalid, "Either a tool or a model is to be named.").WithField("tool").
			WithRemedy("Give tool as server.tool, with its arguments, or give model.")
	}
	return q, nil
}

func (s *server) listPolicyVersions(ctx context.Context, q *VersionQuery) (*Body[Page[PolicyVersionRow]], error) {
	list, err := s.Policy.Versions(ctx, q.Limit)
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	page := Page[PolicyVersionRow]{Items: []PolicyVersionRow{}, AsOf: s.Now().UTC()}
	for _, v := range list {
		page.Items = append(page.Items, PolicyVersionRow{v.Version, v.Time})
	}
	return &Body[Page[PolicyVersionRow]]{page}, nil
}

func (s *server) getPolicyVersion(ctx context.Context, in *struct {
	Version string `path:"version" maxLength:"128"`
},
) (*Body[PolicyVersionText], error) {
	v, err := s.Policy.Version(ctx, in.Version)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		err = signalbox.Errorf(signalbox.CodeNotFound, "This policy was never in force.").WithField("version").
			WithRemedy("Look for it in the list of versions.")
	}
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	return &Body[PolicyVersionText]{PolicyVersionText{PolicyVersionRow{v.Version, v.Time}, v.Text}}, nil
}
