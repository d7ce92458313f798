package policy

import (
	"reflect"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"
	expast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

// TestSkippingCedarChangesNothing compares decisions about models with and without the short way for agents whose models
// are not restricted.
func TestSkippingCedarChangesNothing(t *testing.T) {
	names := []string{"a", "b", "vendor/c", "auto", ""}
	rapid.Check(t, func(t *rapid.T) {
		c := Config{}
		for _, id := range []string{"x", "y"} {
			a := Agent{ID: id}
			if rapid.Bool().Draw(t, "declared") {
				a.Permissions = &signalbox.Permissions{RequiresApproval: rapid.Bool().Draw(t, "requires")}
				if rapid.IntRange(0, 3).Draw(t, "restricted") == 0 {
					a.Permissions.Models = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "*", "v*"}), 0, 2).Draw(t, "globs")
				}
			}
			c.Agents = append(c.Agents, a)
		}
		if rapid.Bool().Draw(t, "risky") {
			c.Risk = []signalbox.RiskRule{{When: `model == "a"`, Level: signalbox.RiskMedium}}
		}
		p, _, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		long := *p
		long.skipsCedar = false
		r := Request{
			Kind: signalbox.KindModel, Caller: signalbox.Caller{Tenant: "acme", Agent: rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "agent")},
			Model: rapid.SampledFrom(names).Draw(t, "model"), Route: rapid.SampledFrom([]string{"", "a"}).Draw(t, "route"),
			Models: rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(t, "models"),
		}
		if got, want := p.Decide(r), long.Decide(r); !reflect.DeepEqual(got, want) {
			t.Fatalf("the short way says %+v, Cedar says %+v", got, want)
		}
	})
}

// TestWhatCedarIsAskedFitsTheSchema validates permits and requests of ours as the operator's rules are.
func TestWhatCedarIsAskedFitsTheSchema(t *testing.T) {
	p, _, err := Compile(Config{
		Servers: map[string]Server{"s": {}},
		Agents: []Agent{{ID: "x", Role: "research", Permissions: &signalbox.Permissions{Models: []string{"m"}, Tools: []signalbox.ToolPermission{
			{Name: "s.*", Operations: signalbox.Operations(), Resources: []string{"*"}},
		}}}},
		Cedar: []File{{Name: "f.cedar", Text: `forbid (principal, action, resource) when { context.who.tenant == "evil" };`}},
	})
	if err != nil {
		t.Fatal(err)
	}
	check := validator()
	for _, m := range []*permission{p.agents["x"].all[0], p.agents["x"].useModel, p.nobody.useModel} {
		if err := check.Policy(string(m.id), (*expast.Policy)(m.policy.AST())); err != nil {
			t.Errorf("the permit of %s: %v", m.id, err)
		}
	}
	for _, agent := range []string{"x", "", "other"} {
		caller := signalbox.Caller{Tenant: "acme", Agent: agent, Role: signalbox.RoleAgent}
		r := Request{Caller: caller, Tool: &signalbox.ToolRequest{Server: "s", Name: "t"}}
		j := &judgement{policy: p, agent: p.agent(agent), r: r, tool: p.tool(*r.Tool)}
		tool, model := j.tool.entities(), modelEntity("m")
		for action, resource := range map[cedar.String]cedar.Entity{"read": tool[0], "delete": tool[0], "use": model} {
			context := j.context(j.agent.all, signalbox.Access{Resource: "a"})
			if action == use {
				context = j.modelContext(nil)
			}
			request := cedar.Request{
				Principal: j.agent.principal(caller).UID, Action: cedar.NewEntityUID(typeAction, action), Resource: resource.UID, Context: context,
			}
			if err := check.Request(request); err != nil {
				t.Errorf("agent %q, action %s: %v", agent, action, err)
			}
		}
		for _, e := range []cedar.Entity{tool[0], tool[1], model, j.agent.principal(caller)} {
			if err := check.Entity(e); err != nil {
				t.Errorf("entity %v: %v", e.UID, err)
			}
		}
	}
}

func TestQuestionsCanBeLeftEarly(t *testing.T) {
	rule := fileRule{id: "f", policy: cedar.NewPolicyFromAST(ast.Permit())}
	q := question{permissions: []*permission{{id: "m"}}, files: []fileRule{rule, rule}}
	for _, stop := range []cedar.PolicyID{"m", "f"} {
		asked := 0
		for id := range q.All() {
			asked++
			if id == stop {
				break
			}
		}
		if want := map[cedar.PolicyID]int{"m": 1, "f": 2}[stop]; asked != want {
			t.Errorf("%d rules until %s, want %d", asked, stop, want)
		}
	}
	if _, ok := q.Get(cedar.NewEntityUID(typeTool, "unknown")); ok {
		t.Error("an entity that the question is not about is there")
	}
}

func TestMust(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("must does not panic")
		}
	}()
	must(0, errDots)
}
