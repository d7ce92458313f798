package openapi

import (
	"net/http"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MetaKey is the member of a tool's _meta that says what request it makes: method, path, and where each argument goes.
const MetaKey = "signalbox/openapi"

// MaxDescription bounds the description of a tool, in bytes; longer ones are cut.
const MaxDescription = 4 << 10

// Tool is an operation of the API as a tool. It never changes and is safe for concurrent use.
type Tool struct {
	Name     string
	Method   string                 // In capital letters.
	Template string                 // The path as the document writes it, with names of parameters.
	Path     signalbox.PathTemplate // The same with names of arguments.

	parameters []parameter
	body       *body
	entry      json.Value // Of the list of tools.
	input      json.Value // The schema of the arguments.
	checks     *jsonschema.Resolved
	fits       *jsonschema.Resolved // Of the answer; nil where the list shows no schema of it.
}

// Entry is what a list of tools says of the tool.
func (t *Tool) Entry() json.Value { return t.entry }

// Mapping says what a call of the tool does: an operation by its method, on the path of the request.
func (t *Tool) Mapping() signalbox.ToolMapping {
	return signalbox.ToolMapping{Operation: t.operation(), Path: t.Path}
}

func (t *Tool) operation() signalbox.Operation {
	switch t.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return signalbox.OperationRead
	case http.MethodDelete:
		return signalbox.OperationDelete
	}
	return signalbox.OperationWrite
}

// entry writes what the list says.
func (o *operation) entry(output []byte) json.Value {
	t := o.tool
	var e, hints, meta, all object
	e.text("name", t.Name)
	if title := o.node.get("summary").text(); title != "" {
		e.text("title", clip(title))
	}
	e.text("description", o.description())
	e.add("inputSchema", t.input)
	if output != nil {
		e.add("outputSchema", output)
	}
	hints.flag("readOnlyHint", t.operation() == signalbox.OperationRead)
	if t.operation() != signalbox.OperationRead {
		hints.flag("destructiveHint", t.Method != http.MethodPost)
		hints.flag("idempotentHint", t.Method == http.MethodPut || t.Method == http.MethodDelete)
	}
	hints.flag("openWorldHint", true)
	e.add("annotations", hints.bytes())
	meta.text("method", t.Method)
	meta.text("path", string(t.Path))
	meta.add("arguments", o.places())
	all.add(MetaKey, meta.bytes())
	e.add("_meta", all.bytes())
	return e.bytes()
}

// places says where each argument goes, as "query limit".
func (o *operation) places() []byte {
	var places object
	for _, p := range o.tool.parameters {
		places.text(p.argument, p.in+" "+p.name)
	}
	if b := o.tool.body; b != nil {
		places.text(b.argument, "body "+b.mediaType)
	}
	return places.bytes()
}

func (o *operation) description() string {
	text := o.node.get("summary").text()
	if more := o.node.get("description").text(); more != "" && more != text {
		if text != "" {
			text += "\n\n"
		}
		text += more
	}
	if text == "" {
		text = o.tool.Method + " " + o.template
	}
	if o.node.get("deprecated").isTrue() {
		text = "Deprecated. " + text
	}
	return cut(text, MaxDescription)
}
