package mcp

import (
	"errors"
	"strconv"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// message is a JSON-RPC message from an upstream.
type message struct {
	id     json.Value // As written; nil for a notification.
	method string     // "" for a response.
	params json.Value // Of a request or notification; nil where it has none.
	result json.Value // nil for an error.
	err    *rpcError
}

var errNotRPC = errors.New("not a JSON-RPC message")

// decode reads one message. Names in an answer are data of the tool and may differ by case only; two equal names are
// refused.
func decode(data []byte) (message, error) {
	root, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return message{}, err
	}
	members, err := root.Object()
	if err != nil {
		return message{}, errNotRPC
	}
	var m message
	if id := members.Get("id"); !id.Null() {
		m.id = id.Bytes()
	}
	if method := members.Get("method"); method.Exists() {
		if params := members.Get("params"); params.Kind() == '{' {
			m.params = params.Bytes()
		}
		m.method, err = method.Text()
		return m, err
	}
	if failure := members.Get("error"); !failure.Null() {
		m.err, err = decodeError(failure)
		return m, err
	}
	result := members.Get("result")
	if result.Kind() != '{' || m.id == nil {
		return message{}, errNotRPC
	}
	m.result = result.Bytes()
	return m, nil
}

// encode writes a request, or a notification where id is 0. The parameters are a JSON object.
func encode(id int64, method string, params []byte) []byte {
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

// reply answers a request that an upstream makes of us. We promised no capability, so only ping is known.
func reply(m message) []byte {
	b := append([]byte(`{"jsonrpc":"2.0","id":`), m.id...)
	if m.method == methodPing {
		return append(b, `,"result":{}}`...)
	}
	return append(b, `,"error":{"code":-32601,"message":"method not found"}}`...)
}
