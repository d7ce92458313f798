package policy

import (
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"
	expast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/signalbox/signalbox"
)

//go:embed schema.cedarschema
var schemaText string

// Schema gives the schema that rules in Cedar are validated against, in Cedar's own notation.
func Schema() string { return schemaText }

// The types of Cedar's entities, and the action for models.
const (
	typeAgent  = cedar.EntityType("Agent")
	typeServer = cedar.EntityType("Server")
	typeTool   = cedar.EntityType("Tool")
	typeModel  = cedar.EntityType("Model")
	typeAction = cedar.EntityType("Action")
	use        = cedar.String("use")
)

// validator is the same for all policies.
var validator = sync.OnceValue(func() *validate.Validator {
	var s schema.Schema
	must(0, s.UnmarshalCedar([]byte(schemaText)))
	return validate.New(must(s.Resolve()))
})

// permitTool is a permission as a permit. Its globs are in the condition as the permission's id.
func (a *agent) permitTool(m *permission) *cedar.Policy {
	actions := make([]cedar.EntityUID, len(m.operations))
	for i, op := range m.operations {
		actions[i] = cedar.NewEntityUID(typeAction, cedar.String(op))
	}
	return cedar.NewPolicyFromAST(ast.Permit().
		PrincipalEq(cedar.NewEntityUID(typeAgent, cedar.String(a.id))).
		ActionInSet(actions...).
		ResourceIs(typeTool).
		When(ast.Context().Access("permissions").Contains(ast.String(m.id))))
}

// permitModels is what an agent may use of its tenant's models, as a permit.
func (a *agent) permitModels() *cedar.Policy {
	p := ast.Permit()
	if a.id != "" {
		p = p.PrincipalEq(cedar.NewEntityUID(typeAgent, cedar.String(a.id)))
	}
	return cedar.NewPolicyFromAST(p.
		ActionEq(cedar.NewEntityUID(typeAction, use)).
		ResourceIs(typeModel).
		When(ast.Context().Access("permissions").Contains(ast.String(a.useModel.id))))
}

// fileRule is a rule of one of the operator's Cedar files.
type fileRule struct {
	id     cedar.PolicyID // Its place: "extra.cedar:12".
	policy *cedar.Policy
	scope  *cedar.Policy // The same without conditions; nil for a forbid that has conditions.
	line   string
}

// maxCedarErrors bounds how many rules of one file are said to be wrong at once.
const maxCedarErrors = 20

// CheckCedar says what is wrong with a Cedar file by itself, whatever else is configured: nil, or a *signalbox.Error for
// each rule that is wrong, up to a bound, joined ([errors.Join]).
func CheckCedar(name, text string) error {
	_, err := readFile(File{Name: name, Text: text})
	return err
}

// readFile parses and validates a Cedar file. The error has one for each rule that is wrong.
func readFile(f File) ([]fileRule, error) {
	remedy := "Correct the rule; the schema it must fit is in the documentation of policies."
	list, err := cedar.NewPolicyListFromBytes(f.Name, []byte(f.Text))
	if err != nil {
		return nil, invalid("policy.cedar", f.Name, "The file is not Cedar: %s.", oneLine(err.Error())).WithRemedy(remedy)
	}
	check := validator()
	var rules []fileRule
	var wrong []error
	for _, p := range list {
		if len(wrong) >= maxCedarErrors {
			break
		}
		at := p.Position()
		where := fmt.Sprintf("%s:%d", f.Name, at.Line)
		if err := check.Policy("", (*expast.Policy)(p.AST())); err != nil {
			wrong = append(wrong, invalid("policy.cedar", where, "The rule does not fit the schema: %s.", oneLine(err.Error())).WithRemedy(remedy))
			continue
		}
		rules = append(rules, fileRule{
			id: cedar.PolicyID(fmt.Sprintf("%s:%d", where, at.Column)), policy: p, scope: scopeOf(p),
			line: "cedar " + oneLine(string(p.MarshalCedar())),
		})
	}
	return rules, errors.Join(wrong...)
}

// scopeOf gives a rule without its conditions, for what could be permitted under some conditions.
func scopeOf(p *cedar.Policy) *cedar.Policy {
	conditional := *(*expast.Policy)(p.AST())
	if len(conditional.Conditions) > 0 && p.Effect() == cedar.Forbid {
		return nil
	}
	conditional.Conditions = nil
	return cedar.NewPolicyFromAST((*ast.Policy)(&conditional))
}

// oneLine makes one line of a text; Cedar's strings have no raw line breaks.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.TrimSuffix(strings.Join(lines, " "), ".")
}

// question is one authorization: the rules that can matter, and whom they are asked about. It is what Cedar iterates over.
type question struct {
	permissions []*permission
	files       []fileRule
	scopes      bool // Ask the scopes of the files' rules only.
	agent       cedar.Entity
	resource    [2]cedar.Entity // And its parent.
}

// All gives the rules in a fixed order.
func (q *question) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, m := range q.permissions {
			if !yield(cedar.PolicyID(m.id), m.policy) {
				return
			}
		}
		for i := range q.files {
			rule := q.files[i].policy
			if q.scopes {
				rule = q.files[i].scope
			}
			if rule != nil && !yield(q.files[i].id, rule) {
				return
			}
		}
	}
}

// Get gives an entity that the question is about.
func (q *question) Get(uid cedar.EntityUID) (cedar.Entity, bool) {
	for _, e := range []*cedar.Entity{&q.agent, &q.resource[0], &q.resource[1]} {
		if e.UID == uid {
			return *e, true
		}
	}
	return cedar.Entity{}, false
}

// answer is what Cedar says.
type answer struct {
	allowed bool
	by      []cedar.PolicyID // What permits or forbids, in the order of the question.
	errors  []string         // Rules that could not be evaluated: then nothing is allowed.
}

// ask authorizes an action of the question's agent on its resource.
func (q *question) ask(action cedar.String, context cedar.Record) answer {
	return authorize(q, q, cedar.Request{
		Principal: q.agent.UID, Action: cedar.NewEntityUID(typeAction, action), Resource: q.resource[0].UID, Context: context,
	})
}

// authorize asks Cedar, which leaves out rules that it can not evaluate; here any of them means no.
func authorize(rules cedar.PolicyIterator, entities cedar.EntityGetter, r cedar.Request) answer {
	decision, diagnostic := cedar.Authorize(rules, entities, r)
	a := answer{allowed: bool(decision)}
	for _, reason := range diagnostic.Reasons {
		a.by = append(a.by, reason.PolicyID)
	}
	for _, e := range diagnostic.Errors {
		a.errors = append(a.errors, string(e.PolicyID))
	}
	if len(a.errors) > 0 {
		a.allowed, a.by = false, nil
	}
	return a
}

// agentEntity is an agent as rules see it.
func agentEntity(id, role string, declared bool) cedar.Entity {
	return cedar.Entity{
		UID: cedar.NewEntityUID(typeAgent, cedar.String(id)),
		Attributes: cedar.NewRecord(cedar.RecordMap{
			"id": cedar.String(id), "role": cedar.String(role), "declared": cedar.Boolean(declared),
		}),
	}
}

// entities gives a tool and its server as rules see them.
func (t *tool) entities() [2]cedar.Entity {
	server := cedar.NewEntityUID(typeServer, cedar.String(t.server))
	return [2]cedar.Entity{{
		UID: cedar.NewEntityUID(typeTool, cedar.String(t.id)), Parents: cedar.NewEntityUIDSet(server),
		Attributes: cedar.NewRecord(cedar.RecordMap{
			"id": cedar.String(t.id), "name": cedar.String(t.name), "server": cedar.String(t.server), "mapped": cedar.Boolean(t.mapped),
		}),
	}, {UID: server, Attributes: cedar.NewRecord(cedar.RecordMap{"trusted": cedar.Boolean(t.trusted)})}}
}

// context is what rules see of a call, besides its access.
func (r *Request) context(risk signalbox.Risk, ids []*permission) cedar.RecordMap {
	who := cedar.NewRecord(cedar.RecordMap{
		"tenant": cedar.String(r.Caller.Tenant), "team": cedar.String(r.Caller.Team), "key": cedar.String(r.Caller.Key),
		"role": cedar.String(r.Caller.Role), "user": cedar.String(r.Caller.User), "parent_agent": cedar.String(r.Caller.ParentAgent),
	})
	return cedar.RecordMap{
		"permissions": permissionSet(ids), "risk": cedar.String(risk), "run": cedar.String(r.Run),
		"purpose": cedar.String(r.Purpose), "step_kind": cedar.String(r.StepKind), "who": who,
	}
}

// permissionSet is what Cedar is told of globs.
func permissionSet(list []*permission) cedar.Set {
	ids := make([]cedar.Value, len(list))
	for i, m := range list {
		ids[i] = m.id
	}
	return cedar.NewSet(ids...)
}

// set is a set of strings in Cedar.
func set(accesses []signalbox.Access) cedar.Set {
	var values []cedar.Value
	for _, x := range accesses {
		values = append(values, cedar.String(x.Resource))
	}
	return cedar.NewSet(slices.Clip(values)...)
}

// principalUID names the agent of a call.
func (a *agent) principalUID(c signalbox.Caller) cedar.EntityUID {
	return cedar.NewEntityUID(typeAgent, cedar.String(c.Agent))
}
