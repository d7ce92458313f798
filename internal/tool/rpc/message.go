package rpc

import (
	"errors"
	"strconv"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Message is a JSON-RPC message that was read. The other side is not trusted, but what is here makes sense.
type Message struct {
	ID     json.Value // As written; nil for a notification.
	Method string     // "" for a response.
	Params json.Value // Of a request or notification; nil where it has none.
	Result json.Value // nil for an error.
	Err    *Error
}

var errNotRPC = errors.New("not a JSON-RPC message")

// Decode reads one message. Names in an answer are data of the tool and may differ by case only; two equal names are
// refused.
func Decode(data []byte) (Message, error) {
	root, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return Message{}, err
	}
	members, err := root.Object()
	if err != nil {
		return Message{}, errNotRPC
	}
	var m Message
	if id := members.Get("id"); !id.Null() {
		m.ID = id.Bytes()
	}
	if method := members.Get("method"); method.Exists() {
		if params := members.Get("params"); params.Kind() == '{' {
			m.Params = params.Bytes()
		}
		m.Method, err = method.Text()
		return m, err
	}
	if failure := members.Get("error"); !failure.Null() {
		m.Err, err = decodeError(failure)
		return m, err
	}
	result := members.Get("result")
	if result.Kind() != '{' || m.ID == nil {
		return Message{}, errNotRPC
	}
	m.Result = result.Bytes()
	return m, nil
}

// Encode writes a request, or a notification where id is 0. The parameters are a JSON object.
func Encode(id int64, method string, params []byte) []byte {
	b := []byte(`{"jsonrpc":"2.0",`)
	if id != 0 {
		b = append(strconv.AppendInt(append(b, `"id":`...), id, 10), ',')
	}
	b = append(append(b, `"method":`...), json.Quote(method)...)
	if params != nil {
		b = append(append(b, `,"params":`...), params...)
	}
	return append(b, '}')
}

// Reply gives the response to a request that a server makes of us, where nobody is there whom it could ask: only ping is known.
func Reply(m Message) []byte {
	b := append([]byte(`{"jsonrpc":"2.0","id":`), m.ID...)
	if m.Method == MethodPing {
		return append(b, `,"result":{}}`...)
	}
	return append(b, `,"error":{"code":-32601,"message":"method not found"}}`...)
}
