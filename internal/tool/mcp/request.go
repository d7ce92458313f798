package mcp

import (
	"errors"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// request is a caller's JSON-RPC message, strictly parsed.
type request struct {
	id        json.Value // nil where it has none that can be repeated.
	method    string     // "" for a response.
	name      string     // Of the tool, for tools/call.
	arguments json.Value
	task      string // The taskId, for tasks/….
	meta      json.Members
	progress  json.Value // The token with which the caller wants to hear of progress; nil where he does not.
}

// Names that we read, and that nobody may spell otherwise.
var (
	messageNames = json.NewNames("jsonrpc", "id", "method", "params", "result", "error")
	paramNames   = json.NewNames("name", "arguments", "_meta", "inputResponses", "requestState", "cursor", "taskId")
	metaNames    = json.NewNames("traceparent", "tracestate", "baggage", "progressToken", metaVersion, metaClient, metaCapabilities)
)

// parseRequest reads a message. The error is of code invalid and names the field; what was read before it stays, so that
// the answer can repeat the id.
func parseRequest(body []byte) (request, *signalbox.Error) {
	var r request
	root, err := json.Parse(body, json.Limits{})
	if err != nil {
		return r, invalid("body", err)
	}
	if root.Kind() == '[' {
		return r, signalbox.Errorf(signalbox.CodeInvalid, "The body is a batch of JSON-RPC messages.").WithField("body").
			WithRemedy("Send one message per request.")
	}
	members, err := root.Object()
	if err != nil {
		return r, invalid("body", err)
	}
	if err := members.Known(messageNames); err != nil {
		return r, invalid("body", err)
	}
	if err := r.readID(members.Get("id")); err != nil {
		return r, invalid("id", err)
	}
	if version, err := members.Get("jsonrpc").Text(); err != nil || version != "2.0" {
		return r, invalid("jsonrpc", errors.New(`"2.0" is expected`))
	}
	return r.readMethod(members)
}

// maxID bounds ids that are numbers: beyond it the SDK, which keeps them as floats, would answer to another id.
const maxID = 1<<53 - 1

func (r *request) readID(id json.Node) error {
	switch id.Kind() {
	case '"':
		r.id = id.Bytes()
	case '0':
		n, err := id.Int()
		if err != nil || n > maxID || n < -maxID {
			return errors.New("a number that is no integer of at most 53 bits; use a string for such an id")
		}
		r.id = id.Bytes()
	}
	return nil
}

func (r request) readMethod(members json.Members) (request, *signalbox.Error) {
	method := members.Get("method")
	if !method.Exists() {
		return r, nil
	}
	var err error
	if r.method, err = method.Text(); err != nil {
		return r, invalid("method", err)
	}
	if !methodName(r.method) {
		return r, invalid("method", errors.New("the name is none that a method of the protocol has"))
	}
	params := members.Get("params")
	if params.Null() {
		if r.method == methodCallTool {
			return r, invalid("params", errors.New("nothing where an object is expected"))
		}
		return r, nil
	}
	object, err := params.Object()
	if err != nil {
		return r, invalid("params", err)
	}
	if err := object.Known(paramNames); err != nil {
		return r, invalid("params", err)
	}
	return r.readParams(object)
}

// maxMethod bounds the names of methods; the longest of the protocol has 36 letters.
const maxMethod = 64

// methodName reports whether a name could be one of the protocol's, such as "notifications/tools/list_changed": words of
// letters with "/" between them. Others are refused here, because the SDK would repeat them in its answer.
func methodName(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	const letters = "abcdefghijklmnopqrstuvwxyz"
	return name != "" && len(name) <= maxMethod && strings.Trim(first, letters) == "" &&
		strings.Trim(strings.ToLower(name), letters+"/_") == ""
}

func (r request) readParams(params json.Members) (request, *signalbox.Error) {
	if meta := params.Get("_meta"); !meta.Null() {
		var err error
		if r.meta, err = meta.Object(); err != nil {
			return r, invalid("params._meta", err)
		}
		if err := r.meta.Known(metaNames); err != nil {
			return r, invalid("params._meta", err)
		}
		if token := r.meta.Get("progressToken"); token.Kind() == '"' || token.Kind() == '0' {
			r.progress = token.Bytes()
		}
	}
	if isTaskMethod(r.method) {
		return r.readTask(params)
	}
	if r.method != methodCallTool {
		return r, nil
	}
	if r.id == nil {
		return r, invalid("id", errors.New("nothing where a string or number is expected"))
	}
	return r.readTool(params)
}

// readTask reads the id of a task. What is no id of a task is found nowhere, which is for who keeps them to say.
func (r request) readTask(params json.Members) (request, *signalbox.Error) {
	if id := params.Get("taskId"); id.Kind() == '"' {
		var err error
		if r.task, err = id.Text(); err != nil {
			return r, invalid("params.taskId", err)
		}
	}
	return r, nil
}

func (r request) readTool(params json.Members) (request, *signalbox.Error) {
	var err error
	if r.name, err = params.Get("name").Text(); err != nil {
		return r, invalid("params.name", err)
	}
	if r.name == "" || len(r.name) > signalbox.MaxIDLength {
		return r, invalid("params.name", errors.New("a name of 1 to 128 bytes is expected"))
	}
	r.arguments = json.Value("{}")
	if arguments := params.Get("arguments"); !arguments.Null() {
		if _, err := arguments.Object(); err != nil {
			return r, invalid("params.arguments", err)
		}
		r.arguments = arguments.Bytes()
	}
	for _, name := range []string{"inputResponses", "requestState"} {
		if !params.Get(name).Null() {
			return r, signalbox.Errorf(signalbox.CodeNotImplemented, "Signalbox does not carry %s to MCP servers yet.", name).
				WithField("params." + name).WithRemedy("Call the tool without it.")
		}
	}
	return r, nil
}

func invalid(field string, err error) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The message is not valid: %s.", err).WithField(field).
		WithRemedy("Send one JSON-RPC 2.0 message as the Model Context Protocol has it.")
}

// span is the call's span: of the trace that the message names, else of the one in the HTTP headers.
func (r request) span(fallback signalbox.Span) signalbox.Span {
	text := func(name string) string {
		s, err := r.meta.Get(name).Text()
		if err != nil {
			return ""
		}
		return s
	}
	if text("traceparent") == "" {
		return fallback
	}
	return signalbox.StartSpan(text("traceparent"), text("tracestate"), text("baggage"))
}
