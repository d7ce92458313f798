package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// restartSections are the top-level keys that a running process can not change: what they configure is opened once.
var restartSections = []string{"listen", "tls", "database", "retention", "records", "telemetry", "audit", "cluster"}

// restartLimits are such keys of the section limits.
var restartLimits = []string{"max_body_bytes", "max_header_bytes", "max_queued_records", "budget_wait", "budget_waiting"}

// Reloadable compares what runs with what is to run. It gives the top-level keys that differ, in the order of [Config];
// none means that there is nothing to do. Values of secrets count, and the lines that rules of the policy stand on, as
// answers name them; warnings do not. The error, a *signalbox.Error of code invalid, names
// the keys that only a restart changes; the new configuration must not be taken into use then: half of it would be.
func Reloadable(running, next *Config) (changed []string, err error) {
	var restart []string
	forEachChange(reflect.ValueOf(*running), reflect.ValueOf(*next), func(key string) {
		changed = append(changed, key)
		if slices.Contains(restartSections, key) {
			restart = append(restart, key)
		}
	})
	forEachChange(reflect.ValueOf(running.Limits), reflect.ValueOf(next.Limits), func(key string) {
		if slices.Contains(restartLimits, key) {
			restart = append(restart, "limits."+key)
		}
	})
	if restart == nil {
		return changed, nil
	}
	keys := strings.Join(restart, ", ")
	return changed, signalbox.Errorf(signalbox.CodeInvalid, "%s can not be changed while Signalbox runs", keys).
		WithField(restart[0]).WithRemedy("Restart Signalbox, or take the change back.")
}

// SameConnection reports whether a server is reached alike by two configurations, so that what is connected can stay. What its
// calls cost, what is declared of its tools, and whether they are trusted, is taken anew for each call and does not count, nor
// does what becomes of new ones, for whom the server is, or what people are told of it.
func SameConnection(a, b MCPServer) bool { return reflect.DeepEqual(a.connection(), b.connection()) }

// connection leaves out what has to do with single calls alone.
func (m MCPServer) connection() MCPServer {
	m.Tools, m.Trusted, m.Pins, m.Guard = nil, false, Pins{}, signalbox.GuardRules{}
	m.Title, m.Description, m.Tenants, m.Price = "", "", nil, ToolPrice{}
	return m
}

// forEachChange gives the keys of two structures of one type whose values differ.
func forEachChange(before, after reflect.Value, report func(key string)) {
	for i := range before.NumField() {
		a, b := before.Field(i), after.Field(i)
		if (empty(a) && empty(b)) || reflect.DeepEqual(a.Interface(), b.Interface()) {
			continue
		}
		if name := before.Type().Field(i).Tag.Get("json"); name != "-" {
			report(name)
		}
	}
}

// empty takes a section without entries for one that is not there.
func empty(v reflect.Value) bool {
	return (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
}
