// Package anthropic serves the messages API of Anthropic: messages, and the list of models in its shape.
//
// # Format
//
// Requests and answers are those of Anthropic's API; package wire reads and writes them. This package only says which of
// its functions to use, and writes the list of models. An error has Anthropic's shape with our code in error.code, and
// beside it remedy and field where there are any.
package anthropic

import (
	"net/http"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/provider"
	"github.com/signalbox/signalbox/internal/model/serve"
	"github.com/signalbox/signalbox/internal/model/wire"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// API is Anthropic's messages API as [serve.Server] needs it.
type API struct{}

// Protocol is anthropic.messages.
func (API) Protocol() signalbox.Protocol { return signalbox.ProtocolAnthropic }

// Parse reads a messages request.
func (API) Parse(c *signalbox.Call, h http.Header) *signalbox.Error {
	request, stream, err := wire.ParseAnthropicMessages(c.Body)
	c.Model, c.Stream = request, stream
	if err != nil {
		return signalbox.AsError(err)
	}
	c.Model.Headers = serve.Headers(h, provider.Forwarded(signalbox.ProtocolAnthropic))
	return nil
}

// Error writes an error.
func (API) Error(e *signalbox.Error, requestID string) (status int, body []byte) {
	return e.Code.Status(), wire.EncodeError(signalbox.ProtocolAnthropic, e, requestID)
}

// ErrorEvent writes an error as an event.
func (API) ErrorEvent(e *signalbox.Error, requestID string) []byte {
	return wire.EncodeErrorEvent(signalbox.ProtocolAnthropic, e, requestID)
}

// model is a model as the API lists it.
type model struct {
	Type        string    `json:"type"`
	ID          string    `json:"id"`
	DisplayName string    `json:"display_name"`
	CreatedAt   time.Time `json:"created_at"`
}

type modelList struct {
	Data    []model `json:"data"`
	HasMore bool    `json:"has_more"`
	FirstID *string `json:"first_id"`
	LastID  *string `json:"last_id"`
	Policy  string  `json:"signalbox_policy,omitzero"` // Why the list is empty, where a policy hides all there is.
}

// Models writes the list of models, always as one page.
func (API) Models(models []serve.Model, since time.Time, policy string) ([]byte, error) {
	list := modelList{Data: make([]model, len(models)), Policy: policy}
	for i, m := range models {
		list.Data[i] = entry(m, since)
	}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	}
	return json.Marshal(list)
}

// Model writes one model.
func (API) Model(m serve.Model, since time.Time) ([]byte, error) {
	return json.Marshal(entry(m, since))
}

func entry(m serve.Model, since time.Time) model {
	return model{Type: "model", ID: m.ID, DisplayName: m.ID, CreatedAt: since.UTC().Truncate(time.Second)}
}
