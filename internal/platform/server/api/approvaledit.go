package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Edit makes the call of an approval with other arguments, as a call of whoever edits it: the policy decides about it, and
// it may wait for somebody else. Once it was made, or waits, the approval is denied; on an error it stays as it is. Errors
// are those of the call and of [Approvals]. Safe for concurrent use.
type Edit func(ctx context.Context, by signalbox.Key, source, id string, arguments json.Value, reason string) (Edited, error)

// EditRequest is a call with other arguments.
type EditRequest struct {
	Arguments exactBody[object] `json:"arguments" doc:"Of the tool, in place of those that were asked about."`
	Reason    string            `json:"reason" minLength:"1" maxLength:"500" doc:"Kept in the log: it is that of the denial."`
}

// Verbatim is a JSON object as somebody else wrote it.
type Verbatim = exactBody[object]

// Edited is what came of an edit.
type Edited struct {
	CallID     string    `json:"call_id" doc:"The call that was made in the editor's name."`
	ApprovalID *string   `json:"approval_id" doc:"What that call waits for; null where it was made. Once it is approved, the same edit makes the call."`
	Result     *Verbatim `json:"result" doc:"The tool's; null where the call waits."`
}

func (s *server) registerEdit(api huma.API) {
	deciders := []signalbox.Role{signalbox.RoleDeveloper, signalbox.RoleApprover, signalbox.RoleOperator, signalbox.RoleAdmin}
	huma.Register(api, operation("edit-approval", http.MethodPost, "/approvals/{id}/edit",
		"Make the call with other arguments instead, in one's own name", deciders...), s.editApproval)
}

func (s *server) editApproval(ctx context.Context, in *struct {
	Through
	OneApproval
	Body EditRequest
},
) (*Body[Edited], error) {
	c := callerOf(ctx)
	reason, err := readReason("reason", in.Body.Reason, true)
	var a signalbox.Approval
	if err == nil {
		a, err = s.findApproval(ctx, c, in.ID)
	}
	if err == nil {
		err = c.mayDecide(&a)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	done, err := s.Edit(ctx, c.Key, gate.Source(in.r.RemoteAddr), a.ID, in.Body.Arguments.Value, reason)
	if err != nil {
		return nil, fail(c, s.explainConflict(ctx, c, a.ID, err))
	}
	return &Body[Edited]{done}, nil
}
