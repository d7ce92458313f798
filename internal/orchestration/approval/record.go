package approval

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Details of records about approvals.
const (
	DetailVerdict   = "verdict"
	DetailReason    = "reason" // Masked, and sealed.
	DetailVia       = "via"
	DetailState     = "state" // The approval's, after the act.
	DetailApprovals = "approvals"
	DetailApprovers = "approvers"
	DetailRole      = "role"
	DetailExpires   = "expires"
	DetailCall      = "call_id"
	DetailHash      = "hash" // Of the call, in hex; sealed.
)

// record is what all records about an approval have in common.
func (k *Keeper) record(a signalbox.Approval, action string, who signalbox.Who) signalbox.Record {
	now := k.now()
	who.TenantID = a.Tenant
	return signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, Who: who,
		What: signalbox.What{
			Action: action, Kind: a.Kind, ToolName: a.Tool, Operation: string(a.Does), ResourceID: a.ID,
			Detail: map[string]string{DetailState: string(a.State), DetailCall: a.Call},
		},
		When: signalbox.When{Timestamp: now, TraceID: a.Trace},
		Context: signalbox.Context{
			RunID: a.Run, RiskLevel: string(a.Risk), PolicyVersion: a.Policy, PolicyRule: a.Rule, ApprovalID: a.ID,
			ApprovalStatus: status(a.State), ApprovedBy: approvers(a),
		},
	}
}

// status is the state in the words of the seed.
func status(s signalbox.ApprovalState) string {
	if s == signalbox.ApprovalPending || s == signalbox.ApprovalApproved {
		return string(s)
	}
	return "rejected"
}

// asked is the record of a new approval. It is the caller's act.
func (k *Keeper) asked(t *call.Track, a signalbox.Approval) signalbox.Record {
	who := t.Gate.Caller.Who(a.Tenant)
	who.SubjectID, who.Source = t.Call.Claims.Subject, t.Call.Source
	r := k.record(a, signalbox.ActionApprovalRequested, who)
	r.When.SpanID, r.Context.RequestID, r.Context.Protocol = t.Call.Span.SpanID, t.Call.RequestID, t.Call.Protocol
	d := r.What.Detail
	d[DetailApprovers], d[DetailRole] = strconv.Itoa(a.Require.Approvers), string(a.Require.Role)
	d[DetailExpires], d[DetailHash] = a.Expires.Format(time.RFC3339), hex.EncodeToString(a.Hash[:])
	return r
}

// by is a person as records name him. What he says is about the call's data subject, whose erasure takes it too.
func by(v Voter, subject string) signalbox.Who {
	key := v.Key
	if key == "" {
		key = v.By
	}
	return signalbox.Who{SubjectID: subject, UserID: v.User, KeyID: key, Role: v.Role, AgentID: v.Agent}
}

// put makes a change durable, and tells those who wait.
func (k *Keeper) put(ctx context.Context, r signalbox.Record, a signalbox.Approval) error {
	if _, err := k.o.Log.Append(ctx, r, signalbox.PutApproval{Approval: a}); err != nil {
		return err
	}
	k.Changed()
	if a.State != signalbox.ApprovalPending {
		k.add(a.Tenant, -1)
		k.o.Decided(a)
	}
	return nil
}
