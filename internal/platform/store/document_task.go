package store

import (
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

type taskDocument struct {
	Agent   string    `json:"agent,omitzero"`
	Server  string    `json:"server,omitzero"`
	Tool    string    `json:"tool,omitzero"`
	Asked   string    `json:"asked,omitzero"`
	Call    string    `json:"call,omitzero"`
	Request string    `json:"request,omitzero"`
	Run     string    `json:"run,omitzero"`
	Trace   string    `json:"trace,omitzero"`
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

// EncodeTask gives the document of a task. ID, Kind, Tenant, Key, Approval, State, Ended, Expires, Cancelled and Content have columns.
func EncodeTask(t *signalbox.Task) (string, error) {
	return encode(taskDocument{
		Agent: valid(t.Agent), Server: valid(t.Server), Tool: valid(t.Tool), Asked: valid(t.Asked),
		Call: valid(t.Call), Request: valid(t.Request), Run: valid(t.Run), Trace: valid(t.Trace), Created: instant(t.Created),
		Updated: instant(t.Updated),
	})
}

// DecodeTask fills in what [EncodeTask] wrote.
func DecodeTask(document []byte, t *signalbox.Task) error {
	var d taskDocument
	err := json.UnmarshalKnown(document, &d)
	t.Agent, t.Server, t.Tool, t.Asked, t.Call = d.Agent, d.Server, d.Tool, d.Asked, d.Call
	t.Request, t.Run, t.Trace, t.Created, t.Updated = d.Request, d.Run, d.Trace, d.Created, d.Updated
	return err
}
