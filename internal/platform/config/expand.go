package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Env looks up an environment variable; [os.LookupEnv] is one.
type Env func(name string) (value string, found bool)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// fault is a message with its remedy, before its place is known.
type fault struct{ message, remedy string }

// expand replaces ${NAME} and ${NAME:-default}, and $$ by one $. Any other $ stays. A variable that is empty counts as
// missing where there is a default. What is put in is not expanded again.
func expand(text string, env Env) (string, []fault) {
	var out strings.Builder
	var faults []fault
	for {
		before, rest, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), faults
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "{"):
			inner, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", append(faults, fault{"${ has no closing }", "close it, or write $$ for a single $"})
			}
			value, wrong := variable(inner, env)
			out.WriteString(value)
			faults = append(faults, wrong...)
			text = after
		default:
			out.WriteByte('$')
			text = rest
		}
	}
}

// variable gives the value of what stands between the braces.
func variable(inner string, env Env) (string, []fault) {
	name, fallback, hasFallback := strings.Cut(inner, ":-")
	if !variableName.MatchString(name) {
		return "", []fault{{
			fmt.Sprintf("${%s} does not name an environment variable", inner),
			"use ${NAME} or ${NAME:-default}, or write $$ for a single $",
		}}
	}
	value, found := env(name)
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !found:
		return "", []fault{{
			fmt.Sprintf("environment variable %s is not set", name),
			fmt.Sprintf("set it, or give a default: ${%s:-default}", name),
		}}
	}
	return value, nil
}
