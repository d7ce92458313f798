package upstream

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Caller is who waits for a call, as far as its server has to do with him. It goes with the context of the call. Its
// methods are safe for concurrent use, and are called until the call ends.
type Caller interface {
	// Terms gives what goes to the server with the call.
	Terms() Terms
	// Progressed tells him of progress: the parameters of the server's notification, with a token of ours. That he may have
	// gone is no concern of the server's.
	Progressed(params json.Value)
	// Logged tells him of a line of the server's log: the parameters of its notification.
	Logged(params json.Value)
	// Ask asks him what a legacy server wants to know while it works for him, if that is permitted, and gives the result as
	// he has written it. The method is one that Terms permits or withholds. The text of an error is told to the server.
	Ask(ctx context.Context, method string, params json.Value) (json.Value, error)
	// Elicited tells him that what he was sent to a URL for is done: the parameters of the notification.
	Elicited(params json.Value)
	// Tasked tells him that the server has made a task of the call, and how long that lives (0: no end). It is told before the
	// result, which says so too, and only where Terms has said that he knows tasks.
	Tasked(task signalbox.ServerTask, ttl time.Duration)
}

// Terms are what a server is told of the caller that it works for.
type Terms struct {
	Capabilities json.Value    // What it may ask of him: a JSON object, nil for nothing.
	Withheld     json.Value    // What he could be asked, and it may not ask of him: a JSON object, nil for nothing. It is not told; should it ask, that is judged.
	Progress     bool          // He wants to hear of it.
	Meta         []json.Member // More members of _meta.
	Responses    json.Value    // What he gives to a server that has asked; nil: nothing.
	State        json.Value    // What the server said to be given back; nil: nothing.
	Headers      http.Header   // His Mcp-Param-…; nil where he is one who repeats nothing in headers.
	Tasks        bool          // A server of the newest version may make a task of the call.
	Task         json.Value    // A server of an older version is to make a task of the call: how, a JSON object; nil: it is not.
}

// addInputs adds what the server has asked for to the parameters of a request.
func (t *Terms) addInputs(params *rpc.Object) {
	if t.Responses != nil {
		params.Add("inputResponses", t.Responses)
	}
	if t.State != nil {
		params.Add("requestState", t.State)
	}
}

// ability gives what the caller has said of a capability, whether it may be used or not.
func (t *Terms) ability(capability string) json.Node {
	for _, list := range []json.Value{t.Capabilities, t.Withheld} {
		if members, err := json.Object(list); err == nil && members.Has(capability) {
			return members.Get(capability)
		}
	}
	return json.Node{}
}

type callerKey struct{}

// WithCaller gives the context of a call whose caller can be told and asked something.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf gives the caller that a request to an upstream is made for; nil where nobody waits on a line of ours.
func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// termsOf gives the terms of a caller, who may be nil.
func termsOf(c Caller) Terms {
	var t Terms
	if c != nil {
		t = c.Terms()
	}
	if t.Capabilities == nil {
		t.Capabilities = rpc.NoCapabilities
	}
	return t
}

// listen lets the caller hear of the progress of a call, under a token of ours, which is the call's id: those of callers are
// theirs alone. The function ends it.
func (u *Server) listen(token string, c Caller) (stop func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ears == nil {
		u.ears = map[string]Caller{}
	}
	u.ears[token] = c
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.ears, token)
	}
}

// progressed carries word of progress to who waits for it.
func (u *Server) progressed(m rpc.Message) {
	members, err := json.Object(m.Params)
	if err != nil {
		return
	}
	token, err := members.Get("progressToken").Text()
	if err != nil {
		return
	}
	u.mu.Lock()
	c := u.ears[token]
	u.mu.Unlock()
	if c != nil {
		c.Progressed(m.Params)
	}
}

// isAsked reports whether the name of an act is what a server asks of its caller.
func isAsked(name string) bool { return strings.Contains(name, "/") && rpc.CapabilityFor(name) != "" }
