package route

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// CostLimit bounds the evaluation of one condition, in CEL's units of cost: about one per operation or ten characters.
const CostLimit = 10_000

// MaxCondition bounds the text of a condition, in bytes.
const MaxCondition = 4096

// Variables are what conditions can speak of, with their CEL types. All of them are always there: a text that was not
// given is "", a step.index that was not given -1.
func Variables() map[string]string {
	names := make(map[string]string, len(variables))
	for name, v := range variables {
		names[name] = v.kind.String()
	}
	return names
}

type variable struct {
	kind  *cel.Type
	value func(*call.Track) any
}

var variables = map[string]variable{
	"step.kind":      {cel.StringType, func(t *call.Track) any { return t.Call.Claims.StepKind }},
	"step.index":     {cel.IntType, stepIndex},
	"model":          {cel.StringType, func(t *call.Track) any { return t.Call.Model.Model }},
	"agent.id":       {cel.StringType, func(t *call.Track) any { return t.Gate.Caller.Agent }},
	"agent.role":     {cel.StringType, func(t *call.Track) any { return t.Gate.Caller.AgentRole }},
	"tenant":         {cel.StringType, func(t *call.Track) any { return t.Gate.Caller.Tenant }},
	"run":            {cel.StringType, func(t *call.Track) any { return t.Gate.Run }},
	"input.bytes":    {cel.IntType, func(t *call.Track) any { return int64(len(t.Call.Body)) }},
	"input.messages": {cel.IntType, func(t *call.Track) any { return int64(t.Call.Model.Messages) }},
	"input.tools":    {cel.IntType, func(t *call.Track) any { return int64(t.Call.Model.Tools) }},
	"stream":         {cel.BoolType, func(t *call.Track) any { return t.Call.Stream }},
}

func stepIndex(t *call.Track) any {
	if t.Call.Claims.Step == nil {
		return int64(-1)
	}
	return *t.Call.Claims.Step
}

// compiled is a route with its condition.
type compiled struct {
	Route
	program cel.Program // Nil always holds.
}

// Check says what is wrong with a condition; nil for a good one.
func Check(expression string) error {
	_, err := compile(expression)
	return err
}

func compile(expression string) (cel.Program, error) {
	switch {
	case expression == "":
		return nil, nil //nolint:nilnil // Without a condition a route always applies.
	case len(expression) > MaxCondition:
		return nil, fmt.Errorf("the condition is longer than %d bytes", MaxCondition)
	}
	var options []cel.EnvOption
	for name, v := range variables {
		options = append(options, cel.Variable(name, v.kind))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return nil, errors.New(firstLine(err.Error()))
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("the condition is of type %s; it must be true or false", ast.OutputType())
	}
	return env.Program(ast, cel.CostLimit(CostLimit), cel.EvalOptions(cel.OptOptimize))
}

// firstLine leaves out the drawing of the expression that follows the message.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimPrefix(line, "ERROR: ")
}

// applies evaluates the condition.
func (c compiled) applies(t *call.Track) (bool, error) {
	if c.program == nil {
		return true, nil
	}
	values := make(map[string]any, len(variables))
	for name, v := range variables {
		values[name] = v.value(t)
	}
	result, _, err := c.program.Eval(values)
	if err != nil {
		return false, signalbox.Errorf(signalbox.CodeInternal, "The condition of route %q could not be evaluated.", c.Name).
			WithField("model").WithCause(err).
			WithRemedy("Name a model instead, and tell the operator: the route's condition needs correction.")
	}
	holds, _ := result.Value().(bool)
	return holds, nil
}

// route finds the route that is asked for; nil where none is.
func (r *Resolver) route(name string, t *call.Track) (*compiled, error) {
	for i := range r.routes {
		if r.routes[i].Name == name {
			return &r.routes[i], nil
		}
	}
	if name != Auto {
		return nil, nil //nolint:nilnil // The name may mean something else.
	}
	for i := range r.routes {
		holds, err := r.routes[i].applies(t)
		if err != nil {
			return nil, err
		}
		if holds {
			return &r.routes[i], nil
		}
	}
	return nil, signalbox.Errorf(signalbox.CodeNotFound, "No route applies to this call, so that %q means nothing here.", Auto).
		WithField("model").WithRemedy("Name a model" + r.suggest("", t.Gate.Caller.Tenant) + ", or have the operator add a route without a condition.")
}
