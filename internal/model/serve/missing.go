package serve

import (
	"net/http"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Missing answers requests to the model APIs that nothing else answers, in the shape of the API that was probably meant.
// All fields are required.
type Missing struct {
	OpenAI    API
	Anthropic API
	Now       func() time.Time
}

// notBuilt are endpoints that exist elsewhere and not yet here.
var notBuilt = []string{"/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/messages/count_tokens", "/v1/messages/batches"}

// ServeHTTP answers with not_implemented or not_found.
func (m *Missing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	api := m.OpenAI
	if r.Header.Get("Anthropic-Version") != "" || strings.HasPrefix(r.URL.Path, "/v1/messages") {
		api = m.Anthropic
	}
	shown := r.URL.Path[:min(len(r.URL.Path), maxShownPath)]
	e := signalbox.Errorf(signalbox.CodeNotFound, "There is no %s %s.", r.Method, strings.ToValidUTF8(shown, "")).
		WithRemedy("Use POST /v1/chat/completions, POST /v1/messages or GET /v1/models.")
	for _, path := range notBuilt {
		if r.URL.Path == path || strings.HasPrefix(r.URL.Path, path+"/") {
			e = signalbox.Errorf(signalbox.CodeNotImplemented, "%s is not built in this version.", path).
				WithRemedy("Use POST /v1/chat/completions or POST /v1/messages.")
		}
	}
	WriteError(w, api, e, requestID(r, m.Now))
}

// maxShownPath bounds what is shown of a path, in bytes.
const maxShownPath = 100

// requestID keeps the caller's id of a request that is no call.
func requestID(r *http.Request, now func() time.Time) string {
	if id := r.Header.Get(HeaderRequestID); signalbox.ValidID(id) {
		return id
	}
	return signalbox.NewID(signalbox.RequestPrefix, now())
}
