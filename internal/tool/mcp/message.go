package mcp

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Methods and notifications that we use.
const (
	methodDiscover         = "server/discover"
	methodInitialize       = "initialize"
	methodInitialized      = "notifications/initialized"
	methodCancelled        = "notifications/cancelled"
	methodProgress         = "notifications/progress"
	methodLogged           = "notifications/message"
	methodListChanged      = "notifications/tools/list_changed"
	methodResourcesChanged = "notifications/resources/list_changed"
	methodPromptsChanged   = "notifications/prompts/list_changed"
	methodListTools        = "tools/list"
	methodCallTool         = "tools/call"
	methodListResources    = "resources/list"
	methodListTemplates    = "resources/templates/list"
	methodReadResource     = "resources/read"
	methodListPrompts      = "prompts/list"
	methodGetPrompt        = "prompts/get"
	methodComplete         = "completion/complete"
	methodSetLevel         = "logging/setLevel"
	methodListen           = "subscriptions/listen"
	methodAcknowledged     = "notifications/subscriptions/acknowledged"
	methodSubscribe        = "resources/subscribe"
	methodUnsubscribe      = "resources/unsubscribe"
	methodUpdated          = "notifications/resources/updated"
	methodPing             = "ping"
)

// Codes of JSON-RPC and MCP.
const (
	rpcInvalidRequest     = -32600
	rpcMethodNotFound     = -32601
	rpcInvalidParams      = -32602
	rpcInternal           = -32603
	rpcNotAnswered        = -1     // As clients answer who have been asked and do not want to.
	rpcResourceNotFound   = -32002 // Of the older versions.
	rpcHeaderMismatch     = -32020
	rpcMissingCapability  = -32021
	rpcUnsupportedVersion = -32022
)

// message is a JSON-RPC message from an upstream.
type message struct {
	id     json.Value // As written; nil for a notification.
	method string     // "" for a response.
	params json.Value // Of a request or notification; nil where it has none.
	result json.Value // nil for an error.
	err    *rpcError
}

// rpcError is the error of a JSON-RPC response.
type rpcError struct {
	code    int64
	message string
	data    json.Value
}

func (e *rpcError) Error() string { return fmt.Sprintf("JSON-RPC error %d: %s", e.code, e.message) }

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

// object writes a JSON object of names and raw values, in order.
type object struct{ b []byte }

func (o *object) add(name string, value []byte) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, json.Quote(name)...), ':'), value...)
}

func (o *object) text(name, value string) { o.add(name, json.Quote(value)) }

func (o *object) bytes() []byte {
	if len(o.b) == 0 {
		return []byte("{}")
	}
	return append(o.b, '}')
}
