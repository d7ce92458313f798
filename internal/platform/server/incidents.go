package server

import (
	"context"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// incidents gives the control API what people have reported. One change is made at a time.
type incidents struct {
	*Server

	mu sync.Mutex
}

// List gives incidents, newest first.
func (x *incidents) List(
	ctx context.Context, tenants []string, open *bool, limit int, cursor string,
) ([]signalbox.Incident, string, error) {
	return x.data.db.Incidents(ctx, tenants, open, limit, cursor)
}

// Get gives one.
func (x *incidents) Get(ctx context.Context, id string) (signalbox.Incident, error) {
	return x.data.db.Incident(ctx, id)
}

// Open keeps a new one. Whether its call was a write, the call's own record says.
func (x *incidents) Open(ctx context.Context, by signalbox.Caller, i signalbox.Incident) (signalbox.Incident, error) {
	now := x.data.now().UTC().Truncate(time.Microsecond)
	i.ID, i.Opened, i.OpenedBy = signalbox.NewID(signalbox.IncidentPrefix, now), now, api.Actor(by)
	i.Closed, i.ClosedBy, i.Resolution = time.Time{}, "", ""
	if i.Call != "" {
		does, err := x.operation(ctx, i.Call)
		if err != nil {
			return signalbox.Incident{}, err
		}
		i.Write = does == string(signalbox.OperationWrite) || does == string(signalbox.OperationDelete)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.put(ctx, by, signalbox.ActionIncidentOpened, i, map[string]string{"severity": string(i.Severity), "text": i.Text}); err != nil {
		return signalbox.Incident{}, err
	}
	x.telemetry.Incident(i)
	return i, nil
}

// operation gives what a call did, by its last record.
func (x *incidents) operation(ctx context.Context, call string) (string, error) {
	v, err := x.data.views.CallByID(ctx, call)
	if err != nil {
		return "", err
	}
	index := v.First()
	if v.OutcomeIndex != nil {
		index = *v.OutcomeIndex
	}
	e, err := x.data.db.Entry(ctx, index)
	if err != nil {
		return "", err
	}
	r, err := x.data.vault.Decode(e)
	if r.Outcome == signalbox.OutcomeDenied { // It did nothing.
		return "", err
	}
	return r.What.Operation, err
}

// Close says how it was resolved.
func (x *incidents) Close(ctx context.Context, by signalbox.Caller, id, resolution string) (signalbox.Incident, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i, err := x.data.db.Incident(ctx, id)
	if err != nil {
		return signalbox.Incident{}, err
	}
	if !i.Closed.IsZero() {
		return signalbox.Incident{}, over("The incident was closed already, by "+i.ClosedBy+".", "Open another one if it has come back.")
	}
	i.Closed, i.ClosedBy, i.Resolution = x.data.now().UTC().Truncate(time.Microsecond), api.Actor(by), resolution
	return i, x.put(ctx, by, signalbox.ActionIncidentClosed, i, map[string]string{"resolution": resolution})
}

func (x *incidents) put(ctx context.Context, by signalbox.Caller, action string, i signalbox.Incident, detail map[string]string) error {
	now := x.options.Now().UTC()
	if i.Call != "" {
		detail["call"] = i.Call
	}
	_, err := x.data.writer.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		Who:     by.Who(i.Tenant),
		What:    signalbox.What{Action: action, ResourceID: i.ID, ToolName: i.Tool, Detail: detail},
		Context: signalbox.Context{RunID: i.Run, Replica: x.data.replica},
	}, signalbox.PutIncident{Incident: i})
	return err
}
