package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Approvals keeps what waits for people. Errors are of code not_found, invalid (a bad cursor), forbidden (the voter must
// not decide, and why), conflict (it is decided already) or unavailable. Safe for concurrent use.
type Approvals interface {
	List(ctx context.Context, f signalbox.ApprovalFilter) (items []signalbox.Approval, next string, err error)
	Get(ctx context.Context, id string) (signalbox.Approval, error) // Of any tenant.
	// Wait gives the approval once it is not pending any more. Its error is that of ctx where that ends before.
	Wait(ctx context.Context, id string) (signalbox.Approval, error)
	// Subscribe gives a channel that has something whenever some approval has changed since it was read last. It is
	// cancelled by the second result.
	Subscribe() (<-chan struct{}, func())
	Vote(ctx context.Context, by Voter, id string, verdict signalbox.Verdict, reason, via string) (signalbox.Approval, error)
	Withdraw(ctx context.Context, by Voter, id, reason string) (signalbox.Approval, error)
	// Content opens the sealed part; what it gives is empty unless the state is [signalbox.ContentOpen].
	Content(a signalbox.Approval) (signalbox.ApprovalContent, signalbox.ContentState)
}

// Voter is who votes on an approval, or withdraws it.
type Voter struct {
	By     string // The key's id, or the name of the person: who must not vote twice.
	User   string
	Key    string
	Agent  string // That the key is bound to.
	Role   signalbox.Role
	Tenant string
}

// Bounds of what is shown of approvals.
const (
	// MaxListedArguments is the most bytes of arguments that lists and events show; longer ones are null there.
	MaxListedArguments = 64 << 10
	// MaxApprovalWait is the longest ?wait= of an approval.
	MaxApprovalWait = time.Minute
)

// Approval is a call that waits for people, or did.
type Approval struct {
	ID            string                  `json:"id"`
	Tenant        string                  `json:"tenant"`
	State         signalbox.ApprovalState `json:"state" enum:"pending,approved,denied,expired,stale,withdrawn"`
	Asked         time.Time               `json:"asked"`
	Expires       time.Time               `json:"expires"`
	Decided       *time.Time              `json:"decided"`
	UseBy         *time.Time              `json:"use_by" doc:"Until when an approved one admits its call."`
	Used          *time.Time              `json:"used"`
	UsedBy        *string                 `json:"used_by" doc:"The call that it has admitted."`
	CallID        *string                 `json:"call_id" doc:"The call that asked first."`
	TraceID       *string                 `json:"trace_id"`
	RunID         *string                 `json:"run_id"`
	AgentID       *string                 `json:"agent_id"`
	KeyID         *string                 `json:"key_id" doc:"Of the requester."`
	UserID        *string                 `json:"user_id"`
	Kind          signalbox.Kind          `json:"kind" enum:"model,tool"`
	ToolName      string                  `json:"tool_name" doc:"The tool's id; a model's name for a call of a model."`
	Operation     *signalbox.Operation    `json:"operation" enum:"read,write,delete" doc:"The most harmful of the call's operations."`
	Resources     *[]string               `json:"resources" nullable:"true" doc:"Null for those who may not see the arguments."`
	RiskLevel     signalbox.Risk          `json:"risk_level" enum:"low,medium,high"`
	Approvers     int                     `json:"approvers_required"`
	Role          *signalbox.Role         `json:"approver_role" doc:"Of each approver who is not an admin."`
	PolicyVersion string                  `json:"policy_version"`
	Rule          string                  `json:"rule" doc:"What of the policy asked for it."`
	CostBound     *string                 `json:"cost_bound" doc:"US dollars, decimal: what the call can cost at the most; null where that is not known."`
	Votes         []ApprovalVote          `json:"votes"`
	Arguments     *string                 `json:"arguments" doc:"What would be sent, as JSON. Null for those who may not see it, where it can not be opened, and in lists where it is longer than 64 KiB."`
	ArgumentsSize *int                    `json:"arguments_bytes" doc:"Null where the arguments can not be seen."`
	Previous      *string                 `json:"previous" doc:"The last approved approval of the same tool and agent."`
	EditedFrom    *string                 `json:"edited_from"`
	Content       signalbox.ContentState  `json:"content" enum:",sealed,erased" doc:"What could not be read: nothing where it is empty."`
}

// ApprovalVote is one person's verdict.
type ApprovalVote struct {
	By      string            `json:"by"`
	User    *string           `json:"user"`
	Role    signalbox.Role    `json:"role"`
	Verdict signalbox.Verdict `json:"verdict" enum:"approve,deny"`
	Reason  string            `json:"reason"`
	At      time.Time         `json:"at"`
	Via     string            `json:"via" doc:"api, console, cli, page or link."`
}

// ApprovalQuery are the filters of the list of approvals.
type ApprovalQuery struct {
	Paging
	Tenant string   `query:"tenant" maxLength:"128"`
	State  []string `query:"state" enum:"pending,approved,denied,expired,stale,withdrawn" doc:"One or more, separated by commas."`
	Agent  string   `query:"agent" maxLength:"128"`
	Tool   string   `query:"tool" maxLength:"256"`
	Run    string   `query:"run" maxLength:"128"`
}

// OneApproval names an approval.
type OneApproval struct {
	ID string `path:"id" maxLength:"128"`
}

func (s *server) registerApprovals(api huma.API) {
	huma.Register(api, operation("list-approvals", http.MethodGet, "/approvals", "Approvals, newest first"), s.listApprovals)
	huma.Register(api, operation("get-approval", http.MethodGet, "/approvals/{id}", "One approval; with wait, once it is decided"), s.getApproval)
	s.registerApprovalEvents(api)
	s.registerVotes(api)
}

func (s *server) listApprovals(ctx context.Context, q *ApprovalQuery) (*Body[Page[Approval]], error) {
	c := callerOf(ctx)
	f := signalbox.ApprovalFilter{
		Tenants: c.narrow(q.Tenant), Agent: q.Agent, Tool: q.Tool, Run: q.Run, Limit: q.Limit, Cursor: q.Cursor,
	}
	for _, state := range q.State {
		f.States = append(f.States, signalbox.ApprovalState(state))
	}
	list, next, err := s.approvals(ctx, f)
	if err != nil {
		return nil, fail(c, err)
	}
	page := Page[Approval]{Items: []Approval{}, Next: cursor(next), AsOf: s.Now().UTC()}
	for i := range list {
		page.Items = append(page.Items, s.listedApproval(c, &list[i]))
	}
	return &Body[Page[Approval]]{page}, nil
}

// approvals lists approvals. A caller who may see no tenant that he asks for sees none.
func (s *server) approvals(ctx context.Context, f signalbox.ApprovalFilter) ([]signalbox.Approval, string, error) {
	if f.Tenants != nil && len(f.Tenants) == 0 {
		return nil, "", nil
	}
	return s.Approvals.List(ctx, f)
}

func (s *server) getApproval(ctx context.Context, in *struct {
	OneApproval
	Wait string `query:"wait" maxLength:"16" doc:"How long to wait for a decision, such as 45s; at most 60s. Without it the answer comes at once."`
},
) (*Body[Approval], error) {
	c := callerOf(ctx)
	wait, err := readWait(in.Wait)
	if err != nil {
		return nil, fail(c, err)
	}
	a, err := s.findApproval(ctx, c, in.ID)
	if err == nil && wait > 0 && a.State == signalbox.ApprovalPending {
		a, err = s.awaitApproval(ctx, c, in.ID, wait)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Approval]{s.approvalRow(c, &a)}, nil
}

func readWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > MaxApprovalWait {
		return 0, signalbox.Errorf(signalbox.CodeInvalid, "The time to wait is not one from 0s to %ds.", MaxApprovalWait/time.Second).
			WithField("wait").WithRemedy("Write it as 45s, and ask again when the answer still says pending.")
	}
	return wait, nil
}

// awaitApproval gives the approval when it is decided, or as it is when the time is over or the server stops.
func (s *server) awaitApproval(ctx context.Context, c ctxWithCaller, id string, wait time.Duration) (signalbox.Approval, error) {
	leave, err := s.watchers.enter(c.Key.ID)
	if err != nil {
		return signalbox.Approval{}, err
	}
	defer leave()
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	go func() {
		select {
		case <-s.Stopping:
			cancel()
		case <-waiting.Done():
		}
	}()
	a, err := s.Approvals.Wait(waiting, id)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return s.Approvals.Get(ctx, id)
	}
	return a, err
}

// findApproval gives an approval that the caller may see.
func (s *server) findApproval(ctx context.Context, c ctxWithCaller, id string) (signalbox.Approval, error) {
	a, err := s.Approvals.Get(ctx, id)
	if err == nil && !c.maySee(a.Tenant) || signalbox.CodeOf(err) == signalbox.CodeNotFound {
		err = signalbox.Errorf(signalbox.CodeNotFound, "There is no such approval.").WithField("id").
			WithRemedy("Look for it in the list of approvals.")
	}
	return a, err
}

// mayRead reports whether the caller may see what the call would send: those of the tenant who decide or audit, and who
// has asked.
func (c ctxWithCaller) mayRead(a *signalbox.Approval) bool {
	readers := []signalbox.Role{signalbox.RoleApprover, signalbox.RoleAdmin, signalbox.RoleAuditor, a.Require.Role}
	asked := a.Key != "" && a.Key == c.Key.ID
	return a.Tenant == c.Key.Tenant && (asked || slices.Contains(readers, c.Key.Role))
}

// listedApproval is the row of a list, whose size is bounded.
func (s *server) listedApproval(c ctxWithCaller, a *signalbox.Approval) Approval {
	row := s.approvalRow(c, a)
	if row.Arguments != nil && len(*row.Arguments) > MaxListedArguments {
		row.Arguments = nil
	}
	return row
}

func (s *server) approvalRow(c ctxWithCaller, a *signalbox.Approval) Approval {
	row := Approval{
		ID: a.ID, Tenant: a.Tenant, State: a.State, Asked: a.Asked, Expires: a.Expires, Decided: timeOrNull(a.Decided),
		UseBy: timeOrNull(a.UseBy), Used: timeOrNull(a.Used), UsedBy: OrNull(a.UsedBy), CallID: OrNull(a.Call),
		TraceID: OrNull(a.Trace), RunID: OrNull(a.Run), AgentID: OrNull(a.Agent), KeyID: OrNull(a.Key), Kind: a.Kind,
		ToolName: a.Tool, Operation: OrNull(a.Does), RiskLevel: a.Risk, Approvers: a.Require.Approvers,
		Role: OrNull(a.Require.Role), PolicyVersion: a.Policy, Rule: a.Rule, CostBound: dollars(a.Bound),
		Votes: []ApprovalVote{}, Previous: OrNull(a.Previous), EditedFrom: OrNull(a.Edited),
	}
	for _, v := range a.Votes {
		row.Votes = append(row.Votes, ApprovalVote{v.By, OrNull(v.User), v.Role, v.Verdict, v.Reason, v.At, v.Via})
	}
	content, state := s.Approvals.Content(*a)
	if row.Content = state; state != signalbox.ContentOpen {
		return row
	}
	row.UserID = OrNull(content.User)
	if c.mayRead(a) {
		resources, size := append([]string{}, content.Resources...), len(content.Arguments)
		row.Resources, row.Arguments, row.ArgumentsSize = &resources, &content.Arguments, &size
	}
	return row
}
