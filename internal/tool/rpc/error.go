package rpc

import (
	"fmt"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Error is the error of a JSON-RPC response.
type Error struct {
	Code    int64
	Message string
	Data    json.Value // nil where it has none.
}

func (e *Error) Error() string { return fmt.Sprintf("JSON-RPC error %d: %s", e.Code, e.Message) }

func decodeError(n json.Node) (*Error, error) {
	members, err := n.Object()
	if err != nil {
		return nil, errNotRPC
	}
	e := &Error{Data: nil}
	if e.Code, err = members.Get("code").Int(); err != nil {
		return nil, errNotRPC
	}
	if e.Message, err = members.Get("message").Text(); err != nil {
		return nil, errNotRPC
	}
	if data := members.Get("data"); data.Exists() {
		e.Data = data.Bytes()
	}
	return e, nil
}

// Bytes writes the error itself.
func (e *Error) Bytes() []byte {
	var o Object
	o.Add("code", strconv.AppendInt(nil, e.Code, 10))
	o.Text("message", e.Message)
	if e.Data != nil {
		o.Add("data", e.Data)
	}
	return o.Bytes()
}

// Response writes the whole message that answers the request of that id; nil is that of a request whose id is not known.
func (e *Error) Response(id json.Value) []byte {
	if id == nil {
		id = json.Value("null")
	}
	var o Object
	o.Text("jsonrpc", "2.0")
	o.Add("id", id)
	o.Add("error", e.Bytes())
	return o.Bytes()
}

// CodeError is the cause of an error for which the protocol has a code of its own.
type CodeError struct {
	Code int64
	More func(data *Object) // Adds what the protocol wants in the error's data; may be nil.
}

func (f *CodeError) Error() string { return "a code of the protocol" }

// CodeOf gives the JSON-RPC code of an error of ours. Those without one of the standard's are -31000 less the HTTP status: the
// protocol keeps -32768 to -32000 for itself.
func CodeOf(code signalbox.Code) int64 {
	switch code { //nolint:exhaustive // The rest has no code of the standard.
	case signalbox.CodeInvalid, signalbox.CodeNotFound:
		return CodeInvalidParams
	case signalbox.CodeInternal:
		return CodeInternal
	}
	return -31000 - int64(code.Status())
}
