package mcp

import (
	"net/http"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// exchange is one HTTP request, its message and its answer.
type exchange struct {
	request
	endpoint endpoint
	call     *signalbox.Call
	response *response

	handler   *Handler
	session   *callerSession // Of a legacy caller who has one; nil for all others.
	rounds    int            // How often the caller was asked.
	permitted json.Value     // What of the caller's capabilities the server of an act may use.
	withheld  json.Value     // And what it may not; nil for nothing.
	inputs    inputs         // What the server asked for, and the caller now gives.
	ticket    string         // Of the held call that the request takes up; "" where it begins one.
	mirrored  http.Header    // The headers of a modern message that repeat arguments; nil for all others.
	tasks     bool           // The server may make a task of the call.
	handed    *handed        // The one that it has made; nil where it has not.
	replayOf  string         // The call whose end is given again; "" where one was made.
}

// modern reports whether the message is one of the newest kind, which names its version.
func (x *exchange) modern() bool { return x.version != "" }

// declared is what the caller says that he can do: in the message, or when his session began.
func (x *exchange) declared() json.Node {
	if x.session == nil {
		return x.meta.Get(rpc.MetaCapabilities)
	}
	node, err := json.Parse(x.session.capabilities, json.Limits{})
	if err != nil {
		return json.Node{}
	}
	return node
}
