package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type policyCmd struct {
	Show    policyShowCmd    `cmd:"" help:"Show who may do what, by the policy in force."`
	Explain policyExplainCmd `cmd:"" help:"Say what would become of a call, by which line, and what would change it; code 1 where it is denied."`
	Test    policyTestCmd    `cmd:"" help:"Compare decisions with a table of expected ones; code 1 where one differs."`
}

type policyShowCmd struct {
	remote
	format
}

// Run shows the policy.
func (k *policyShowCmd) Run(c *console) error {
	var p api.PolicyView
	if err := k.get(c.ctx, "/policy", nil, &p); err != nil {
		return err
	}
	var rows [][]string
	for _, a := range p.Agents {
		if len(a.Tools) == 0 {
			rows = append(rows, []string{a.ID, "-", "-", "-", "-", "-"})
		}
		for _, t := range a.Tools {
			var operations []string
			for _, o := range t.Operations {
				operations = append(operations, string(o))
			}
			rows = append(rows, []string{
				a.ID, t.Name, strings.Join(operations, ","), strings.Join(t.Resources, " "), text(t.MaxPerMinute), t.Source,
			})
		}
	}
	if err := k.print(c, p, []string{"AGENT", "TOOL", "OPERATIONS", "RESOURCES", "PER MINUTE", "SOURCE"}, rows); err != nil || k.Output == outputJSON {
		return err
	}
	for _, w := range p.Warnings {
		if _, err := fmt.Fprintf(c.errOut, "warning: %s: %s\n", w.Source, w.Text); err != nil {
			return err
		}
	}
	return nil
}

// judge decides about calls that are not made: by the server, or by a configuration file.
type judge func(q api.PolicyQuestion) (api.PolicyAnswer, error)

// judging says who decides.
type judging struct {
	remote
	Config string `help:"Decide by this configuration file, without a server and without break-glass grants." type:"path" placeholder:"FILE"`
}

func (k *judging) judge(c *console) (judge, error) {
	if k.Config == "" {
		return func(q api.PolicyQuestion) (a api.PolicyAnswer, err error) {
			r := api.ExplainRequest{Tenant: q.Tenant, Agent: q.Agent, Tool: q.Tool, Model: q.Model, Purpose: q.Purpose, StepKind: q.StepKind}
			r.Arguments.Value = q.Arguments
			return a, k.do(c.ctx, http.MethodPost, "/policy/explain", r, &a)
		}, nil
	}
	loaded, err := config.Load(k.Config, os.LookupEnv, server.ConfigOptions())
	if err != nil {
		return nil, err
	}
	p, _, err := server.CompilePolicy(loaded)
	if err != nil {
		return nil, err
	}
	return offline(loaded, p), nil
}

// offline decides by a configuration, as its server would.
func offline(c *config.Config, p *policy.Policy) judge {
	roles := map[string]string{}
	for _, a := range c.Agents {
		roles[a.ID] = a.Role
	}
	return func(q api.PolicyQuestion) (api.PolicyAnswer, error) {
		if q.Tenant == "" && len(c.Tenants) > 0 {
			q.Tenant = c.Tenants[0].ID
		}
		return server.Answer(p.Explain(server.Question(q, roles[q.Agent], nil))), nil
	}
}

type policyExplainCmd struct {
	judging
	format
	Agent    string `help:"Who would make the call; nobody in particular unless given."`
	Tool     string `help:"The tool, such as files.delete_file." xor:"what" required:""`
	Model    string `help:"Or the model." xor:"what" required:""`
	Args     string `help:"The tool's arguments, a JSON object." placeholder:"JSON"`
	Tenant   string `help:"Whose call; the key's own tenant unless given, or the first of the file."`
	Purpose  string `help:"As X-Signalbox-Purpose would say it."`
	StepKind string `help:"As X-Signalbox-Step-Kind would say it."`
}

// Run explains a decision.
func (k *policyExplainCmd) Run(c *console) error {
	if k.Args != "" {
		if _, err := json.Object([]byte(k.Args)); err != nil {
			return &usageError{"--args is no JSON object: " + err.Error()}
		}
	}
	decide, err := k.judge(c)
	if err != nil {
		return err
	}
	a, err := decide(api.PolicyQuestion{
		Tenant: k.Tenant, Agent: k.Agent, Tool: k.Tool, Model: k.Model, Arguments: json.Value(k.Args), Purpose: k.Purpose, StepKind: k.StepKind,
	})
	if err != nil {
		return err
	}
	if err := k.print(c, a, []string{"FIELD", "VALUE"}, answerFields(a)); err != nil {
		return err
	}
	if !a.Allowed {
		return errNo
	}
	return nil
}

func answerFields(a api.PolicyAnswer) [][]string {
	rows := [][]string{{"decision", decision(a)}, {"rule", plain(a.Rule)}, {"message", plain(a.Message)}}
	for _, x := range a.Accesses {
		rows = append(rows, []string{"access", plain(fmt.Sprintf("%s %q: %s", x.Operation, x.Resource, text(x.Rule)))})
	}
	rows = append(rows, []string{"risk", string(a.RiskLevel)}, []string{"risk rule", plain(text(a.RiskRule))})
	if a.Approvers > 0 {
		rows = append(rows, []string{"approvers", strconv.Itoa(a.Approvers) + " with the role " + text(a.Role) + ": " + plain(text(a.WhyApproval))})
	}
	for _, w := range a.WouldChange {
		rows = append(rows, []string{"would change it", plain(w)})
	}
	return append(rows, []string{"policy", a.PolicyVersion})
}
