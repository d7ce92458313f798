package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Runs keeps the runs that are opened with a budget. Errors are of code not_found (a run that was only named by calls is
// not known here), invalid (a plan that does not add up) or unavailable. End leaves a run that is over as it is. Safe for
// concurrent use.
type Runs interface {
	Open(ctx context.Context, by signalbox.Caller, plan signalbox.RunPlan, idle time.Duration) (signalbox.Run, error)
	Run(ctx context.Context, tenant, id string) (signalbox.Run, error)
	End(ctx context.Context, by signalbox.Caller, tenant, id string) (signalbox.Run, error)
}

// RunView reads a run of the projections: the calls that carry its id. Errors are of code not_found or unavailable.
type RunView func(ctx context.Context, tenant, id string) (signalbox.RunView, error)

// Run is a row of the list of runs.
type Run struct {
	ID      string              `json:"id"`
	Tenant  string              `json:"tenant"`
	Team    *string             `json:"team"`
	Agent   *string             `json:"agent_id" doc:"Of its first call, or of the key that opened it."`
	KeyID   *string             `json:"key_id" doc:"The key that opened it; null for a run that was never opened."`
	State   *signalbox.RunState `json:"state" enum:"running,halted,ended,expired" doc:"Null for a run that was never opened: its id only occurs in calls."`
	Started time.Time           `json:"started"`
	Last    time.Time           `json:"last"`
	Running int64               `json:"running" doc:"Calls under way."`
	CostFigures
}

// RunDetail is one run with its plan and its accounts.
type RunDetail struct {
	Run
	Ended    *time.Time `json:"ended"`
	Idle     *int64     `json:"idle_timeout_seconds" doc:"It ends after so long without a call; null: never, or it was never opened."`
	Plan     *RunPlan   `json:"plan" doc:"Null for a run that was never opened."`
	Brake    *Brake     `json:"brake" doc:"What slows or halts it, or its tenant, now."`
	Accounts []Account  `json:"accounts" doc:"All accounts of the run, used or not, those of budgets per run included."`
	AsOf     time.Time  `json:"as_of"`
}

// RunPlan is a run's budget and how it is divided.
type RunPlan struct {
	Total   string      `json:"total_max_cost_usd"`
	Reserve int64       `json:"reserve_percent"`
	Kept    string      `json:"reserve_usd" doc:"For second and further attempts."`
	Planned string      `json:"planned_usd" doc:"For first attempts: the total without the reserve."`
	Steps   *int64      `json:"max_steps"`
	Agents  []AgentPlan `json:"agents"`
}

// AgentPlan is one agent's part.
type AgentPlan struct {
	Agent     string             `json:"agent_id"`
	MaxInput  *int64             `json:"max_input_tokens"`
	MaxOutput *int64             `json:"max_output_tokens"`
	MaxCost   *string            `json:"max_cost_usd"`
	MaxSteps  *int64             `json:"max_steps"`
	Model     *string            `json:"model"`
	Priority  signalbox.Priority `json:"priority" enum:"critical,normal,optional"`
}

// NewRun is a run to be opened. It only describes the body: that is read exactly as it is written.
type NewRun struct {
	Budget NewRunBudget  `json:"budget"`
	Agents []NewRunAgent `json:"agents,omitempty"`
	Idle   int64         `json:"idle_timeout_seconds,omitempty" doc:"It ends after so long without a call; 0 takes the configured time."`
}

// NewRunBudget is the budget of a new run.
type NewRunBudget struct {
	Total   Dollars `json:"total_max_cost_usd"`
	Reserve float64 `json:"reserve_percent,omitempty" doc:"15 to 20, or 0.15 to 0.20; 15 unless given."`
	Steps   int64   `json:"max_steps,omitempty"`
}

// NewRunAgent is an agent's part of a new run.
type NewRunAgent struct {
	Agent     string             `json:"agent_id"`
	MaxInput  int64              `json:"max_input_tokens,omitempty"`
	MaxOutput int64              `json:"max_output_tokens,omitempty"`
	MaxCost   *Dollars           `json:"max_cost_usd,omitempty"`
	MaxSteps  int64              `json:"max_steps,omitempty"`
	Model     string             `json:"model,omitempty" doc:"What \"auto\" means for this agent in this run."`
	Priority  signalbox.Priority `json:"priority,omitempty" enum:"critical,normal,optional" doc:"Normal unless given."`
}

// Dollars is an amount as clients write it: a decimal string, or a JSON number.
type Dollars string

// Schema says that both are taken.
func (Dollars) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "US dollars, at most nine decimals.",
		OneOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}},
	}
}

// exactBody is a body that is kept as it was written, described as T.
type exactBody[T any] struct{ json.Value }

// Schema describes T.
func (exactBody[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// exact makes an operation read its body itself.
func exact(op huma.Operation) huma.Operation {
	op.SkipValidateBody = true
	return op
}

// RunQuery are the filters of the list of runs.
type RunQuery struct {
	Paging
	Tenant string `query:"tenant" maxLength:"128"`
}

// OneRun names a run.
type OneRun struct {
	ID     string `path:"id" maxLength:"128"`
	Tenant string `query:"tenant" maxLength:"128" doc:"Whose run it is; needed where two tenants use one id."`
}

func (s *server) registerRuns(api huma.API) {
	callers := []signalbox.Role{signalbox.RoleAgent, signalbox.RoleDeveloper, signalbox.RoleOperator, signalbox.RoleAdmin}
	huma.Register(api, operation("list-runs", http.MethodGet, "/runs", "Runs, newest first"), s.listRuns)
	huma.Register(api, operation("get-run", http.MethodGet, "/runs/{id}", "One run with its plan and accounts"), s.getRun)
	open := exact(operation("open-run", http.MethodPost, "/runs", "Open a run with a budget", callers...))
	open.DefaultStatus = http.StatusCreated
	huma.Register(api, open, s.openRun)
	huma.Register(api, operation("end-run", http.MethodPost, "/runs/{id}/end", "End a run", callers...), s.endRun)
}

func (s *server) listRuns(ctx context.Context, q *RunQuery) (*Body[Page[Run]], error) {
	c := callerOf(ctx)
	asOf, err := s.asOf(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	runs, next, err := s.Views.Runs(ctx, signalbox.RunFilter{Tenants: c.narrow(q.Tenant), Cursor: q.Cursor, Limit: q.Limit})
	if err != nil {
		return nil, fail(c, err)
	}
	brakes, err := s.Alerts.Brakes(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	page := Page[Run]{Items: []Run{}, Next: cursor(next), AsOf: asOf}
	for _, v := range runs {
		opened, err := s.opened(ctx, v.Tenant, v.ID)
		if err != nil {
			return nil, fail(c, err)
		}
		page.Items = append(page.Items, s.runRow(v, opened, brakes))
	}
	return &Body[Page[Run]]{page}, nil
}

// opened gives a run as it was opened; nil where it was not.
func (s *server) opened(ctx context.Context, tenant, id string) (*signalbox.Run, error) {
	if !strings.HasPrefix(id, signalbox.RunPrefix) {
		return nil, nil
	}
	run, err := s.Runs.Run(ctx, tenant, id)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return nil, nil
	}
	return &run, err
}

func (s *server) runRow(v signalbox.RunView, opened *signalbox.Run, brakes []signalbox.Brake) Run {
	row := Run{
		ID: v.ID, Tenant: v.Tenant, Team: OrNull(v.Team), Agent: OrNull(v.Agent), Started: v.Started, Last: v.Last,
		Running: v.Running, CostFigures: figures(v.Totals),
	}
	if opened == nil {
		return row
	}
	state := opened.State
	if b := s.brakeOf(v.Tenant, v.ID, brakes); b != nil && b.Kind == signalbox.BrakeHalt && state == signalbox.RunRunning {
		state = signalbox.RunHalted
	}
	row.State, row.KeyID = &state, OrNull(opened.Key)
	return row
}

// brakeOf gives the brake that holds a run, a halt before a throttle.
func (s *server) brakeOf(tenant, run string, brakes []signalbox.Brake) *signalbox.Brake {
	var found *signalbox.Brake
	for i := range brakes {
		b := &brakes[i]
		if b.Tenant != tenant || b.Run != "" && b.Run != run || !b.Holds(s.Now()) {
			continue
		}
		if found == nil || b.Kind == signalbox.BrakeHalt {
			found = b
		}
	}
	return found
}

func (s *server) openRun(ctx context.Context, in *struct{ Body exactBody[NewRun] }) (*Body[RunDetail], error) {
	c := callerOf(ctx)
	wanted, err := readRun(in.Body.Value)
	if err != nil {
		return nil, fail(c, err)
	}
	for i, a := range wanted.plan.Agents {
		if err := noSecrets(named{fmt.Sprintf("agents[%d].agent", i), a.Agent}); err != nil {
			return nil, fail(c, err)
		}
	}
	run, err := s.Runs.Open(ctx, c.caller(), wanted.plan, wanted.idle)
	if err != nil {
		return nil, fail(c, wanted.read.ofPlan(err))
	}
	return s.runAnswer(ctx, c, run.Tenant, run.ID)
}

func (s *server) getRun(ctx context.Context, in *OneRun) (*Body[RunDetail], error) {
	c := callerOf(ctx)
	tenant, err := s.tenantOf(ctx, c, in)
	if err != nil {
		return nil, fail(c, err)
	}
	return s.runAnswer(ctx, c, tenant, in.ID)
}

func (s *server) endRun(ctx context.Context, in *OneRun) (*Body[RunDetail], error) {
	c := callerOf(ctx)
	tenant, err := s.tenantOf(ctx, c, in)
	if err != nil {
		return nil, fail(c, err)
	}
	run, err := s.opened(ctx, tenant, in.ID)
	switch {
	case err != nil:
		return nil, fail(c, err)
	case run == nil:
		return nil, fail(c, signalbox.Errorf(signalbox.CodeConflict, "The run was never opened: its id only occurs in calls.").
			WithField("id").WithRemedy("There is nothing to end; runs that are opened with POST /api/v1/runs can be."))
	case run.Key != c.Key.ID && c.Key.Role != signalbox.RoleOperator && c.Key.Role != signalbox.RoleAdmin:
		return nil, fail(c, signalbox.Errorf(signalbox.CodeForbidden, "The run belongs to the key that opened it.").
			WithField("id").WithRemedy("Use that key, or one with the role operator or admin."))
	}
	if _, err := s.Runs.End(ctx, c.caller(), tenant, in.ID); err != nil {
		return nil, fail(c, err)
	}
	return s.runAnswer(ctx, c, tenant, in.ID)
}

// tenantOf finds whose run an id is, among the tenants that the caller may see. Ids that callers made up are not unique.
func (s *server) tenantOf(ctx context.Context, c ctxWithCaller, in *OneRun) (string, error) {
	tenants := c.narrow(in.Tenant)
	if tenants == nil {
		tenants = s.Tenants()
	}
	var owners []string
	for _, tenant := range tenants {
		run, err := s.opened(ctx, tenant, in.ID)
		if err != nil {
			return "", err
		}
		_, err = s.RunView(ctx, tenant, in.ID)
		switch {
		case run != nil || err == nil:
			owners = append(owners, tenant)
		case signalbox.CodeOf(err) != signalbox.CodeNotFound:
			return "", err
		}
	}
	switch {
	case len(owners) == 1:
		return owners[0], nil
	case slices.Contains(owners, c.Key.Tenant):
		return c.Key.Tenant, nil
	case len(owners) > 1:
		return "", signalbox.Errorf(signalbox.CodeConflict, "Several tenants use this id: %s.", strings.Join(owners, ", ")).
			WithField("tenant").WithRemedy("Say whose run is meant, with ?tenant=.")
	}
	return "", signalbox.Errorf(signalbox.CodeNotFound, "There is no such run.").WithField("id").
		WithRemedy("Look for it in the list of runs.")
}

// runAnswer describes a run of which it is known that it is there.
func (s *server) runAnswer(ctx context.Context, c ctxWithCaller, tenant, id string) (*Body[RunDetail], error) {
	detail, err := s.describeRun(ctx, tenant, id)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[RunDetail]{detail}, nil
}

func (s *server) describeRun(ctx context.Context, tenant, id string) (RunDetail, error) {
	asOf, err := s.asOf(ctx)
	if err != nil {
		return RunDetail{}, err
	}
	opened, err := s.opened(ctx, tenant, id)
	if err != nil {
		return RunDetail{}, err
	}
	view, err := s.RunView(ctx, tenant, id)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound && opened != nil { // It is not projected yet.
		view, err = signalbox.RunView{ID: id, Tenant: tenant, Team: opened.Team, Started: opened.Opened, Last: opened.Opened}, nil
	}
	if err != nil {
		return RunDetail{}, err
	}
	brakes, err := s.Alerts.Brakes(ctx)
	if err != nil {
		return RunDetail{}, err
	}
	detail := RunDetail{Run: s.runRow(view, opened, brakes), Accounts: []Account{}, AsOf: asOf}
	if b := s.brakeOf(tenant, id, brakes); b != nil {
		detail.Brake = s.brakeRow(*b)
	}
	if opened != nil {
		detail.fillPlan(opened)
	}
	detail.Accounts, err = s.allAccounts(ctx, AccountFilter{Tenants: []string{tenant}, Run: id, Current: true})
	return detail, err
}

// fillPlan adds what only a run that was opened has.
func (d *RunDetail) fillPlan(run *signalbox.Run) {
	if run.Idle > 0 {
		seconds := int64(run.Idle / time.Second)
		d.Idle = &seconds
	}
	if !run.Ended.IsZero() {
		d.Ended = &run.Ended
	}
	p := run.Plan
	d.Plan = &RunPlan{
		Total: p.Total.String(), Reserve: p.Reserve, Kept: p.ReserveAmount().String(),
		Planned: (p.Total - p.ReserveAmount()).String(), Steps: OrNull(p.Steps), Agents: []AgentPlan{},
	}
	for _, a := range p.Agents {
		d.Plan.Agents = append(d.Plan.Agents, AgentPlan{
			Agent: a.Agent, MaxInput: a.MaxInput, MaxOutput: a.MaxOutput, MaxCost: dollars(a.MaxCost), MaxSteps: a.MaxSteps,
			Model: OrNull(a.Model), Priority: a.Priority,
		})
	}
}
