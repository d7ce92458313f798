package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// Bounds of a table of expected decisions.
const (
	maxPolicyTable = 4 << 20 // Bytes.
	maxPolicyTests = 10_000
)

// The decisions that a table can expect.
const (
	expectAllow   = "allow"   // At once.
	expectApprove = "approve" // When people agree.
	expectDeny    = "deny"
)

// decision is what an answer is in the words of a table.
func decision(a api.PolicyAnswer) string {
	switch {
	case !a.Allowed:
		return expectDeny
	case a.Approvers > 0:
		return expectApprove
	}
	return expectAllow
}

// expectation is one line of a table: a call, and what is to become of it.
type expectation struct {
	Name     string         `json:"name"`
	Tenant   string         `json:"tenant"`
	Agent    string         `json:"agent"`
	Tool     string         `json:"tool"`
	Model    string         `json:"model"`
	Args     json.Value     `json:"args"`
	Purpose  string         `json:"purpose"`
	StepKind string         `json:"step_kind"`
	Expect   string         `json:"expect"`
	Risk     signalbox.Risk `json:"risk"` // "": any.
	Rule     string         `json:"rule"` // Part of the rule that decides; "": any.
}

// mismatch is a decision that is not the expected one.
type mismatch struct {
	Test    int    `json:"test"` // From 1.
	Name    string `json:"name"`
	Agent   string `json:"agent"`
	Target  string `json:"target"` // The tool or model.
	Want    string `json:"want"`
	Got     string `json:"got"`
	Message string `json:"message"`
}

// tested is what came of a table.
type tested struct {
	Tests      int        `json:"tests"`
	Mismatches []mismatch `json:"mismatches"`
}

type policyTestCmd struct {
	judging
	format
	File string `arg:"" type:"existingfile" help:"The table, YAML or JSON: a list of {agent, tool, args, expect: allow, approve or deny, risk, rule}."`
}

// Run compares.
func (k *policyTestCmd) Run(c *console) error {
	table, err := readExpectations(k.File)
	if err != nil {
		return err
	}
	decide, err := k.judge(c)
	if err != nil {
		return err
	}
	done := tested{Tests: len(table), Mismatches: []mismatch{}}
	for i := range table {
		e := &table[i]
		a, err := decide(api.PolicyQuestion{
			Tenant: e.Tenant, Agent: e.Agent, Tool: e.Tool, Model: e.Model, Arguments: e.Args, Purpose: e.Purpose, StepKind: e.StepKind,
		})
		if err != nil {
			return fmt.Errorf("test %d: %w", i+1, err)
		}
		if m, bad := e.compare(a); bad {
			m.Test = i + 1
			done.Mismatches = append(done.Mismatches, m)
		}
	}
	return k.report(c, done)
}

// compare says how an answer differs from what is expected.
func (e *expectation) compare(a api.PolicyAnswer) (mismatch, bool) {
	m := mismatch{Name: e.Name, Agent: e.Agent, Target: e.Tool + e.Model, Message: a.Message}
	differ := func(want, got string) (mismatch, bool) {
		m.Want, m.Got = want, got
		return m, true
	}
	switch {
	case decision(a) != e.Expect:
		return differ(e.Expect, decision(a))
	case e.Risk != "" && a.RiskLevel != e.Risk:
		return differ("risk "+string(e.Risk), "risk "+string(a.RiskLevel))
	case !strings.Contains(a.Rule, e.Rule):
		return differ("rule "+e.Rule, "rule "+a.Rule)
	}
	return m, false
}

func (k *policyTestCmd) report(c *console, done tested) error {
	var rows [][]string
	for _, m := range done.Mismatches {
		rows = append(rows, []string{strconv.Itoa(m.Test), m.Name, m.Agent, m.Target, plain(m.Want), plain(m.Got), plain(m.Message)})
	}
	failed := len(done.Mismatches) > 0
	if failed || k.Output == outputJSON {
		if err := k.print(c, done, []string{"TEST", "NAME", "AGENT", "TARGET", "WANT", "GOT", "MESSAGE"}, rows); err != nil {
			return err
		}
	}
	if k.Output != outputJSON {
		if _, err := fmt.Fprintf(c.out, "%d of %d decisions are as expected\n", done.Tests-len(rows), done.Tests); err != nil {
			return err
		}
	}
	if failed {
		return errNo
	}
	return nil
}

// readExpectations reads a table. One that is empty, or says something that is not understood, is refused: a test that can
// not fail proves nothing.
func readExpectations(path string) ([]expectation, error) {
	data, err := readFile(path, maxPolicyTable)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(filepath.Ext(path), ".json") {
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return nil, &usageError{path + ": " + yaml.FormatError(err, false, false)}
		}
	}
	var table []expectation
	if err := json.UnmarshalKnown(data, &table); err != nil {
		return nil, &usageError{path + ": " + err.Error()}
	}
	if len(table) == 0 || len(table) > maxPolicyTests {
		return nil, &usageError{fmt.Sprintf("%s: it has %d tests; 1 to %d are taken", path, len(table), maxPolicyTests)}
	}
	for i := range table {
		if err := table[i].check(); err != nil {
			return nil, &usageError{fmt.Sprintf("%s: test %d: %v", path, i+1, err)}
		}
	}
	return table, nil
}

// check refuses what would not be compared as it is meant.
func (e *expectation) check() error {
	if e.Expect != expectAllow && e.Expect != expectApprove && e.Expect != expectDeny {
		return fmt.Errorf("expect is %q; say allow, approve (allowed once people agree) or deny", e.Expect)
	}
	if (e.Tool == "") == (e.Model == "") {
		return fmt.Errorf("name a tool as server.tool, or a model")
	}
	if e.Risk != "" && e.Risk != signalbox.RiskLow && e.Risk != signalbox.RiskMedium && e.Risk != signalbox.RiskHigh {
		return fmt.Errorf("risk is %q; say low, medium or high", e.Risk)
	}
	if len(e.Args) > 0 {
		if _, err := json.Object(e.Args); err != nil {
			return fmt.Errorf("args: %w", err)
		}
	}
	return nil
}
