package mcp

import (
	"context"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// An exchange goes with the context of its act to the upstream and back: what the upstream says while it works is heard by
// the caller who waits for it.

type exchangeKey struct{}

// withExchange gives the context of an act.
func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// exchangeOf gives the exchange that a request to an upstream is made for; nil where nobody waits on a line of ours.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// listen lets the exchange hear of the progress of what it asks for, under a token of ours: those of callers are theirs
// alone. It gives the token, "" where the caller does not want to hear, and what ends the listening.
func (u *upstream) listen(x *exchange) (token string, stop func()) {
	if x == nil || x.progress == nil {
		return "", func() {}
	}
	token = x.call.ID
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ears == nil {
		u.ears = map[string]*exchange{}
	}
	u.ears[token] = x
	return token, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.ears, token)
	}
}

// progressed carries word of progress to who waits for it, under the token that he gave.
func (u *upstream) progressed(m message) {
	members, err := json.Object(m.params)
	if err != nil {
		return
	}
	token, err := members.Get("progressToken").Text()
	if err != nil {
		return
	}
	u.mu.Lock()
	x := u.ears[token]
	u.mu.Unlock()
	if x != nil {
		_ = x.response.tell(encode(0, methodProgress, replaced(m.params, "progressToken", x.progress))) // He may have gone.
	}
}

// logged carries a line of the server's log to the caller on whose behalf it was written, if he wants such lines. Older
// versions get all of them, since they ask for a level only once in a session that we do not keep.
func (x *exchange) logged(m message) {
	if x.session != nil && !x.session.hears(textIn(m.params, "level")) {
		return
	}
	if !x.modern() || x.meta.Get(metaLogLevel).Kind() == '"' {
		_ = x.response.tell(encode(0, methodLogged, m.params))
	}
}

// clientCapabilities are what a server may ask of the caller: what he has said that he can do, as far as the policy
// permits the server to ask for it.
func (h *Handler) clientCapabilities(who signalbox.Caller, x *exchange) json.Value {
	var o object
	declared, err := x.declared().Object()
	if err != nil {
		return json.Value("{}")
	}
	for _, m := range declared.All() {
		method, known := asked[m.Name]
		if !known || m.Value.Kind() != '{' {
			continue
		}
		if ok, _ := h.sees(who, x.call.Tool.Server, method, nil); ok {
			o.add(m.Name, m.Value.Bytes())
		}
	}
	return o.bytes()
}

// asked are what servers ask of their callers: the method, by the capability that a caller declares for it.
var asked = map[string]string{"elicitation": "elicitation/create", "sampling": "sampling/createMessage", "roots": "roots/list"}

// capabilityFor gives the capability that a method of [asked] needs, "" for all other methods.
func capabilityFor(method string) string {
	for capability, m := range asked {
		if m == method {
			return capability
		}
	}
	return ""
}

// isAsked reports whether the name of an act is what a server asks of its caller.
func isAsked(name string) bool { return strings.Contains(name, "/") && capabilityFor(name) != "" }
