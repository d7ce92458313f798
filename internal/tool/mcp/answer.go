package mcp

import (
	"net/http"
	"strconv"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// cacheScope of everything that we list: what one caller sees may not be what another may see.
const cacheScope = "private"

// rawResult is a result that goes out as it is. The members that only the newest protocol version knows are added for
// all: older ones ignore them.
type rawResult struct {
	sdk.ResultBase
	data json.Value
}

// MarshalJSON gives the raw result with its resultType.
func (r *rawResult) MarshalJSON() ([]byte, error) {
	root, err := json.Parse(r.data, json.Limits{CaseVariants: true})
	if err != nil {
		return nil, err
	}
	members, err := root.Object()
	if err != nil {
		return nil, err
	}
	if members.Has("resultType") {
		return r.data, nil
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

// rpcCode gives the JSON-RPC code of an error. Those without one of the standard's are -31000 less the HTTP status: the
// protocol keeps -32768 to -32000 for itself.
func rpcCode(code signalbox.Code) int64 {
	switch code { //nolint:exhaustive // The rest has no code of the standard.
	case signalbox.CodeInvalid, signalbox.CodeNotFound:
		return rpcInvalidParams
	case signalbox.CodeInternal:
		return rpcInternal
	}
	return -31000 - int64(code.Status())
}

// rpcFailure is an error of a call in the shape of JSON-RPC.
func rpcFailure(c *signalbox.Call, err error) *jsonrpc.Error { return failure(c.RequestID, c.ID, err) }

// failure is an error in the shape of JSON-RPC; the call is "" where there is none.
func failure(request, call string, err error) *jsonrpc.Error {
	e := signalbox.AsError(err)
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
	message := e.Message
	if e.Remedy != "" {
		message += " " + e.Remedy
	}
	return &jsonrpc.Error{Code: rpcCode(e.Code), Message: message, Data: data.bytes()}
}

// mismatch is the error for a message that is not what a header says, by which those between may have let it pass.
func mismatch(c *signalbox.Call, header string) *jsonrpc.Error {
	f := failure(c.RequestID, "", signalbox.Errorf(signalbox.CodeInvalid, "The header %s does not say what the message does.", header).
		WithField(header).WithRemedy("Repeat the version, the method and the taskId of the message in one header each."))
	f.Code = sdk.CodeHeaderMismatch
	return f
}

// missingTasks is the error for who asks about tasks without having declared that he knows them.
func missingTasks(c *signalbox.Call) *jsonrpc.Error {
	const capability = `{"extensions":{"` + ExtensionTasks + `":{}}}`
	field := "params._meta." + metaCapabilities
	f := failure(c.RequestID, "", signalbox.Errorf(signalbox.CodeInvalid, "The message does not declare the extension %s.", ExtensionTasks).
		WithField(field).WithRemedy("Declare it in "+field+" of each message: "+capability+"."))
	f.Code = sdk.CodeMissingRequiredClientCapabilities
	f.Data = append(append(f.Data[:len(f.Data)-1:len(f.Data)-1], `,"requiredCapabilities":`...), capability+"}"...)
	return f
}

// writeError answers a request that the SDK never sees.
func writeError(w http.ResponseWriter, id json.Value, c *signalbox.Call, err error) {
	e := signalbox.AsError(err)
	if e.Code == signalbox.CodeUnauthenticated && w.Header().Get("WWW-Authenticate") == "" { // The door may have said more.
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	writeFailure(w, id, e.Code.Status(), rpcFailure(c, err))
}

// writeFailure answers with an error.
func writeFailure(w http.ResponseWriter, id json.Value, status int, f *jsonrpc.Error) {
	if id == nil {
		id = json.Value("null")
	}
	var o object
	o.text("jsonrpc", "2.0")
	o.add("id", id)
	o.add("error", encodeFailure(f))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(o.bytes())
}

func encodeFailure(f *jsonrpc.Error) []byte {
	var o object
	o.add("code", strconv.AppendInt(nil, f.Code, 10))
	o.text("message", f.Message)
	o.add("data", f.Data)
	return o.bytes()
}
