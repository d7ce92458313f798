package gate

import (
	"net/http"

	"github.com/signalbox/signalbox"
)

// Secrets finds secrets in what should be a name or an id. Ids are kept as they are, in records, spans and totals; one with
// a secret in it is therefore refused, and nowhere repeated. It is safe for concurrent use and fast: it looks at all ids of
// every call.
type Secrets interface {
	Secret(name string) bool
}

const secretRemedy = "Send an id that says who or what it is, and change the secret: it has been sent where it does not belong."

// secret reports whether an id has the shape of somebody's secret.
func (d *Door) secret(id string) bool {
	return d.o.Secrets != nil && d.o.Secrets.Secret(id)
}

// misplaced reports whether an id is a secret, be it the request's own key, whatever that looks like. Other keys are not
// looked for: who guesses them should have to do so where it is counted.
func (d *Door) misplaced(id string, own [32]byte) bool {
	return d.secret(id) || len(id) >= MinSecret && HashSecret(id) == own
}

// path refuses a path with a secret in it: it names the MCP server, which is recorded.
func (d *Door) path(r *http.Request) *signalbox.Error {
	if d.o.Secrets == nil || !d.o.Secrets.Secret(r.URL.Path) {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeInvalid, "The path has a secret in it.").WithField("path").WithRemedy(secretRemedy)
}

// requestID gives the caller's id of a request where it is valid, given once and no secret, else one of ours.
func (d *Door) requestID(h http.Header) string {
	if values := h[HeaderRequestID]; len(values) == 1 && signalbox.ValidID(values[0]) && !d.secret(values[0]) {
		return values[0]
	}
	return signalbox.NewID(signalbox.RequestPrefix, d.o.Now().UTC())
}

// named refuses a call whose model or tool is named by a secret.
func named(s Secrets, c *signalbox.Call) *signalbox.Error {
	switch {
	case s == nil:
		return nil
	case c.Model != nil && s.Secret(c.Model.Model):
		return signalbox.Errorf(signalbox.CodeInvalid, "There is a secret where the model's name belongs.").WithField("model").
			WithRemedy(secretRemedy)
	case c.Tool != nil && s.Secret(c.Tool.Name):
		return signalbox.Errorf(signalbox.CodeInvalid, "There is a secret where the tool's name belongs.").WithField("name").
			WithRemedy(secretRemedy)
	}
	return nil
}
