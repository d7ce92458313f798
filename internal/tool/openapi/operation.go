package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// operation is an operation under compilation.
type operation struct {
	*document
	item, node *node
	method     string // In small letters.
	template   string
	at, itemAt string

	tool  *Tool
	taken map[string]bool // Names of arguments, in small letters.
}

// build makes the tool. An *unbuiltError leaves the operation out.
func (o *operation) build() (*Tool, error) {
	o.tool = &Tool{Name: o.name(), Method: strings.ToUpper(o.method), Template: o.template}
	o.taken = map[string]bool{}
	switch {
	case o.method == "trace":
		return nil, unbuilt(o.at, "has the method TRACE, which shows headers to the caller")
	case o.node.get("servers").exists() || o.item.get("servers").exists():
		return nil, unbuilt(o.at, "has servers of its own, where all requests go to the url of the configuration")
	}
	for _, step := range []func() error{o.parameters, o.path, o.body, o.input} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	output, err := o.output()
	if err != nil {
		return nil, err
	}
	o.tool.entry = o.entry(output)
	return o.tool, nil
}

var outsideOfNames = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// name gives the tool's name. What is too long is closed by a hash of the whole.
func (o *operation) name() string {
	text := o.node.get("operationId").text()
	name := plainName(text)
	if name == "" {
		text = o.method + strings.NewReplacer("{", "", "}", "").Replace(o.template)
		name = plainName(text)
	}
	if len(name) > MaxName {
		hash := sha256.Sum256([]byte(text))
		name = name[:MaxName-9] + "_" + hex.EncodeToString(hash[:4])
	}
	return name
}

func plainName(text string) string {
	return strings.Trim(outsideOfNames.ReplaceAllString(text, "_"), "_.-")
}

// maxArgument is how long names of arguments may be: some APIs of models take no longer ones.
const maxArgument = 64

// argument gives a free name for an argument: as it is called, else with its place in front. Case does not divide names.
func (o *operation) argument(name, in string) string {
	plain := strings.Trim(unsafeInArguments.ReplaceAllString(name, "_"), "_")
	if plain == "" {
		plain = in
	}
	plain = plain[:min(len(plain), maxArgument-12)]
	free := plain
	for n := 1; o.taken[strings.ToLower(free)]; n++ {
		if free = in + "_" + plain; n > 1 {
			free = fmt.Sprintf("%s_%s_%d", in, plain, n)
		}
	}
	o.taken[strings.ToLower(free)] = true
	return free
}

var unsafeInArguments = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// literal is a path with names of parameters in braces. What is outside of it can be read in several ways by servers.
var literal = regexp.MustCompile(`^(?:/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|\{[^{}/]+\})*)+$`)

// path makes the template with names of arguments.
func (o *operation) path() error {
	at := under("", "paths", o.template)
	if !literal.MatchString(o.template) {
		return unbuilt(at, "has a path that is more than segments of letters, digits, usual signs and {parameters}")
	}
	segments := strings.Split(o.template, "/")[1:]
	for i, segment := range segments {
		if strings.Trim(segment, ".") == "" && (segment != "" || i < len(segments)-1) {
			return unbuilt(at, "has a path with empty segments or steps")
		}
	}
	var missing []string
	text := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllStringFunc(o.template, func(braces string) string {
		name := strings.Trim(braces, "{}")
		i := slices.IndexFunc(o.tool.parameters, func(p parameter) bool { return p.in == "path" && p.name == name })
		if i < 0 {
			missing = append(missing, name)
			return braces
		}
		return "{" + o.tool.parameters[i].argument + "}"
	})
	if len(missing) > 0 {
		return fault(o.at, fmt.Sprintf("has no parameter in path that is called %q, as the path has", clip(missing[0])), "Declare it, or correct the path.")
	}
	for _, p := range o.tool.parameters {
		if p.in == "path" && !strings.Contains(o.template, "{"+p.name+"}") {
			return fault(o.at, fmt.Sprintf("has a parameter %q in path that the path does not have", clip(p.name)), "Remove it, or correct the path.")
		}
	}
	o.tool.Path = signalbox.PathTemplate(text)
	return nil
}

// input makes the schema of the arguments.
func (o *operation) input() error {
	s := o.schemas(false, func(format string, args ...any) { o.document.warn(o, format, args...) })
	var properties, all object
	var required []string
	add := func(argument string, schema *node, description string, needed bool, where spot) error {
		b, err := s.convert(schema, where)
		if err != nil {
			return err
		}
		properties.add(argument, described(b, description))
		if needed {
			required = append(required, argument)
		}
		return nil
	}
	for _, p := range o.tool.parameters {
		if err := add(p.argument, p.schema, p.description, p.required, spot{at: p.at}); err != nil {
			return err
		}
	}
	if b := o.tool.body; b != nil {
		if err := add(b.argument, b.schema, b.description, b.required, spot{at: b.at}); err != nil {
			return err
		}
	}
	definitions, err := s.definitions()
	if err != nil {
		return err
	}
	all.text("type", "object")
	all.add("properties", properties.bytes())
	if len(required) > 0 {
		all.add("required", quoted(required))
	}
	all.add("additionalProperties", []byte("false"))
	o.tool.input = with(all.bytes(), definitions)
	o.tool.checks, err = compile(o.tool.input)
	if err != nil {
		return unbuilt(o.at, "has schemas that can not be checked: %s", clip(err.Error()))
	}
	return nil
}

// described adds a parameter's description to its schema, where that has none.
func described(schema []byte, description string) []byte {
	if description == "" {
		return schema
	}
	root, err := json.Parse(schema, json.Limits{CaseVariants: true})
	if err != nil || root.Kind() != '{' {
		return schema
	}
	members, _ := root.Object()
	if members.Has("description") {
		return schema
	}
	var o object
	o.text("description", description)
	for _, m := range members.All() {
		o.add(m.Name, m.Value.Bytes())
	}
	return o.bytes()
}

// maxOutput bounds the schema of an answer: larger ones fill a model's context and help nobody.
const maxOutput = 16 << 10

// output gives the schema of the answer, nil where it is not a simple one: exactly one answer of success, an object in JSON.
func (o *operation) output() ([]byte, error) {
	responses := o.node.get("responses")
	var only *node
	at := ""
	for _, status := range responses.names {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		if only != nil {
			return nil, nil
		}
		var err error
		if only, at, err = o.follow(responses.get(status), under(o.at, "responses", status)); err != nil {
			return nil, err
		}
	}
	if only == nil || len(only.get("content").names) != 1 || !isJSON(only.get("content").names[0]) {
		return nil, nil
	}
	media := only.get("content").names[0]
	return o.answer(only.get("content").get(media).get("schema"), under(at, "content", media, "schema"))
}

func (o *operation) answer(schema *node, at string) ([]byte, error) {
	target, _, err := o.follow(schema, at)
	if err != nil || target.get("type").text() != "object" || target.get("nullable").isTrue() {
		return nil, err
	}
	s := o.schemas(true, func(string, ...any) {})
	b, err := s.convert(schema, spot{at: at})
	if err != nil {
		return nil, nil //nolint:nilerr // It is only a hint.
	}
	definitions, err := s.definitions()
	if err != nil || len(b)+len(definitions) > maxOutput {
		return nil, nil //nolint:nilerr // As above.
	}
	b = with(anObject(b), definitions)
	if o.tool.fits, err = compile(b); err != nil {
		return nil, nil //nolint:nilerr // As above.
	}
	return b, nil
}

// anObject says that a schema is for objects and nothing else, as the protocol wants it of answers.
func anObject(schema []byte) []byte {
	var o object
	o.text("type", "object")
	root, err := json.Object(schema)
	if err != nil {
		return o.bytes()
	}
	for _, m := range root.All() {
		if m.Name != "type" {
			o.add(m.Name, m.Value.Bytes())
		}
	}
	return o.bytes()
}

func compile(schema []byte) (*jsonschema.Resolved, error) {
	s := new(jsonschema.Schema)
	if err := json.Unmarshal(schema, s); err != nil {
		return nil, err
	}
	return s.Resolve(nil)
}
