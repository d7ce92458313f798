package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
)

// MaxCedarBytes bounds a file of Cedar rules.
const MaxCedarBytes = 1 << 20

func policyTable(p *Policy) value {
	return object{fields: []field{
		key("cedar", "Files with further rules in the language of Cedar, beside this file; a forbid of theirs wins over all permissions.", listOf(&p.Cedar, cedarFile)),
		key("risk", "Conditions that raise the risk of calls.", listOf(&p.Risk, riskTable)),
	}, check: func(s seen) {
		paths := make([]string, len(p.Cedar))
		for i, f := range p.Cedar {
			paths[i] = f.Path
		}
		once(s, "cedar", paths, "file")
	}}
}

// cedarFile reads the file with the configuration, so that both change together. The rules are checked by
// [Options.CheckCedar], and compiled by [Options.CheckPolicy] with all the rest.
func cedarFile(f *CedarFile) value {
	return textInto(&f.Path, singleLine, rule{check: func(r *reader, text, shown string, where place) {
		if data, ok := r.readNamed(text, shown, where, MaxCedarBytes, "write rules into it, or remove it here"); ok {
			if f.Text = string(data); r.options.CheckCedar != nil {
				r.refused(r.options.CheckCedar(text, f.Text), func(string) place { return where })
			}
		}
	}})
}

// readNamed reads a file that the configuration names. It must be text.
func (r *reader) readNamed(text, shown string, where place, most int, ifEmpty string) ([]byte, bool) {
	if r.options.ReadFile == nil {
		r.problem(where, shown+" can not be read: the configuration itself is not read from a file", "put both into files")
		return nil, false
	}
	data, err := r.options.ReadFile(text)
	switch {
	case err != nil:
		r.problem(where, shown+" can not be read: "+reason(err), "check the path, which begins at the folder of this file, and its permissions")
	case len(data) > most:
		r.problem(where, fmt.Sprintf("%s is larger than %d bytes", shown, most), "split it")
	case !utf8.Valid(data):
		r.problem(where, shown+" is not text in UTF-8", "save it as UTF-8")
	case strings.TrimSpace(string(data)) == "":
		r.problem(where, shown+" is empty", ifEmpty)
	default:
		return data, true
	}
	return nil, false
}

func riskTable(rule *signalbox.RiskRule) value {
	return object{fields: []field{
		need("when", "Condition in CEL over call, agent, tool, operation, resources, arguments and purpose.", textInto(&rule.When, riskExpression)),
		need("level", "The risk of such calls, where it is not higher anyway: medium or high.", oneOf(&rule.Level, signalbox.RiskMedium, signalbox.RiskHigh).hinting(lowRisk)),
	}, check: func(s seen) { rule.Source = s.source() }}
}

func lowRisk(text string) (fault, bool) {
	return fault{"can not be set: a condition raises a risk, and low is the lowest", "use medium or high, or remove the rule"}, text == string(signalbox.RiskLow)
}

// policy asks whoever knows the policy's language, once all else is right.
func (r *reader) policy(c *Config) {
	if r.options.CheckPolicy == nil {
		return
	}
	warnings, err := r.options.CheckPolicy(c)
	c.Warnings = warnings
	r.refused(err, r.placeOf)
}

// refused makes problems of what is wrong with the policy; at gives where a key stands that an error names.
func (r *reader) refused(err error, at func(field string) place) {
	var several interface{ Unwrap() []error }
	var problems Problems
	var one *signalbox.Error
	switch {
	case err == nil:
	case errors.As(err, &several):
		for _, e := range several.Unwrap() {
			r.refused(e, at)
		}
	case errors.As(err, &problems):
		r.problems = append(r.problems, problems...)
	case errors.As(err, &one):
		r.problem(at(one.Field), clause(one.Message), cmp.Or(uncapital(clause(one.Remedy)), "correct it"))
	default:
		r.problem(at("policy"), oneLine(err.Error()), "correct it")
	}
}

// clause makes a sentence a part of one.
func clause(sentence string) string { return strings.TrimSuffix(oneLine(sentence), ".") }

// uncapital takes the capital letter off a first word of ASCII that has one.
func uncapital(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]|0x20) + s[1:]
}

// placeOf gives where a key stands, or the nearest one around it.
func (r *reader) placeOf(field string) place {
	for around := field; around != ""; {
		if where, found := r.placed[around]; found {
			where.field = field
			return where
		}
		around = around[:max(0, strings.LastIndexAny(around, ".["))]
	}
	return place{field: field}
}

// decider is a role that may decide something about others' calls.
func decider(into *signalbox.Role) value {
	roles := slices.DeleteFunc(signalbox.Roles(), idle)
	return oneOf(into, roles...).hinting(func(text string) (fault, bool) {
		return fault{"decides nothing: agents ask, and auditors only read", "use one of: " + words(roles)}, idle(signalbox.Role(text))
	})
}

// idle are the roles that decide nothing.
func idle(r signalbox.Role) bool { return r == signalbox.RoleAgent || r == signalbox.RoleAuditor }

func words(roles []signalbox.Role) string {
	texts := make([]string, len(roles))
	for i, r := range roles {
		texts[i] = string(r)
	}
	return strings.Join(texts, ", ")
}
