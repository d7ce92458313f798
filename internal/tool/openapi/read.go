package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of a document.
const (
	MaxTools       = 1000      // Operations that become tools.
	MaxListBytes   = 8 << 20   // Of the entries of all tools.
	MaxSchemaBytes = 512 << 10 // Of the arguments of one tool, with all that they refer to.
	MaxName        = 128       // Characters of a tool's name: letters, digits, "_", "-" and ".".
)

// Options are what the configuration fixes, so that no caller can.
type Options struct {
	Headers []string // Names of headers that are always sent.
	Query   []string // Names of parameters of the query that are always sent.
}

// API is a compiled document. It never changes and is safe for concurrent use.
type API struct {
	Tools    []*Tool  // In the order of the document.
	Warnings []string // What was left out and why: sentences that name the operation and the place.

	byName map[string]*Tool
	list   json.Value
	size   int // Of all entries.
}

// Tool gives the tool of that name, nil where there is none.
func (a *API) Tool(name string) *Tool { return a.byName[name] }

// List is the result of tools/list.
func (a *API) List() json.Value { return a.list }

// document is a document under compilation.
type document struct {
	root     *node
	old      bool // Of version 3.0, whose schemas differ from JSON Schema.
	options  Options
	warnings []string
}

// Read compiles a document in JSON. The error is a *signalbox.Error of code invalid, whose message names the place in the
// document as a JSON pointer; the field is for the caller to add.
func Read(data []byte, o Options) (*API, error) {
	root, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return nil, fault("", "is not strict JSON: "+err.Error(), "Correct it.")
	}
	d := &document{root: plant(root), options: o}
	if err := d.version(); err != nil {
		return nil, err
	}
	if err := d.local(d.root, ""); err != nil {
		return nil, err
	}
	api := &API{byName: map[string]*Tool{}}
	if err := d.paths(api); err != nil {
		return nil, err
	}
	api.Warnings = d.warnings
	return api, api.finish()
}

func (d *document) version() error {
	version := d.root.get("openapi").text()
	switch {
	case d.root.get("swagger").exists():
		return fault("", "is of Swagger 2.0, which is not built", "Convert it to OpenAPI 3.")
	case version == "3.0" || strings.HasPrefix(version, "3.0."):
		d.old = true
	case version != "3.1" && !strings.HasPrefix(version, "3.1."):
		return fault("", fmt.Sprintf("has the version %q under openapi, where 3.0 and 3.1 are built", clip(version)), "Use a document of one of these.")
	}
	if !d.root.get("paths").isObject() {
		return fault("", "has no paths", "Describe at least one operation.")
	}
	return nil
}

// data are members whose values are examples and the like: a $ref in them is none. Below what is in maps, names are free.
var (
	data = []string{"example", "examples", "default", "enum", "const"}
	maps = []string{"properties", "patternProperties", "dependentSchemas", "$defs", "schemas", "responses", "parameters", "headers", "requestBodies", "paths"}
)

// local refuses references that leave the document or lead nowhere, used or not.
func (d *document) local(n *node, at string) error {
	if ref := n.get("$ref").text(); ref != "" {
		if _, _, err := d.resolve(ref, at); err != nil {
			return err
		}
	}
	for _, name := range n.names {
		free := slices.Contains(maps, at[strings.LastIndexByte(at, '/')+1:])
		if !free && (slices.Contains(data, name) || strings.HasPrefix(name, "x-")) {
			continue
		}
		if err := d.local(n.named[name], under(at, name)); err != nil {
			return err
		}
	}
	for i, item := range n.items {
		if err := d.local(item, under(at, fmt.Sprint(i))); err != nil {
			return err
		}
	}
	return nil
}

// methods are the members of a path that are operations, as the specification orders them.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

func (d *document) paths(api *API) error {
	paths := d.root.get("paths")
	for _, template := range paths.names {
		if strings.HasPrefix(template, "x-") {
			continue
		}
		item, at, err := d.follow(paths.get(template), under("", "paths", template))
		if err != nil {
			return err
		}
		if !item.isObject() {
			return fault(at, "is no object", "Describe operations there, or remove it.")
		}
		for _, method := range item.names {
			if !slices.Contains(methods, method) {
				continue
			}
			o := &operation{document: d, item: item, method: method, template: template, at: under(at, method), itemAt: at}
			if err := d.add(api, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// add makes a tool of an operation, or a warning of why it can not be one.
func (d *document) add(api *API, o *operation) error {
	o.node = o.item.get(o.method)
	if !o.node.isObject() {
		return fault(o.at, "is no object", "Describe the operation, or remove it.")
	}
	tool, err := o.build()
	var unbuilt *unbuiltError
	switch {
	case errors.As(err, &unbuilt):
		d.warn(o, "it is left out: at %s it %s", place(unbuilt.at), unbuilt.what)
		return nil
	case err != nil:
		return err
	}
	if first := api.byName[tool.Name]; first != nil {
		return fault(o.at, fmt.Sprintf("gives a tool the name %q, which %s %s has", tool.Name, first.Method, first.Template), "Give each an operationId of its own.")
	}
	if len(api.Tools) == MaxTools {
		return fault(o.at, fmt.Sprintf("is one operation more than the %d that can be tools", MaxTools), "Split the document into several servers.")
	}
	if api.size += len(tool.entry); api.size > MaxListBytes {
		return fault(o.at, fmt.Sprintf("makes the list of tools longer than %d bytes", MaxListBytes), "Split the document into several servers.")
	}
	api.byName[tool.Name] = tool
	api.Tools = append(api.Tools, tool)
	return nil
}

// finish writes the list.
func (a *API) finish() error {
	if len(a.Tools) == 0 {
		because := ""
		if len(a.Warnings) > 0 {
			because = ": " + a.Warnings[0]
		}
		return fault("/paths", "has no operation that can be a tool"+because, "Describe one.")
	}
	list := []byte(`{"tools":[`)
	for i, t := range a.Tools {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, t.entry...)
	}
	a.list = append(list, "]}"...)
	return nil
}

func (d *document) warn(o *operation, format string, args ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf("%s %s: ", strings.ToUpper(o.method), o.template)+fmt.Sprintf(format, args...)+".")
}

// unbuiltError says that something is right, and not built.
type unbuiltError struct{ at, what string }

func (e *unbuiltError) Error() string { return place(e.at) + " " + e.what }

func unbuilt(at, format string, args ...any) error {
	return &unbuiltError{at, fmt.Sprintf(format, args...)}
}

// fault is an error of the document.
func fault(at, what, remedy string) error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The OpenAPI document %s: it %s.", place(at), what).WithRemedy(remedy)
}

// place names a pointer for people.
func place(at string) string {
	if at == "" {
		return "#"
	}
	return "#" + clip(at)
}
