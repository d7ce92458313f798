package upstream

import (
	"context"
	"net/http"

	"github.com/signalbox/signalbox"
)

// Authorizer gives the credential of each request to one server. It is safe for concurrent use.
type Authorizer interface {
	// Authorization gives the header Authorization of a request for a call, or of one that belongs to no call (nil), such as
	// the handshake or the list of tools; "" sends none. Errors are meant for the caller, or are the context's.
	Authorization(ctx context.Context, c *signalbox.Call) (string, error)
	// Refused says that the server has answered 401 to that header. It reports whether the same request may be sent once
	// more, with what Authorization gives then.
	Refused(authorization string, c *signalbox.Call) bool
	// Close ends what is under way.
	Close()
}

type behalfKey struct{}

// onBehalf says whose call the requests under a context belong to.
func onBehalf(ctx context.Context, c *signalbox.Call) context.Context {
	return context.WithValue(ctx, behalfKey{}, c)
}

// authorized sends a request with its credential. Where the server refuses that one with 401, which says that it has looked
// at nothing else, the request is sent once more with a new one.
func (w *httpWire) authorized(ctx context.Context, send func(authorization string) (*http.Response, error)) (*http.Response, error) {
	if w.auth == nil {
		return send("")
	}
	c, _ := ctx.Value(behalfKey{}).(*signalbox.Call)
	for again := true; ; again = false {
		authorization, err := w.auth.Authorization(ctx, c)
		if err != nil {
			return nil, err
		}
		res, err := send(authorization)
		if err != nil || res.StatusCode != http.StatusUnauthorized || !again || !w.auth.Refused(authorization, c) {
			return res, err
		}
		res.Body.Close()
	}
}
