package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxAccesses bounds the accesses of one call.
const MaxAccesses = 256

// tool is what the policy knows of a tool.
type tool struct {
	id       string
	server   string
	name     string
	trusted  bool
	mapped   bool
	mapping  signalbox.ToolMapping
	names    argumentNames
	line     string // Of the policy's text; "" where nothing is declared.
	serverOf string // The line of its server.
	declared bool   // The server is.
}

// argumentNames are the names of arguments that name resources, as a tree: "a.b" is b in a.
type argumentNames struct {
	known json.Names
	next  map[string]argumentNames
}

// namesOf gives the names of arguments that a mapping speaks of.
func namesOf(m signalbox.ToolMapping) argumentNames {
	arguments := slices.Clone(m.Resources)
	for _, name := range m.Path.Arguments() {
		arguments = append(arguments, signalbox.ResourceArgument{Argument: name})
	}
	return newArgumentNames(arguments)
}

// namesResources reports whether calls of the tool can name what they act on.
func (t *tool) namesResources() bool { return len(t.mapping.Resources) > 0 || t.mapping.Path != "" }

func newArgumentNames(arguments []signalbox.ResourceArgument) argumentNames {
	inner := map[string][]signalbox.ResourceArgument{}
	var names []string
	for _, a := range arguments {
		first, rest, deeper := strings.Cut(a.Argument, ".")
		names = append(names, first)
		if deeper {
			inner[first] = append(inner[first], signalbox.ResourceArgument{Argument: rest})
		}
	}
	tree := argumentNames{known: json.NewNames(names...)}
	for first, rest := range inner {
		if tree.next == nil {
			tree.next = map[string]argumentNames{}
		}
		tree.next[first] = newArgumentNames(rest)
	}
	return tree
}

// operation is the tool's own: declared, or what its server says if that is believed, or else writing.
func (t *tool) operation(a *signalbox.Annotations) signalbox.Operation {
	is := func(hint *bool) bool { return hint != nil && *hint }
	switch {
	case t.mapping.Operation != "":
		return t.mapping.Operation
	case !t.trusted || a == nil:
		return signalbox.OperationWrite
	case is(a.Destructive):
		return signalbox.OperationDelete
	case is(a.ReadOnly):
		return signalbox.OperationRead
	}
	return signalbox.OperationWrite
}

// operations are those that calls of the tool can have.
func (t *tool) operations(a *signalbox.Annotations) []signalbox.Operation {
	own := t.operation(a)
	list := []signalbox.Operation{own}
	for _, r := range t.mapping.Resources {
		if op := operationOf(r, own); !slices.Contains(list, op) {
			list = append(list, op)
		}
	}
	return list
}

func operationOf(r signalbox.ResourceArgument, own signalbox.Operation) signalbox.Operation {
	if r.Operation != "" {
		return r.Operation
	}
	return own
}

// accesses gives what a call of the tool would do: at least one access, none twice. The error is of code invalid.
func (t *tool) accesses(arguments []byte, a *signalbox.Annotations) ([]signalbox.Access, error) {
	own := t.operation(a)
	if !t.namesResources() {
		return []signalbox.Access{{Operation: own}}, nil
	}
	members, err := json.Object(arguments)
	if err != nil {
		return nil, refusal("arguments", err.Error(), "Send the arguments as one JSON object.")
	}
	if err := t.names.check(members); err != nil {
		return nil, err
	}
	f := finder{operation: own}
	if err := f.path(members, t.mapping.Path); err != nil {
		return nil, err
	}
	for _, r := range t.mapping.Resources {
		f.argument, f.operation = r, operationOf(r, own)
		if err := f.find(members, r.Argument); err != nil {
			return nil, err
		}
	}
	if len(f.found) == 0 {
		return []signalbox.Access{{Operation: own}}, nil
	}
	return f.found, nil
}

// check refuses members whose names differ from an argument's in case alone: a server may take them for it.
func (n argumentNames) check(members json.Members) error {
	if err := members.Known(n.known); err != nil {
		return refusal("arguments", err.Error(), "Spell the arguments as the tool declares them.")
	}
	for name, inner := range n.next {
		for _, node := range elements(members.Get(name)) {
			if object, err := node.Object(); err == nil { // What is no object is refused where it is followed.
				if err := inner.check(object); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// elements gives the elements of a list, or the value itself.
func elements(n json.Node) []json.Node {
	if n.Kind() != '[' {
		return []json.Node{n}
	}
	list, _ := n.Array()
	return list
}

// finder collects the accesses that one argument after the other makes.
type finder struct {
	argument  signalbox.ResourceArgument
	operation signalbox.Operation
	found     []signalbox.Access
}

// find follows the path of an argument's name into an object. What is absent or null makes no access.
func (f *finder) find(members json.Members, name string) error {
	first, rest, deeper := strings.Cut(name, ".")
	value := members.Get(first)
	if value.Null() {
		return nil
	}
	for _, node := range elements(value) {
		if !deeper {
			if err := f.add(node); err != nil {
				return err
			}
			continue
		}
		object, err := node.Object()
		if err != nil {
			return refusal("arguments."+f.argument.Argument, err.Error(), "Send an object there, or a list of objects.")
		}
		if err := f.find(object, rest); err != nil {
			return err
		}
	}
	return nil
}

// path adds the access to the path of a request. A slash within a value is encoded in what is sent, and some servers
// decode it before they look where the request goes: both readings must be permitted.
func (f *finder) path(members json.Members, template signalbox.PathTemplate) error {
	if template == "" {
		return nil
	}
	sent, err := template.Fill(func(name string) (string, error) {
		if !members.Has(name) {
			return "", refusal("arguments."+name, fmt.Sprintf("the argument %q is missing", name), "Give it: it stands in the path of the request.")
		}
		text, err := members.Get(name).Scalar()
		if err == nil {
			err = unclear(text)
		}
		if err != nil {
			return "", refusal("arguments."+name, fmt.Sprintf("the argument %q: %v", name, err), "Give the plain name or number of one thing.")
		}
		return text, nil
	})
	if err != nil {
		return err
	}
	for _, reading := range []string{sent, strings.ReplaceAll(sent, "%2F", "/")} {
		if err := f.access("arguments", path.Clean(reading)); err != nil {
			return err
		}
	}
	return nil
}

// unclear says what in a value could deceive its reader.
func unclear(text string) error {
	if disguised(text) {
		return errors.New("has characters that look like separators")
	}
	return suspicious(text)
}

// add adds the access to the resource that a value names.
func (f *finder) add(node json.Node) error {
	field := "arguments." + f.argument.Argument
	text, err := node.Text()
	if err != nil {
		return refusal(field, err.Error(), "Send a string, or a list of strings: it names what the tool acts on.")
	}
	resource, err := Resource(f.argument.Kind, text)
	if err != nil {
		return refusal(field, "the "+string(f.argument.Kind)+" "+err.Error(), "Write it in the usual form.")
	}
	return f.access(field, resource)
}

// access adds an access that is not there yet.
func (f *finder) access(field, resource string) error {
	if len(resource) > MaxResource {
		return refusal(field, fmt.Sprintf("the resource is longer than %d bytes", MaxResource), "Write it in the usual form.")
	}
	access := signalbox.Access{Operation: f.operation, Resource: resource}
	if slices.Contains(f.found, access) {
		return nil
	}
	if len(f.found) == MaxAccesses {
		return refusal(field, fmt.Sprintf("the call acts on more than %d resources", MaxAccesses), "Split it into several calls.")
	}
	f.found = append(f.found, access)
	return nil
}

func refusal(field, message, remedy string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The policy can not tell what the call would act on: %s.", message).
		WithField(field).WithRemedy(remedy)
}

// worst gives the most harmful operation.
func worst(accesses []signalbox.Access) signalbox.Operation {
	top := 0
	for _, a := range accesses {
		top = max(top, slices.Index(signalbox.Operations(), a.Operation))
	}
	return signalbox.Operations()[top]
}
