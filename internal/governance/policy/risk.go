package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// CostLimit bounds the evaluation of one condition, in CEL's units of cost: about one per operation or ten characters.
const CostLimit = 10_000

// MaxCondition bounds the text of a condition, in bytes.
const MaxCondition = 4096

// Variables are what conditions of risk rules can speak of, with their CEL types. All are always there: a text that
// was not given is "", and a call of a model has no arguments and no resources.
func Variables() map[string]string {
	names := make(map[string]string, len(variables))
	for name, kind := range variables {
		names[name] = kind.String()
	}
	return names
}

var variables = map[string]*cel.Type{
	"call.kind": cel.StringType, "call.tenant": cel.StringType, "call.team": cel.StringType, "call.key": cel.StringType,
	"call.user": cel.StringType, "call.run": cel.StringType, "call.step_kind": cel.StringType,
	"agent.id": cel.StringType, "agent.role": cel.StringType,
	"tool.id": cel.StringType, "tool.server": cel.StringType, "tool.name": cel.StringType,
	"model": cel.StringType, "operation": cel.StringType, "resources": cel.ListType(cel.StringType),
	"arguments": cel.MapType(cel.StringType, cel.DynType), "purpose": cel.StringType,
}

// environment is the same for all conditions; it is made when the first is compiled.
var environment = sync.OnceValue(func() *cel.Env {
	var options []cel.EnvOption
	for name, kind := range variables {
		options = append(options, cel.Variable(name, kind))
	}
	return must(cel.NewEnv(options...))
})

// CheckCEL says what is wrong with the condition of a risk rule; nil for a good one.
func CheckCEL(expression string) error {
	_, err := compileCEL(expression)
	return err
}

// condition is a compiled condition.
type condition struct {
	program   cel.Program
	arguments bool // It speaks of them.
	never     bool // It is the constant false.
}

func compileCEL(expression string) (condition, error) {
	switch {
	case strings.TrimSpace(expression) == "":
		return condition{}, errors.New("the condition is empty")
	case len(expression) > MaxCondition:
		return condition{}, fmt.Errorf("the condition is longer than %d bytes", MaxCondition)
	}
	env := environment()
	checked, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return condition{}, errors.New(strings.TrimPrefix(line, "ERROR: "))
	}
	if checked.OutputType() != cel.BoolType {
		return condition{}, fmt.Errorf("the condition is of type %s; it must be true or false", checked.OutputType())
	}
	program, err := env.Program(checked, cel.CostLimit(CostLimit), cel.EvalOptions(cel.OptOptimize))
	root := checked.NativeRep().Expr()
	return condition{
		program: program, arguments: strings.Contains(expression, "arguments"),
		never: root.Kind() == ast.LiteralKind && root.AsLiteral().Value() == false,
	}, err
}

// riskRule is a rule that raises the risk.
type riskRule struct {
	signalbox.RiskRule
	condition
	line string
}

// baseRisk is the risk that follows from the operation; "" is a call of a model.
func baseRisk(operation signalbox.Operation) signalbox.Risk {
	switch operation {
	case signalbox.OperationDelete:
		return signalbox.RiskHigh
	case signalbox.OperationWrite:
		return signalbox.RiskMedium
	case signalbox.OperationRead:
	}
	return signalbox.RiskLow
}

func higher(a, b signalbox.Risk) bool {
	return slices.Index(signalbox.Risks(), a) > slices.Index(signalbox.Risks(), b)
}

// risk gives the risk of a call, and the rule that raised it, nil where none did. A rule that can not be evaluated
// counts as true: the text says so.
func (p *Policy) risk(r *Request, a *agent, operation signalbox.Operation, accesses []signalbox.Access) (signalbox.Risk, *riskRule, string) {
	level, text := baseRisk(operation), ""
	var by *riskRule
	var values map[string]any
	for i := range p.risks {
		rule := &p.risks[i]
		if !higher(rule.Level, level) {
			continue
		}
		if values == nil {
			values = p.values(r, a, operation, accesses)
		}
		result, _, err := rule.program.Eval(values)
		if err == nil && result.Value() != true {
			continue
		}
		level, by, text = rule.Level, rule, rule.name(i)
		if err != nil {
			text += " (could not be evaluated, so it counts as true: " + err.Error() + ")"
		}
	}
	return level, by, text
}

func (r *riskRule) name(i int) string {
	return place(r.Source, fmt.Sprintf("policy.risk[%d]", i)) + ": " + r.When
}

// values are what conditions see.
func (p *Policy) values(r *Request, a *agent, operation signalbox.Operation, accesses []signalbox.Access) map[string]any {
	t := signalbox.ToolRequest{}
	id := ""
	if r.Tool != nil {
		t, id = *r.Tool, r.Tool.ID()
	}
	resources := make([]string, 0, len(accesses))
	for _, x := range accesses {
		resources = append(resources, x.Resource)
	}
	arguments := map[string]any{}
	if p.speaksOfArguments && len(t.Arguments) > 0 {
		arguments = argumentValues(t.Arguments)
	}
	return map[string]any{
		"call.kind": string(r.Kind), "call.tenant": r.Caller.Tenant, "call.team": r.Caller.Team, "call.key": r.Caller.Key,
		"call.user": r.Caller.User, "call.run": r.Run, "call.step_kind": r.StepKind,
		"agent.id": r.Caller.Agent, "agent.role": a.roleOf(r.Caller),
		"tool.id": id, "tool.server": t.Server, "tool.name": t.Name,
		"model": r.Model, "operation": string(operation), "resources": resources,
		"arguments": arguments, "purpose": r.Purpose,
	}
}

// argumentValues reads arguments for conditions. What is no object has no members, so that conditions about them can not
// be evaluated.
func argumentValues(data []byte) map[string]any {
	members, err := json.Object(data)
	if err != nil {
		return map[string]any{}
	}
	return objectValues(members)
}

func objectValues(members json.Members) map[string]any {
	values := make(map[string]any, members.Len())
	for _, m := range members.All() {
		values[m.Name] = plain(m.Value)
	}
	return values
}

// plain gives a value of JSON as Go's. Whole numbers are integers where they fit, all others floats.
func plain(n json.Node) any {
	switch n.Kind() {
	case '{':
		members, _ := n.Object()
		return objectValues(members)
	case '[':
		list, _ := n.Array()
		values := make([]any, len(list))
		for i := range list {
			values[i] = plain(list[i])
		}
		return values
	case '"':
		text, _ := n.Text()
		return text
	case 't', 'f':
		return n.Kind() == 't'
	case '0':
		if i, err := n.Int(); err == nil {
			return i
		}
		f, _ := strconv.ParseFloat(string(n.Bytes()), 64)
		return f
	}
	return nil
}
