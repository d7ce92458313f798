package config

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

func TestExpand(t *testing.T) {
	env := func(s string) (string, bool) {
		v, ok := map[string]string{"A": "1", "EMPTY": "", "LOOP": "${LOOP}", "_b2": "x"}[s]
		return v, ok
	}
	cases := []struct{ text, want, fault string }{
		{"plain", "plain", ""},
		{"${A}", "1", ""},
		{"x${A}y${A}z", "x1y1z", ""},
		{"${_b2}", "x", ""},
		{"${EMPTY}", "", ""},
		{"${EMPTY:-d}", "d", ""},
		{"${NONE:-d}", "d", ""},
		{"${NONE:-}", "", ""},
		{"${NONE:-http://h:1/?a=b}", "http://h:1/?a=b", ""},
		{"${A:-d}", "1", ""},
		{"$$", "$", ""},
		{"$${A}", "${A}", ""},
		{"$$$${A}", "$${A}", ""},
		{"$$${A}", "$1", ""},
		{"$A costs 5$", "$A costs 5$", ""},
		{"${LOOP}", "${LOOP}", ""},
		{"${NONE}", "", "environment variable NONE is not set"},
		{"${A}${NONE}", "1", "environment variable NONE is not set"},
		{"${", "", "${ has no closing }"},
		{"${A", "", "${ has no closing }"},
		{"${}", "", "${} does not name an environment variable"},
		{"${a b}", "", "${a b} does not name an environment variable"},
		{"${1}", "", "${1} does not name an environment variable"},
	}
	for _, tc := range cases {
		t.Run(tc.text, func(t *testing.T) {
			got, faults := expand(tc.text, env)
			fault := ""
			for _, f := range faults {
				fault += f.message
			}
			if got != tc.want || fault != tc.fault {
				t.Errorf("got %q, %q, want %q, %q", got, fault, tc.want, tc.fault)
			}
		})
	}
}

// Whatever a variable contains, it comes out as it is.
func TestExpandKeepsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, before := rapid.String().Draw(t, "value"), rapid.String().Draw(t, "before")
		got, faults := expand(strings.ReplaceAll(before, "$", "$$")+"${V}", func(string) (string, bool) { return v, true })
		if got != before+v || len(faults) > 0 {
			t.Fatalf("got %q, %v, want %q", got, faults, before+v)
		}
	})
}

// Every price survives the way through the file to the nano-dollar.
func TestPricesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := signalbox.Money(rapid.Int64Range(0, int64(MaxRate)).Draw(t, "price"))
		text := want.String()
		if rapid.Bool().Draw(t, "quoted") {
			text = `"` + text + `"`
		}
		c, err := Parse("x", []byte("providers: {p: {kind: simulated}}\nmodels: {m: {provider: p, price: {input: "+text+", output: 0}}}"), nil, Options{})
		if err != nil || c.Models["m"].Price.Input != want {
			t.Fatalf("%s: got %v, %v", text, c, err)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"listen", "limits", "tenants", "mcp_servers", "tls", "id"}
	cases := map[string]string{
		"listne": "listen", "LIMITS": "limits", "limit": "limits", "mcp-servers": "mcp_servers", "mcpservers": "mcp_servers",
		"tsl": "tls", "colour": "", "xy": "", "": "", "tenant": "tenants", strings.Repeat("l", 1000): "",
	}
	for word, want := range cases {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	const base = "keys: [{id: k, tenant: default, secret: %}]\nproviders: {a: {kind: openai, api_key: k}, b: {kind: simulated}}\n" +
		"models: {m: {provider: b, price: {input: 1, output: 2}}, n: {provider: b}}\n"
	file := func(secret, rest string) string { return strings.Replace(base, "%", secret, 1) + rest }
	of := func(text string) string { return mustParse(t, text).Fingerprint() }
	first := of(file("0123456789abcdeX", ""))
	same := map[string]string{
		"again":              file("0123456789abcdeX", ""),
		"another secret":     file("another-secret-0", ""),
		"comments":           "# Hello\n" + file("0123456789abcdeX", "# Bye\n"),
		"a default in words": file("0123456789abcdeX", "listen: "+DefaultListen+"\nlimits: {max_body_bytes: 32MiB, budget_wait: 5s}\nalerts: {rules: []}\n"),
		"another order": "models: {n: {provider: b}, m: {price: {output: 2.00, input: '1'}, provider: b}}\n" +
			"providers: {b: {kind: simulated}, a: {api_key: other, kind: openai}}\nkeys: [{tenant: default, id: k, secret: 0123456789abcdeX}]\n",
	}
	for name, text := range same {
		if got := of(text); got != first {
			t.Errorf("%s: got another fingerprint", name)
		}
	}
	different := map[string]string{
		"listen":        file("0123456789abcdeX", "listen: :9999\n"),
		"no api key":    strings.Replace(file("0123456789abcdeX", ""), ", api_key: k", "", 1),
		"a price":       strings.Replace(file("0123456789abcdeX", ""), "input: 1,", "input: 1.000000001,", 1),
		"a free cache":  strings.Replace(file("0123456789abcdeX", ""), "output: 2", "output: 2, cache_read: 0", 1),
		"a duration":    file("0123456789abcdeX", "retention: {projections: 91d}\n"),
		"a model gone":  strings.Replace(file("0123456789abcdeX", ""), ", n: {provider: b}", "", 1),
		"a truth value": file("0123456789abcdeX", "telemetry: {capture_content: true}\n"),
		"a budget":      file("0123456789abcdeX", "tenants: [{id: default, budgets: [{unit: usd, per: day, max: 1}]}]\n"),
		"its cap":       file("0123456789abcdeX", "tenants: [{id: default, budgets: [{unit: usd, per: day, max: 1.000000001}]}]\n"),
		"a softer one":  file("0123456789abcdeX", "tenants: [{id: default, budgets: [{unit: usd, per: day, max: 1, soft: true}]}]\n"),
		"no alerts":     file("0123456789abcdeX", "alerts: {defaults: false}\n"),
		"a channel":     file("0123456789abcdeX", "channels: {c: {kind: webhook, url: 'http://h', secret: 0123456789abcdef}}\n"),
		"a database":    file("0123456789abcdeX", "database: postgres://h/d\naudit: {key: k.pem, master_key: m.key}\n"),
		"a rate":        strings.Replace(file("0123456789abcdeX", ""), "b: {kind: simulated", "b: {simulated: {failure_rate: 0.01}, kind: simulated", 1),
	}
	seen := map[string]string{first: "the first"}
	for name, text := range different {
		got := of(text)
		if other, found := seen[got]; found {
			t.Errorf("%s: the same fingerprint as %s", name, other)
		}
		seen[got] = name
	}
	if len(first) != 32 {
		t.Errorf("got %q, want 32 hexadecimal digits", first)
	}
}
