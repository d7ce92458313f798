package mcp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// request is a caller's JSON-RPC message, strictly parsed.
type request struct {
	id        json.Value // nil where it has none that can be repeated.
	method    string     // "" for a response.
	name      string     // What an act is about: the name of a tool or prompt, or the URI of a resource.
	arguments json.Value // Of an act: what the stations see, and what is sent on.
	task      string     // The taskId, for tasks/….
	params    json.Members
	meta      json.Members
	progress  json.Value // The token with which the caller wants to hear of progress; nil where he does not.
	version   string     // The protocol version that a message of the modern kind says in _meta; "" for all others.
}

// act reports whether the message is a call: the methods that act on a server are judged by the stations.
func (r request) act() bool {
	switch r.method {
	case rpc.MethodCallTool, rpc.MethodReadResource, rpc.MethodGetPrompt, rpc.MethodComplete:
		return true
	}
	return false
}

// Names that we read, and that nobody may spell otherwise.
var (
	messageNames = json.NewNames("jsonrpc", "id", "method", "params", "result", "error")
	paramNames   = json.NewNames("name", "arguments", "_meta", "inputResponses", "requestState", "cursor", "taskId", "task", "uri", "ref", "argument", "context")
	refNames     = json.NewNames("type", "name", "uri")
	metaNames    = json.NewNames("traceparent", "tracestate", "baggage", "progressToken", rpc.MetaVersion, rpc.MetaClient, rpc.MetaCapabilities, rpc.MetaLogLevel, rpc.MetaIdempotency)
)

// parseRequest reads a message. The error is of code invalid and names the field; what was read before it stays, so that
// the answer can repeat the id.
func parseRequest(body []byte) (request, *signalbox.Error) {
	var r request
	root, err := json.Parse(body, json.Limits{})
	if err != nil {
		return r, coded(rpc.CodeParse, invalid("body", err))
	}
	if root.Kind() == '[' {
		return r, coded(rpc.CodeInvalidRequest, signalbox.Errorf(signalbox.CodeInvalid, "The body is a batch of JSON-RPC messages.").WithField("body").
			WithRemedy("Send one message per request."))
	}
	members, err := root.Object()
	if err != nil {
		return r, noRequest("body", err)
	}
	if err := members.Known(messageNames); err != nil {
		return r, noRequest("body", err)
	}
	if err := r.readID(members.Get("id")); err != nil {
		return r, noRequest("id", err)
	}
	if version, err := members.Get("jsonrpc").Text(); err != nil || version != "2.0" {
		return r, noRequest("jsonrpc", errors.New(`"2.0" is expected`))
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
		return r, noRequest("method", err)
	}
	if !methodName(r.method) {
		return r, noRequest("method", errors.New("the name is none that a method of the protocol has"))
	}
	params := members.Get("params")
	if params.Null() {
		if r.act() {
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
	r.params = object
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
		if version := r.meta.Get(rpc.MetaVersion); version.Exists() {
			if r.version, err = version.Text(); err != nil || r.version == "" {
				return r, invalid("params._meta."+rpc.MetaVersion, errors.New("a version of the protocol is expected"))
			}
		}
	}
	if isTaskMethod(r.method) || r.method == rpc.MethodTaskResult {
		return r.readTask(params)
	}
	if !r.act() {
		return r, nil
	}
	if r.id == nil {
		return r, noRequest("id", errors.New("nothing where a string or number is expected"))
	}
	return r.readAct(params)
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

// readAct reads what an act is about.
func (r request) readAct(params json.Members) (request, *signalbox.Error) {
	switch r.method {
	case rpc.MethodCallTool:
		return r.readTool(params)
	case rpc.MethodReadResource:
		return r.readNamed(params, "uri", MaxURI)
	case rpc.MethodGetPrompt:
		return r.readNamed(params, "name", signalbox.MaxIDLength)
	}
	return r.readCompletion(params)
}

func (r request) readTool(params json.Members) (request, *signalbox.Error) {
	var err *signalbox.Error
	if r.name, err = nameIn(params, "name", "params.name", signalbox.MaxIDLength); err != nil {
		return r, err
	}
	if rpc.Reserved(r.name) {
		return r, invalid("params.name", errors.New("the name is that of a method, which no tool can have"))
	}
	r.arguments = json.Value("{}")
	if arguments := params.Get("arguments"); !arguments.Null() {
		if _, err := arguments.Object(); err != nil {
			return r, invalid("params.arguments", err)
		}
		r.arguments = arguments.Bytes()
	}
	return r, nil
}

// readNamed reads a request for a resource or a prompt. Its arguments are all its parameters.
func (r request) readNamed(params json.Members, member string, limit int) (request, *signalbox.Error) {
	var err *signalbox.Error
	r.name, err = nameIn(params, member, "params."+member, limit)
	r.arguments = rpc.Without(params, "_meta", "inputResponses", "requestState")
	return r, err
}

// readCompletion reads a request to complete an argument of a prompt or of a resource's template.
func (r request) readCompletion(params json.Members) (request, *signalbox.Error) {
	ref, err := params.Get("ref").Object()
	if err == nil {
		err = ref.Known(refNames)
	}
	if err != nil {
		return r, invalid("params.ref", err)
	}
	var wrong *signalbox.Error
	switch kind, _ := ref.Get("type").Text(); kind {
	case refPrompt:
		r.name, wrong = nameIn(ref, "name", "params.ref.name", signalbox.MaxIDLength)
	case refResource:
		r.name, wrong = nameIn(ref, "uri", "params.ref.uri", MaxURI)
	default:
		wrong = invalid("params.ref.type", errors.New(`"ref/prompt" or "ref/resource" is expected`))
	}
	r.arguments = rpc.Without(params, "_meta", "inputResponses", "requestState")
	return r, wrong
}

// Kinds of what an argument to complete belongs to.
const (
	refPrompt   = "ref/prompt"
	refResource = "ref/resource"
)

// MaxURI bounds the URI of a resource, in bytes.
const MaxURI = 4096

func nameIn(members json.Members, member, field string, limit int) (string, *signalbox.Error) {
	name, err := members.Get(member).Text()
	if err != nil {
		return "", invalid(field, err)
	}
	if name == "" || len(name) > limit {
		return "", invalid(field, fmt.Errorf("a text of 1 to %d bytes is expected", limit))
	}
	return name, nil
}

func invalid(field string, err error) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The message is not valid: %s.", err).WithField(field).
		WithRemedy("Send one JSON-RPC 2.0 message as the Model Context Protocol has it.")
}

// noRequest is the error of a message that is none of JSON-RPC.
func noRequest(field string, err error) *signalbox.Error {
	return coded(rpc.CodeInvalidRequest, invalid(field, err))
}

// coded gives an error the code that JSON-RPC has for it.
func coded(code int64, err *signalbox.Error) *signalbox.Error {
	return err.WithCause(&rpc.CodeError{Code: code})
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
