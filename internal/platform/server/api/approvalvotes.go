package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// ViaHeader says what a vote comes through; without it, that is known by how the caller has shown who he is.
const ViaHeader = "X-Signalbox-Via"

// MaxDenials is the most approvals that one request denies.
const MaxDenials = 100

// VoteRequest is why somebody decides as he does.
type VoteRequest struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Kept in the log and shown to all who see the approval. A denial needs one."`
}

// reason is that of a request, which may have no body.
func (r *VoteRequest) reason() string {
	if r == nil {
		return ""
	}
	return r.Reason
}

// DenyMany names approvals that are denied together. There is no such thing for approving.
type DenyMany struct {
	IDs    []string `json:"ids" minItems:"1" maxItems:"100" uniqueItems:"true"`
	Reason string   `json:"reason" minLength:"1" maxLength:"500"`
}

// Denied is what came of denying several approvals, in their order.
type Denied struct {
	Items []DeniedOne `json:"items"`
}

// DeniedOne is what came of denying one of several approvals.
type DeniedOne struct {
	ID    string     `json:"id"`
	OK    bool       `json:"ok"`
	Error *ErrorBody `json:"error"`
}

// Through tells what a request comes through.
type Through struct {
	wire
	Via string `header:"X-Signalbox-Via" enum:"api,console,cli,page" doc:"What the vote comes through, for the record."`
}

// channel gives what was said, or else follows from whether there is a key or a session.
func (v *Through) channel() string {
	switch {
	case v.Via != "":
		return v.Via
	case byCookie(v.r):
		return "console"
	}
	return "api"
}

// vote is the input of one verdict.
type vote struct {
	Through
	OneApproval
	Body *VoteRequest
}

func (s *server) registerVotes(api huma.API) {
	// Which of these roles decides about an approval is said by the approval itself.
	deciders := []signalbox.Role{signalbox.RoleDeveloper, signalbox.RoleApprover, signalbox.RoleOperator, signalbox.RoleAdmin}
	huma.Register(api, operation("approve", http.MethodPost, "/approvals/{id}/approve", "Approve a call", deciders...),
		func(ctx context.Context, in *vote) (*Body[Approval], error) {
			return s.vote(ctx, in, signalbox.VerdictApprove)
		})
	huma.Register(api, operation("deny", http.MethodPost, "/approvals/{id}/deny", "Deny a call", deciders...),
		func(ctx context.Context, in *vote) (*Body[Approval], error) {
			return s.vote(ctx, in, signalbox.VerdictDeny)
		})
	huma.Register(api, operation("deny-many", http.MethodPost, "/approvals/deny", "Deny several calls", deciders...), s.denyMany)
	huma.Register(api, operation("withdraw-approval", http.MethodPost, "/approvals/{id}/withdraw",
		"Take back the question whether a call may be made"), s.withdrawApproval)
}

func (c ctxWithCaller) voter() Voter {
	k := c.Key
	return Voter{By: k.ID, User: k.User, Key: k.ID, Agent: k.Agent, Role: k.Role, Tenant: k.Tenant}
}

func (s *server) vote(ctx context.Context, in *vote, verdict signalbox.Verdict) (*Body[Approval], error) {
	c := callerOf(ctx)
	reason, err := readReason("reason", in.Body.reason(), verdict == signalbox.VerdictDeny)
	if err != nil {
		return nil, fail(c, err)
	}
	a, err := s.decide(ctx, c, in.ID, verdict, reason, in.channel())
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Approval]{s.approvalRow(c, &a)}, nil
}

// decide casts a vote on an approval that the caller may see and decide about, and that is still pending.
func (s *server) decide(ctx context.Context, c ctxWithCaller, id string, verdict signalbox.Verdict, reason, through string) (signalbox.Approval, error) {
	a, err := s.findApproval(ctx, c, id)
	if err == nil {
		err = c.mayDecide(&a)
	}
	if err == nil && a.State != signalbox.ApprovalPending {
		err = errDecided(&a)
	}
	if err != nil {
		return a, err
	}
	a, err = s.Approvals.Vote(ctx, c.voter(), id, verdict, reason, through)
	return a, s.explainConflict(ctx, c, id, err)
}

// mayDecide refuses roles that the approval does not ask for.
func (c ctxWithCaller) mayDecide(a *signalbox.Approval) error {
	if err := c.decidesFor(a); err != nil {
		return err
	}
	needed := a.Require.Role
	if needed == "" {
		needed = signalbox.RoleApprover
	}
	if c.Key.Role == needed || c.Key.Role == signalbox.RoleAdmin {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeForbidden, "The approval needs the role %s; this key has the role %s.", needed, c.Key.Role).
		WithField("id").WithRemedy("Use a key with the role " + string(needed) + " or admin.")
}

// decidesFor refuses admins of other tenants: they see the approval, and each tenant decides for itself.
func (c ctxWithCaller) decidesFor(a *signalbox.Approval) error {
	if a.Tenant == c.Key.Tenant {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeForbidden, "The approval is the tenant %s's, and this key is not.", a.Tenant).
		WithField("id").WithRemedy("Have an approver or admin of that tenant decide.")
}

// explainConflict says by whom an approval was decided where somebody else was faster.
func (s *server) explainConflict(ctx context.Context, c ctxWithCaller, id string, err error) error {
	if signalbox.CodeOf(err) != signalbox.CodeConflict {
		return err
	}
	if a, readErr := s.findApproval(ctx, c, id); readErr == nil && a.State != signalbox.ApprovalPending {
		return errDecided(&a)
	}
	return err
}

// errDecided says what has become of an approval, by whom and when.
func errDecided(a *signalbox.Approval) error {
	var who []string
	for _, v := range a.Votes {
		if v.Verdict == signalbox.VerdictDeny == (a.State == signalbox.ApprovalDenied) {
			who = append(who, orElse(v.User, v.By))
		}
	}
	text := "The approval is " + string(a.State)
	if decided := a.State == signalbox.ApprovalApproved || a.State == signalbox.ApprovalDenied; decided && len(who) > 0 {
		text += ", by " + strings.Join(who, " and ")
	}
	if !a.Decided.IsZero() {
		text += ", since " + a.Decided.UTC().Format(time.RFC3339)
	}
	return signalbox.Errorf(signalbox.CodeConflict, "%s.", text).WithField("id").
		WithRemedy("What is decided stays so; the same call can be asked for again by making it again.")
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// readReason refuses an empty reason where one is needed, and one with a secret in it: it stays in the log, and beside it in
// clear. Addresses and numbers of people are masked for that.
func readReason(field, text string, needed bool) (string, error) {
	text = strings.TrimSpace(text)
	if needed && text == "" {
		return "", signalbox.Errorf(signalbox.CodeInvalid, "A reason is missing.").WithField(field).
			WithRemedy("Say why, in up to 500 characters: whoever has asked reads it.")
	}
	if mask.Secret(text) {
		return "", signalbox.Errorf(signalbox.CodeInvalid, "There is a secret in the text, which would stay in the log.").WithField(field).
			WithRemedy("Say it without the secret, and change that: it has been sent where it does not belong.")
	}
	return mask.Mask(text), nil
}

func (s *server) denyMany(ctx context.Context, in *struct {
	Through
	Body DenyMany
},
) (*Body[Denied], error) {
	c := callerOf(ctx)
	reason, err := readReason("reason", in.Body.Reason, true)
	if err != nil {
		return nil, fail(c, err)
	}
	done := Denied{Items: []DeniedOne{}}
	for _, id := range in.Body.IDs {
		one := DeniedOne{ID: id, OK: true}
		if _, err := s.decide(ctx, c, id, signalbox.VerdictDeny, reason, in.channel()); err != nil {
			one = DeniedOne{ID: id, Error: &NewAnswerError(err, c.RequestID).Err}
		}
		done.Items = append(done.Items, one)
	}
	return &Body[Denied]{done}, nil
}

func (s *server) withdrawApproval(ctx context.Context, in *struct {
	OneApproval
	Body *VoteRequest
},
) (*Body[Approval], error) {
	c := callerOf(ctx)
	reason, err := readReason("reason", in.Body.reason(), false)
	if err != nil {
		return nil, fail(c, err)
	}
	a, err := s.findApproval(ctx, c, in.ID)
	if asked := a.Key != "" && a.Key == c.Key.ID; err == nil && !asked && c.Key.Role != signalbox.RoleAdmin {
		err = signalbox.Errorf(signalbox.CodeForbidden, "Only the key that has asked for it, or an admin, may withdraw an approval.").
			WithField("id").WithRemedy("Use that key, or one with the role admin; approvers can deny it.")
	}
	if err == nil {
		err = c.decidesFor(&a)
	}
	if err == nil && a.State != signalbox.ApprovalPending {
		err = errDecided(&a)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	if a, err = s.Approvals.Withdraw(ctx, c.voter(), in.ID, reason); err != nil {
		return nil, fail(c, s.explainConflict(ctx, c, in.ID, err))
	}
	return &Body[Approval]{s.approvalRow(c, &a)}, nil
}
