package mcp

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// cacheScope of everything that we list: what one caller sees may not be what another may see.
const cacheScope = "private"

// complete gives a result with its resultType, which only the newest version of the protocol knows; older ones ignore it.
func complete(data json.Value) (json.Value, error) {
	root, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return nil, err
	}
	members, err := root.Object()
	if err != nil || members.Has("resultType") {
		return data, err
	}
	var o object
	o.text("resultType", "complete")
	for _, m := range members.All() {
		o.add(m.Name, m.Value.Bytes())
	}
	return o.bytes(), nil
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
func rpcFailure(c *signalbox.Call, err error) *rpcError { return failure(c.RequestID, c.ID, err) }

// failure gives an error in the shape of JSON-RPC; the call is "" where there is none.
func failure(request, call string, err error) *rpcError {
	e := signalbox.AsError(err)
	f := &rpcError{code: rpcCode(e.Code), message: e.Message}
	var data object
	data.text("code", string(e.Code))
	data.text("message", e.Message)
	data.text("remedy", e.Remedy)
	if e.Field != "" {
		data.text("field", e.Field)
	}
	data.text("request_id", request)
	if call != "" {
		data.text("call", call)
	}
	if e.Approval != "" {
		var approval object
		approval.text("id", e.Approval)
		approval.text("url", e.ApprovalURL())
		data.add("approval", approval.bytes())
	}
	if e.RetryAfter > 0 {
		data.add("retry_after_ms", strconv.AppendInt(nil, e.RetryAfter.Milliseconds(), 10))
	}
	var own *fault
	if errors.As(err, &own) {
		f.code = own.code
		if own.more != nil {
			own.more(&data)
		}
	}
	if e.Remedy != "" {
		f.message += " " + e.Remedy
	}
	f.data = data.bytes()
	return f
}
