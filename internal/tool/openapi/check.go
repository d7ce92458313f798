package openapi

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// check says what is wrong with the arguments of a call, nil where nothing is. The error is of code invalid and names
// the argument and the part of its schema, never a value: arguments can be secret.
func (t *Tool) check(arguments []byte) *signalbox.Error {
	members, err := json.Object(arguments)
	if err != nil {
		return wrong("", "The arguments of %q can not be read: %v.", t.Name, err)
	}
	for _, m := range members.All() {
		if !t.has(m.Name) {
			return wrong(m.Name, "The tool %q has no argument %q; it has: %s.", t.Name, clip(m.Name), t.argumentNames())
		}
	}
	for _, p := range t.parameters {
		if p.required && !members.Has(p.argument) {
			return wrong(p.argument, "The argument %q of %q is missing.", p.argument, t.Name)
		}
	}
	if b := t.body; b != nil && b.required && !members.Has(b.argument) {
		return wrong(b.argument, "The argument %q of %q is missing.", b.argument, t.Name)
	}
	var values map[string]any
	if err := json.Unmarshal(arguments, &values); err != nil {
		return wrong("", "The arguments of %q can not be read: %v.", t.Name, err)
	}
	if err := t.checks.Validate(values); err != nil {
		return t.misfit(values, err)
	}
	return nil
}

// misfit names the first argument that alone makes the arguments unfit.
func (t *Tool) misfit(values map[string]any, all error) *signalbox.Error {
	for _, name := range t.arguments() {
		value, given := values[name]
		if !given {
			continue
		}
		others := map[string]any{name: value}
		if err := t.checks.Validate(others); err != nil && !strings.HasPrefix(reason(err), "required at #:") {
			return wrong(name, "The argument %q of %q does not fit its schema: %s.", name, t.Name, reason(err))
		}
	}
	return wrong("", "The arguments of %q do not fit their schema: %s.", t.Name, reason(all))
}

func (t *Tool) has(name string) bool {
	for _, known := range t.arguments() {
		if known == name {
			return true
		}
	}
	return false
}

// arguments gives the names of all arguments, in order.
func (t *Tool) arguments() []string {
	var names []string
	for _, p := range t.parameters {
		names = append(names, p.argument)
	}
	if t.body != nil {
		names = append(names, t.body.argument)
	}
	return names
}

func (t *Tool) argumentNames() string {
	if names := t.arguments(); len(names) > 0 {
		return clip(strings.Join(names, ", "))
	}
	return "none"
}

// steps are how the validator says where it is: "validating root: validating /properties/age: minimum: …".
var (
	steps   = regexp.MustCompile(`validating (\S+): `)
	keyword = regexp.MustCompile(`^[A-Za-z]+`)
	missing = regexp.MustCompile(`^required: missing properties: (\[.*\])$`)
)

// reason gives keyword and place out of an error of the validator, without the value.
func reason(err error) string {
	text := err.Error()
	at := "root"
	for {
		m := steps.FindStringSubmatch(text)
		if m == nil || !strings.HasPrefix(text, m[0]) {
			break
		}
		at, text = m[1], strings.TrimPrefix(text, m[0])
	}
	if at = "#" + strings.TrimPrefix(at, "root"); strings.HasPrefix(text, "unexpected additional properties") {
		return fmt.Sprintf("it has members that are not allowed (additionalProperties at %s)", clip(at))
	}
	if m := missing.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("required at %s: it lacks %s", clip(at), clip(m[1]))
	}
	return fmt.Sprintf("%s at %s", keyword.FindString(text), clip(at))
}

func wrong(argument, format string, args ...any) *signalbox.Error {
	field := "arguments"
	if argument != "" {
		field += "." + clip(argument)
	}
	return signalbox.Errorf(signalbox.CodeInvalid, format, args...).WithField(field).
		WithRemedy("Correct the arguments; tools/list shows their schema.")
}
