package server

import (
	"cmp"
	"context"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/orchestration/approval"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// maxEdited is how much of a tool's result an edit gives back, in bytes.
const maxEdited = 1 << 20

// oneKey is a keyring of the one who edits.
type oneKey struct{ key signalbox.Key }

// Key gives it.
func (k oneKey) Key(id string) (signalbox.Key, bool) { return k.key, id == k.key.ID }

// edit makes the call of an approval with other arguments, in the name of who changed them: another call, with its own
// policy decision, approval, hold and record. What was asked is denied once that call was made, or waits itself.
func (s *Server) edit(ctx context.Context, by signalbox.Key, source, id string, arguments json.Value, reason string) (api.Edited, error) {
	voter := approval.Voter{By: by.ID, User: by.User, Key: by.ID, Agent: by.Agent, Role: by.Role, Tenant: by.Tenant}
	a, content, err := s.editable(ctx, voter, id)
	if err != nil {
		return api.Edited{}, err
	}
	t := call.NewTrack(s.edited(a, content, by, source, arguments))
	result, err := s.serveEdited(ctx, by, t)
	done := api.Edited{CallID: t.Call.ID}
	waits := signalbox.AsError(err)
	switch {
	case err == nil:
		done.Result = &api.Verbatim{Value: result}
	case waits.Code == signalbox.CodeApprovalRequired:
		done.ApprovalID = &waits.Approval
	default:
		return api.Edited{}, err
	}
	if a.State != signalbox.ApprovalPending {
		return done, nil
	}
	// The call was made: that somebody else was faster to decide about what was asked does not undo it.
	_, err = s.approvals.Vote(ctx, voter, id, signalbox.VerdictDeny, editedBefore+reason, "api")
	if code := signalbox.CodeOf(err); code != "" && code != signalbox.CodeConflict {
		return done, err
	}
	return done, nil
}

// editedBefore begins the reason of a denial that came with an edit.
const editedBefore = "edited: "

// again reports whether the voter has edited what the approval asks before: the same edit then makes the call, once that
// was approved.
func again(a signalbox.Approval, voter approval.Voter) bool {
	n := len(a.Votes)
	return a.State == signalbox.ApprovalDenied && n > 0 && a.Votes[n-1].By == voter.By && strings.HasPrefix(a.Votes[n-1].Reason, editedBefore)
}

// editable gives an approval that the voter could decide about.
func (s *Server) editable(ctx context.Context, voter approval.Voter, id string) (signalbox.Approval, signalbox.ApprovalContent, error) {
	a, err := s.data.db.Approval(ctx, id)
	if err != nil {
		return a, signalbox.ApprovalContent{}, err
	}
	content, state := s.approvals.Content(a)
	if again(a, voter) && state == signalbox.ContentOpen {
		return a, content, nil
	}
	now := s.data.now()
	_, err = approval.Decide(a, approval.Vote{
		By: voter, Verdict: signalbox.VerdictApprove, At: now, UseWithin: 1, User: content.User, Unseen: state != signalbox.ContentOpen,
	})
	if err == nil && a.Kind != signalbox.KindTool {
		err = signalbox.Errorf(signalbox.CodeUnsupported, "Only calls of tools can be edited.").WithField("id").
			WithRemedy("Deny the call, and have it made anew as it should be.")
	}
	return a, content, err
}

// edited is the call that is made instead. It belongs to the same agent and trace, and to no run: that is the requester's. It
// is about whom the first one was about, so that his erasure takes both.
func (s *Server) edited(a signalbox.Approval, content signalbox.ApprovalContent, by signalbox.Key, source string, arguments []byte) *signalbox.Call {
	now := s.options.Now().UTC()
	server, name, _ := strings.Cut(a.Tool, ".")
	return &signalbox.Call{
		ID: signalbox.NewID(signalbox.CallPrefix, now), RequestID: signalbox.NewID(signalbox.RequestPrefix, now),
		Kind: signalbox.KindTool, Protocol: signalbox.ProtocolMCP, Received: now, Source: source, Edits: a.ID,
		Caller: signalbox.Caller{Tenant: by.Tenant, Team: by.Team, Key: by.ID, Role: by.Role, Agent: by.Agent, User: by.User},
		Claims: signalbox.Claims{Agent: a.Agent, Subject: cmp.Or(content.Subject, content.User)},
		Span:   signalbox.Span{TraceID: a.Trace}.Child(),
		Tool:   &signalbox.ToolRequest{Server: server, Name: name, Arguments: arguments},
	}
}

// serveEdited lets the call pass the stations. At its gate whoever decides may make a call, whatever his role.
func (s *Server) serveEdited(ctx context.Context, by signalbox.Key, t *call.Track) ([]byte, error) {
	chain := call.Stations{
		Record: s.recorder.Station,
		Gate: gate.Station(gate.Options{
			Now: s.options.Now, Keys: oneKey{by}, AnyRole: true, Ledger: s.ledger, Brakes: s.alerts, Secrets: guard.New(),
			AgentRole: func(agent string) string { return s.runtimes.current().roles[agent] },
		}),
		Attempt: call.HandlerFunc(s.runtimes.serve),
	}.Chain()
	answer, err := chain.Serve(ctx, t)
	if err != nil {
		return nil, err
	}
	data, err := call.ReadAll(ctx, answer)
	if len(data) > maxEdited {
		data = []byte(`{"omitted":"the result is longer than 1 MiB"}`)
	}
	return data, err
}
