package mcp

import (
	"fmt"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// rpcError is the error of a JSON-RPC response.
type rpcError struct {
	code    int64
	message string
	data    json.Value // nil where it has none.
}

func (e *rpcError) Error() string { return fmt.Sprintf("JSON-RPC error %d: %s", e.code, e.message) }

func decodeError(n json.Node) (*rpcError, error) {
	members, err := n.Object()
	if err != nil {
		return nil, errNotRPC
	}
	e := &rpcError{data: nil}
	if e.code, err = members.Get("code").Int(); err != nil {
		return nil, errNotRPC
	}
	if e.message, err = members.Get("message").Text(); err != nil {
		return nil, errNotRPC
	}
	if data := members.Get("data"); data.Exists() {
		e.data = data.Bytes()
	}
	return e, nil
}

// bytes writes the error itself.
func (e *rpcError) bytes() []byte {
	var o object
	o.add("code", strconv.AppendInt(nil, e.code, 10))
	o.text("message", e.message)
	if e.data != nil {
		o.add("data", e.data)
	}
	return o.bytes()
}

// response writes the whole message that answers the request of that id; nil is that of a request whose id is not known.
func (e *rpcError) response(id json.Value) []byte {
	if id == nil {
		id = json.Value("null")
	}
	var o object
	o.text("jsonrpc", "2.0")
	o.add("id", id)
	o.add("error", e.bytes())
	return o.bytes()
}

// fault is the cause of an error for which the protocol has a code of its own.
type fault struct {
	code int64
	more func(data *object) // Adds what the protocol wants in the error's data; may be nil.
}

func (f *fault) Error() string { return "a code of the protocol" }

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
