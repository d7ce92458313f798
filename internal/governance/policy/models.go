package policy

import (
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go"

	"github.com/signalbox/signalbox"
)

// judgeModels decides which of the models that could serve a call may do it.
func (j *judgement) judgeModels() {
	j.findRisk()
	names := j.r.Models
	if names == nil {
		names = []string{j.r.Model}
	}
	if j.policy.skipsCedar && j.agent.models == nil && len(j.policy.files) == 0 {
		j.Models, j.Rules = names, nil
		j.Rule = j.agent.modelsRule()
	} else {
		j.askModels(names)
	}
	if len(j.Models) == 0 {
		j.modelDenied(names)
		return
	}
	j.Allowed, j.Status = true, signalbox.StatusPassed
	if j.agent.models != nil {
		j.parts = append(j.parts, j.agent.useModel.line)
	}
	j.demand("")
}

// askModels asks about each model by itself.
func (j *judgement) askModels(names []string) {
	for _, name := range names {
		v := j.judgeModel(name)
		j.verdicts = append(j.verdicts, v)
		if v.allows() {
			j.Models, j.Rules = append(j.Models, name), append(j.Rules, v.rule)
		}
	}
	if len(j.Models) > 0 {
		j.Rule = j.Rules[0]
	} else if len(j.verdicts) > 0 {
		j.Rule = j.verdicts[0].rule
	}
	j.Rules = nil
}

func (j *judgement) judgeModel(name string) verdict {
	q := question{files: j.policy.files, agent: j.agent.principal(j.r.Caller)}
	q.resource[0] = modelEntity(name)
	var best *permission
	if j.agent.covers(name, j.r.Route) {
		best = j.agent.useModel
		q.permissions = []*permission{best}
	}
	v := j.verdict(q.ask(use, j.modelContext(q.permissions)), best)
	switch {
	case v.outcome == permitted && best != nil:
		v.rule = j.agent.modelsRule()
	case v.outcome == missing:
		v.rule = j.agent.useModel.name()
	}
	return v
}

// modelEntity is a model as rules see it.
func modelEntity(name string) cedar.Entity {
	return cedar.Entity{
		UID:        cedar.NewEntityUID(typeModel, cedar.String(name)),
		Attributes: cedar.NewRecord(cedar.RecordMap{"name": cedar.String(name)}),
	}
}

// modelContext is what rules see of a call of a model.
func (j *judgement) modelContext(permissions []*permission) cedar.Record {
	if len(j.policy.files) == 0 {
		return lean(permissions)
	}
	m := j.r.context(j.Risk, permissions)
	m["route"] = cedar.String(j.r.Route)
	return cedar.NewRecord(m)
}

// covers reports whether the agent's models are all, or one of its globs matches the model or the route that chose it.
func (a *agent) covers(model, route string) bool {
	return a.models == nil || anyMatches(a.models, flatten(model)) || route != "" && anyMatches(a.models, flatten(route))
}

// modelsRule says what permits the agent's models.
func (a *agent) modelsRule() string {
	if a.models == nil {
		return "all models of the tenant"
	}
	return a.useModel.name()
}

// modelDenied says that none of the models may be used.
func (j *judgement) modelDenied(names []string) {
	if len(names) == 0 {
		j.Rule = "nothing could serve the call"
	}
	message := fmt.Sprintf("%s may not use the model %q: %s.", j.who(), j.r.Model, j.because(j.verdicts))
	remedy := "Ask for another model."
	if slices.ContainsFunc(j.verdicts, func(v verdict) bool { return v.outcome == missing }) {
		remedy = fmt.Sprintf("Ask for another model, or have the operator add %q to the models of %s.", names[0], j.agent.where())
	}
	j.deny(signalbox.CodeForbidden, "model", message, remedy)
}
