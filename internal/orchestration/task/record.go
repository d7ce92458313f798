package task

import (
	"context"

	"github.com/signalbox/signalbox"
)

// Details of records about tasks.
const (
	DetailState = "state" // The task's, after the act.
	DetailKind  = "kind"  // The task's, where it is its server's.
	DetailAsked = "call_id"
	DetailMade  = "made_call_id"
	DetailCode  = "code" // Of the error with which it failed.
)

// record is what all records about a task have in common.
func (k *Keeper) record(t signalbox.Task, action string, who signalbox.Who) signalbox.Record {
	now := k.now()
	who.TenantID = t.Tenant
	r := signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, Who: who,
		What: signalbox.What{
			Action: action, Kind: signalbox.KindTool, ToolName: t.Tool, ResourceID: t.ID,
			Detail: map[string]string{DetailState: string(t.State)},
		},
		When:    signalbox.When{Timestamp: now, TraceID: t.Trace},
		Context: signalbox.Context{RunID: t.Run, ApprovalID: t.Approval, RequestID: t.Request, Protocol: signalbox.ProtocolMCP},
	}
	if t.Asked != "" {
		r.What.Detail[DetailAsked] = t.Asked
	}
	if t.Kind == signalbox.TaskOfServer {
		r.What.Detail[DetailKind] = string(t.Kind)
	}
	if t.Call != "" {
		r.What.Detail[DetailMade] = t.Call
	}
	return r
}

// by names the caller of a task.
func by(c signalbox.Caller, subject string) signalbox.Who {
	w := c.Who(c.Tenant)
	w.SubjectID = subject
	return w
}

// put makes a change durable.
func (k *Keeper) put(ctx context.Context, r signalbox.Record, t signalbox.Task, effects ...signalbox.Effect) error {
	_, err := k.o.Log.Append(ctx, r, append(effects, signalbox.PutTask{Task: t})...)
	return err
}
