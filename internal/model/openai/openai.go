// Package openai serves the chat API of OpenAI: chat/completions, and the list of models.
//
// # Format
//
// Requests and answers are those of OpenAI's API; package wire reads and writes them. This package only says which of its
// functions to use, and writes the list of models. An error has OpenAI's shape with our code in error.code, and beside it
// remedy, field and request_id where there are any.
package openai

import (
	"net/http"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/provider"
	"github.com/signalbox/signalbox/internal/model/serve"
	"github.com/signalbox/signalbox/internal/model/wire"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// API is OpenAI's chat API as [serve.Server] needs it.
type API struct{}

// Protocol is openai.chat.
func (API) Protocol() signalbox.Protocol { return signalbox.ProtocolOpenAIChat }

// Parse reads a chat/completions request.
func (API) Parse(c *signalbox.Call, h http.Header) *signalbox.Error {
	request, stream, err := wire.ParseOpenAIChat(c.Body)
	c.Model, c.Stream = request, stream
	if err != nil {
		return signalbox.AsError(err)
	}
	c.Model.Headers = serve.Headers(h, provider.Forwarded(signalbox.ProtocolOpenAIChat))
	return nil
}

// Error writes an error.
func (API) Error(e *signalbox.Error, requestID string) (status int, body []byte) {
	return e.Code.Status(), wire.EncodeError(signalbox.ProtocolOpenAIChat, e, requestID)
}

// ErrorEvent writes an error as an event.
func (API) ErrorEvent(e *signalbox.Error, requestID string) []byte {
	return wire.EncodeErrorEvent(signalbox.ProtocolOpenAIChat, e, requestID)
}

// model is a model as the API lists it.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

type modelList struct {
	Object string  `json:"object"`
	Data   []model `json:"data"`
	Policy string  `json:"signalbox_policy,omitzero"` // Why the list is empty, where a policy hides all there is.
}

// Models writes the list of models, and Model one of them.
func (API) Models(models []serve.Model, since time.Time, policy string) ([]byte, error) {
	list := modelList{Object: "list", Data: make([]model, len(models)), Policy: policy}
	for i, m := range models {
		list.Data[i] = entry(m, since)
	}
	return json.Marshal(list)
}

// Model writes one model.
func (API) Model(m serve.Model, since time.Time) ([]byte, error) {
	return json.Marshal(entry(m, since))
}

func entry(m serve.Model, since time.Time) model {
	return model{ID: m.ID, Object: "model", Created: since.Unix(), OwnedBy: m.Owner}
}
