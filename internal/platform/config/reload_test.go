package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
)

func TestReload(t *testing.T) {
	const base = "tenants: [{id: a}]\nkeys: [{id: k, tenant: a, secret: 0123456789abcdeX}]\nproviders: {p: {kind: openai, api_key: one}}\n"
	keyed := base + "audit: {key: k.pem, master_key: m.key}\n"
	cases := []struct {
		name, before, after string
		changed, restart    []string
	}{
		{"nothing", base, base, nil, nil},
		{"nothing but words", base, "# Hello\n" + base + "agents: []\nlimits: {budget_wait: 5s}\nalerts: {defaults: true}\n", nil, nil},
		{"a budget", base, strings.Replace(base, "{id: a}", "{id: a, budgets: [{unit: usd, per: day, max: 1}]}", 1), []string{"tenants"}, nil},
		{"a key's secret", base, strings.Replace(base, "abcdeX", "abcdeY", 1), []string{"keys"}, nil},
		{"a provider's credential", base, strings.Replace(base, "one", "two", 1), []string{"providers"}, nil},
		{"a channel", base, base + "channels: {c: {kind: webhook, url: 'http://h', secret: 0123456789abcdef}}", []string{"channels"}, nil},
		{"alerts, runs, teams", base, base + "runs: {idle_timeout: 5m}\nalerts: {defaults: false}\nteams: [{id: t, tenant: a, budgets: []}]", []string{"teams", "alerts", "runs"}, nil},
		{"limits", base, base + "limits: {max_concurrent_calls: 7, default_max_output: 9}", []string{"limits"}, nil},
		{"limits that need a restart", base, base + "limits: {max_header_bytes: 8KiB, max_queued_records: 99, budget_wait: 0, default_max_output: 9}", []string{"limits"}, []string{"limits.max_header_bytes", "limits.max_queued_records", "limits.budget_wait"}},
		{"where it listens", base, base + "listen: :9999", []string{"listen"}, []string{"listen"}},
		{"its certificate", base, base + "tls: {cert: a, key: b}", []string{"tls"}, []string{"tls"}},
		{"the password of the database", keyed + "database: postgres://u:one@h/d", keyed + "database: postgres://u:two@h/d", []string{"database"}, []string{"database"}},
		{
			"what else is opened once", base, base + "audit: {origin: x}\ntelemetry: {capture_content: true}\ncluster: {lease: 5s}\nretention: {projections: 5d}\nrecords: {content: none}",
			[]string{"retention", "records", "telemetry", "audit", "cluster"},
			[]string{"retention", "records", "telemetry", "audit", "cluster"},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			changed, err := Reloadable(mustParse(t, tc.before), mustParse(t, tc.after))
			equal(t, "changed", changed, tc.changed)
			if tc.restart == nil {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var wrong *signalbox.Error
			if !errors.As(err, &wrong) || wrong.Code != signalbox.CodeInvalid || wrong.Field != tc.restart[0] || wrong.Remedy == "" {
				t.Fatalf("got %#v", err)
			}
			equal(t, "message", wrong.Message, strings.Join(tc.restart, ", ")+" can not be changed while Signalbox runs")
		})
	}
}

// The names in the lists are names of keys.
func TestRestartKeysExist(t *testing.T) {
	names := func(typ reflect.Type) (out []string) {
		for i := range typ.NumField() {
			out = append(out, typ.Field(i).Tag.Get("json"))
		}
		return out
	}
	for _, key := range restartSections {
		if !slices.Contains(names(reflect.TypeFor[Config]()), key) {
			t.Errorf("there is no section %s", key)
		}
	}
	for _, key := range restartLimits {
		if !slices.Contains(names(reflect.TypeFor[Limits]()), key) {
			t.Errorf("there is no limit %s", key)
		}
	}
}

func TestSameConnection(t *testing.T) {
	const base = "mcp_servers: {s: {command: [x], env: {A: one}, tools: {a: {price: {per_call: 1}}, b: {operation: read}}}}"
	server := mustParse(t, base).MCPServers["s"]
	cases := []struct {
		name, text string
		want       bool
	}{
		{"the same", base, true},
		{"another line", "# Hello\n" + base, true},
		{"trusted", strings.Replace(base, "command", "annotations: trusted, command", 1), true},
		{"other pins", strings.Replace(base, "command", "pins: {first: hold}, command", 1), true},
		{"a guard", strings.Replace(base, "command", "guard: {results: mask}, command", 1), true},
		{"a tool's guard", strings.Replace(base, "read", "read, guard: {results: mask}", 1), true},
		{"another title", strings.Replace(base, "command", "title: S, description: It serves., command", 1), true},
		{"for one tenant", "tenants: [{id: a}]\n" + strings.Replace(base, "command", "tenants: [a], command", 1), true},
		{"another operation", strings.Replace(base, "read", "write", 1), true},
		{"a mapping gone", strings.Replace(base, ", b: {operation: read}", "", 1), true},
		{"another price", strings.Replace(base, "per_call: 1", "per_call: 2", 1), true},
		{"a price of all", strings.Replace(base, "command", "price: {per_call: 3}, command", 1), true},
		{"a price gone", strings.Replace(base, "a: {price: {per_call: 1}}, ", "", 1), true},
		{"another secret", strings.Replace(base, "one", "two", 1), false},
		{"another command", strings.Replace(base, "[x]", "[y]", 1), false},
		{"another time-out", strings.Replace(base, "command", "timeouts: {total: 1m}, command", 1), false},
		{"other places", strings.Replace(base, "command", "max_concurrent_calls: 2, command", 1), false},
		{"another breaker", strings.Replace(base, "command", "breaker: {failures: 2}, command", 1), false},
		{"a second server", strings.Replace(base, "{s:", "{t: {command: [x]}, s:", 1), true},
		{"none", "tenants:", false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := SameConnection(server, mustParse(t, tc.text).MCPServers["s"]); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
