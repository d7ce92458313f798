package mcp

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// cacheScope of everything that we list: what one caller sees may not be what another may see.
const cacheScope = "private"

// complete gives a result with its resultType, which only the newest version of the protocol knows; older ones ignore it.
// That version also has what was read say how long it may be kept, and by whom: by its reader alone, whatever the server
// says, and not at all where it says nothing.
func (x *exchange) complete(data json.Value) (json.Value, error) {
	root, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return nil, err
	}
	members, err := root.Object()
	kept := x.modern() && x.method == rpc.MethodReadResource
	if err != nil || members.Has("resultType") && !kept {
		return data, err
	}
	var o rpc.Object
	if !members.Has("resultType") {
		o.Text("resultType", rpc.TypeComplete)
	}
	for _, m := range members.All() {
		if !kept || m.Name != "cacheScope" {
			o.Add(m.Name, m.Value.Bytes())
		}
	}
	if kept {
		if !members.Has("ttlMs") {
			o.Add("ttlMs", json.Value("0"))
		}
		o.Text("cacheScope", cacheScope)
	}
	return o.Bytes(), nil
}

// setHeaders sets the headers that every answer has. A request without a valid key has no call, and one that lists tools
// or shakes hands is none: an id would be found nowhere.
func setHeaders(h http.Header, c *signalbox.Call, recorded bool) {
	h.Set("X-Request-Id", c.RequestID)
	if c.Caller.Tenant == "" {
		return
	}
	if recorded {
		h.Set(headerCall, c.ID)
	}
	h.Set("X-Signalbox-Trace", c.Span.TraceID)
	if c.Claims.Run != "" {
		h.Set("X-Signalbox-Run", c.Claims.Run)
	}
}

// rpcFailure is an error of a call in the shape of JSON-RPC.
func rpcFailure(c *signalbox.Call, err error) *rpc.Error { return failure(c.RequestID, c.ID, err) }

// failure gives an error in the shape of JSON-RPC; the call is "" where there is none.
func failure(request, call string, err error) *rpc.Error {
	e := signalbox.AsError(err)
	f := &rpc.Error{Code: rpc.CodeOf(e.Code), Message: e.Message}
	var data rpc.Object
	data.Text("code", string(e.Code))
	data.Text("message", e.Message)
	data.Text("remedy", e.Remedy)
	if e.Field != "" {
		data.Text("field", e.Field)
	}
	data.Text("request_id", request)
	if call != "" {
		data.Text("call", call)
	}
	if e.Approval != "" {
		var approval rpc.Object
		approval.Text("id", e.Approval)
		approval.Text("url", e.ApprovalURL())
		data.Add("approval", approval.Bytes())
	}
	var again *replayedError
	if errors.As(err, &again) {
		data.Text("replay_of", again.call)
	}
	if e.RetryAfter > 0 {
		data.Add("retry_after_ms", strconv.AppendInt(nil, e.RetryAfter.Milliseconds(), 10))
	}
	var own *rpc.CodeError
	if errors.As(err, &own) {
		f.Code = own.Code
		if own.More != nil {
			own.More(&data)
		}
	}
	if e.Remedy != "" {
		f.Message = sentence(f.Message) + " " + e.Remedy
	}
	f.Data = data.Bytes()
	return f
}

// sentence closes what does not end like one: some messages end with a server's words.
func sentence(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?") || strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}
