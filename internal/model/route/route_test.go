package route_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/price"
	"github.com/signalbox/signalbox/internal/model/route"
)

func prices(t *testing.T) *price.Table {
	t.Helper()
	table, err := price.Default()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// config is a small house: two providers with vendors, one without, one simulated.
func config(t *testing.T) route.Config {
	t.Helper()
	own := &signalbox.Price{Rates: signalbox.Rates{Input: 1, Output: 2}, Source: "config"}
	return route.Config{
		Prices: prices(t),
		Providers: map[string]route.Provider{
			"anthropic": {Format: signalbox.ProtocolAnthropic, Vendor: price.Anthropic},
			"openai-a":  {Format: signalbox.ProtocolOpenAIChat, Vendor: price.OpenAI},
			"openai-b":  {Format: signalbox.ProtocolOpenAIChat, Vendor: price.OpenAI},
			"local":     {Format: signalbox.ProtocolOpenAIChat},
			"sim":       {Format: signalbox.ProtocolOpenAIChat, Simulated: true},
		},
		Models: map[string]route.Model{
			"haiku":       {Provider: "anthropic", Upstream: "claude-haiku-4-5", Fallbacks: []string{"small", "secret"}},
			"gpt-4o-mini": {Provider: "openai-a", ContextWindow: 1000, MaxOutput: 100, Price: own, Fallbacks: []string{"haiku"}},
			"small":       {Provider: "local", Upstream: "gemma"},
			"secret":      {Provider: "sim"},
			"lab/deep/x":  {Provider: "sim"},
		},
		Routes: []route.Route{
			{Name: "triage", When: `step.kind == "classify"`, Use: []string{"small", "haiku"}},
			{Name: "long", When: `input.bytes > 100 && !stream && agent.role == "research"`, Use: []string{"haiku"}},
			{Name: "broken", When: `step.index == 7 && 1 / (step.index - 7) > 0`, Use: []string{"small"}},
		},
		Tenants: map[string][]string{
			"all": {"*"}, "open": {"haiku", "small", "gpt-*"}, "routes": {"triage"}, "upstream": {"claude-*"}, "lab": {"lab/*"}, "labs": {"lab/**"},
			"none": nil,
		},
	}
}

func resolver(t *testing.T, c route.Config) *route.Resolver {
	t.Helper()
	r, err := route.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func track(tenant, model string) *call.Track {
	return call.NewTrack(&signalbox.Call{
		Kind: signalbox.KindModel, Caller: signalbox.Caller{Tenant: tenant}, Model: &signalbox.ModelRequest{Model: model},
		Received: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	})
}

func names(list []signalbox.Candidate) string {
	var all []string
	for _, c := range list {
		all = append(all, c.Name)
	}
	return strings.Join(all, " ")
}

func TestResolve(t *testing.T) {
	classify := func(t *call.Track) { t.Call.Claims.StepKind = "classify" }
	long := func(t *call.Track) {
		t.Call.Body = make([]byte, 101)
		t.Gate.Caller.AgentRole = "research"
	}
	step := func(i int64) func(*call.Track) { return func(t *call.Track) { t.Call.Claims.Step = &i } }
	tests := []struct {
		name, tenant, model string
		with                func(*call.Track)
		route, want         string
		code                signalbox.Code
	}{
		{"a model and its fallbacks", "all", "haiku", nil, "", "haiku small secret", ""},
		{"fallbacks of fallbacks do not count", "all", "gpt-4o-mini", nil, "", "gpt-4o-mini haiku", ""},
		{"fallbacks that are not permitted", "open", "haiku", nil, "", "haiku small", ""},
		{"a model that is not permitted", "open", "secret", nil, "", "", signalbox.CodeForbidden},
		{"auto by step", "all", "auto", classify, "triage", "small haiku secret", ""},
		{"auto by size and role", "all", "auto", long, "long", "haiku small secret", ""},
		{"auto in a stream", "all", "auto", func(t *call.Track) { long(t); t.Call.Stream = true }, "", "", signalbox.CodeNotFound},
		{"auto without a route that applies", "all", "auto", nil, "", "", signalbox.CodeNotFound},
		{"auto with models that are not permitted left out", "open", "auto", classify, "triage", "small haiku", ""},
		{"auto with nothing permitted", "lab", "auto", classify, "triage", "", signalbox.CodeForbidden},
		{"a route by name, whatever its condition", "all", "triage", nil, "triage", "small haiku secret", ""},
		{"a route that is permitted as such", "routes", "triage", nil, "triage", "small haiku secret", ""},
		{"auto through a route that is permitted as such", "routes", "auto", classify, "triage", "small haiku secret", ""},
		{"a condition that fails", "all", "auto", step(7), "", "", signalbox.CodeInternal},
		{"the provider's name of a configured model", "all", "claude-haiku-4-5", nil, "", "haiku small secret", ""},
		{"the same, permitted by the name asked for", "upstream", "claude-haiku-4-5", nil, "", "haiku", ""},
		{"the same, permitted by the configured name", "open", "claude-haiku-4-5", nil, "", "haiku small", ""},
		{"the same, not permitted", "lab", "claude-haiku-4-5", nil, "", "", signalbox.CodeForbidden},
		{"a model that only the price table knows", "all", "claude-opus-4-5-20251101", nil, "", "claude-opus-4-5-20251101", ""},
		{"one that two providers could serve", "all", "gpt-4.1", nil, "", "", signalbox.CodeNotFound},
		{"one that only the price table knows, not permitted", "open", "claude-opus-4-5", nil, "", "", signalbox.CodeForbidden},
		{"a name that nobody knows", "all", "hiaku", nil, "", "", signalbox.CodeNotFound},
		{"a star is one segment", "lab", "lab/deep/x", nil, "", "", signalbox.CodeForbidden},
		{"two stars are all", "labs", "lab/deep/x", nil, "", "lab/deep/x", ""},
		{"a bare star is everything", "all", "lab/deep/x", nil, "", "lab/deep/x", ""},
		{"a tenant without globs", "none", "haiku", nil, "", "", signalbox.CodeForbidden},
		{"a tenant that is not known", "stranger", "haiku", nil, "", "", signalbox.CodeForbidden},
		{"names have one spelling", "all", "Haiku", nil, "", "", signalbox.CodeNotFound},
	}
	r := resolver(t, config(t))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := track(test.tenant, test.model)
			if test.with != nil {
				test.with(tr)
			}
			via, found, err := r.Resolve(t.Context(), tr)
			if got := names(found); got != test.want || signalbox.CodeOf(err) != test.code || via != test.route {
				t.Errorf("got %q by %q, %v; want %q by %q, %s", got, via, err, test.want, test.route, test.code)
			}
			if e := signalbox.AsError(err); err != nil && (e.Remedy == "" || e.Field != "model") {
				t.Errorf("remedy %q, field %q", e.Remedy, e.Field)
			}
		})
	}
}

func TestCandidate(t *testing.T) {
	r := resolver(t, config(t))
	_, found, err := r.Resolve(t.Context(), track("all", "gpt-4o-mini"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := found[0], found[1]
	if first.Provider != "openai-a" || first.ProviderName != "openai" || first.Upstream != "gpt-4o-mini" ||
		first.Format != signalbox.ProtocolOpenAIChat || first.ContextWindow != 1000 || first.MaxOutput != 100 {
		t.Errorf("the configured figures were not taken: %+v", first)
	}
	if first.Price == nil || first.Price.Source != "config" {
		t.Errorf("the configured price was not taken: %+v", first.Price)
	}
	if second.Upstream != "claude-haiku-4-5" || second.ContextWindow != 200_000 || second.MaxOutput != 64_000 ||
		second.Price == nil || second.Price.Input != signalbox.Dollar {
		t.Errorf("the table's figures were not taken: %+v", second)
	}
	_, found, err = r.Resolve(t.Context(), track("all", "small"))
	if err != nil || found[0].Price != nil || found[0].ProviderName != "local" {
		t.Errorf("a model nobody knows the price of: %+v, %v", found, err)
	}
	_, found, err = r.Resolve(t.Context(), track("all", "secret"))
	if err != nil || !found[0].Simulated {
		t.Errorf("a simulated model: %+v, %v", found, err)
	}
}

func TestPriceOfTheDay(t *testing.T) {
	c := config(t)
	c.Providers["google"] = route.Provider{Format: signalbox.ProtocolOpenAIChat, Vendor: price.Google}
	r := resolver(t, c)
	for year, want := range map[int]signalbox.Money{2026: 750_000_000, 2027: 1_500_000_000} {
		tr := track("all", "gemini-3.8-flash")
		tr.Call.Received = time.Date(year, 12, 1, 0, 0, 0, 0, time.UTC)
		_, found, err := r.Resolve(t.Context(), tr)
		if err != nil || found[0].Price == nil || found[0].Price.Input != want || found[0].ProviderName != "gcp.gemini" {
			t.Errorf("in %d: %+v, %v", year, found, err)
		}
	}
}

func TestSuggestions(t *testing.T) {
	r := resolver(t, config(t))
	tests := []struct{ tenant, model, want, not string }{
		{"all", "hiaku", "such as haiku", ""},
		{"all", "GPT-4o-mni", "such as gpt-4o-mini", ""},
		{"open", "secrt", "haiku", "secret"},
		{"none", "haikuu", "Ask for another; GET /v1/models", "such as"},
		{"all", strings.Repeat("é", 4000), "GET /v1/models", ""},
	}
	for _, test := range tests {
		_, _, err := r.Resolve(t.Context(), track(test.tenant, test.model))
		e := signalbox.AsError(err)
		if !strings.Contains(e.Remedy, test.want) || test.not != "" && strings.Contains(e.Remedy, test.not) || len(e.Message) > 200 {
			t.Errorf("%s asks for %.20q: %s %s", test.tenant, test.model, e.Message, e.Remedy)
		}
	}
}

func TestModels(t *testing.T) {
	r := resolver(t, config(t))
	for tenant, want := range map[string]string{
		"all":    "auto broken gpt-4o-mini haiku lab/deep/x long secret small triage",
		"open":   "auto broken gpt-4o-mini haiku long small triage",
		"routes": "auto triage",
		"labs":   "lab/deep/x",
		"none":   "",
	} {
		var got []string
		for _, m := range r.Models(tenant) {
			got = append(got, m.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("models of %s = %v, want %s", tenant, got, want)
		}
	}
}

func TestWhatIsListedCanBeAskedFor(t *testing.T) {
	r := resolver(t, config(t))
	for _, tenant := range []string{"all", "open", "routes", "labs"} {
		for _, m := range r.Models(tenant) {
			if m.ID == route.Auto {
				continue // Depends on the call.
			}
			if _, found, err := r.Resolve(t.Context(), track(tenant, m.ID)); err != nil || len(found) == 0 {
				t.Errorf("%s may not use %s: %v", tenant, m.ID, err)
			}
		}
	}
}

func TestNewFindsMistakes(t *testing.T) {
	tests := []struct {
		name   string
		change func(*route.Config)
		want   string
	}{
		{"an unknown provider", func(c *route.Config) { c.Models["x"] = route.Model{Provider: "nobody"} }, `no provider "nobody"`},
		{"an unknown fallback", func(c *route.Config) { c.Models["x"] = route.Model{Provider: "sim", Fallbacks: []string{"y"}} }, `no model "y"`},
		{"an unknown model in a route", func(c *route.Config) { c.Routes = []route.Route{{Name: "r", Use: []string{"z"}}} }, `no model "z"`},
		{"a condition", func(c *route.Config) { c.Routes[0].When = "step.kind ==" }, `route "triage"`},
		{"a pattern", func(c *route.Config) { c.Tenants["all"] = []string{"[a"} }, `"[a" is no pattern`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := config(t)
			test.change(&c)
			if _, err := route.New(c); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	good := []string{
		"", "true", `step.kind == "classify"`, `model.startsWith("gpt") && tenant in ["a", "b"]`, `step.index >= 3`,
		`agent.id != "" || run == ""`, `input.messages > 4 && input.tools == 0`, `stream`,
	}
	for _, expression := range good {
		if err := route.Check(expression); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
	bad := map[string]string{
		"step.kind":                        "of type string",
		"step.kind == 3":                   "no matching overload",
		"unknown":                          "undeclared reference",
		"1 +":                              "Syntax error",
		strings.Repeat("true || ", 600):    "longer than",
		`input.bytes`:                      "of type int",
		"[1, 2, 3].map(x, x)":              "of type list(int)",
		`step.kind.matches("[") && secret`: "undeclared reference",
		"\x00":                             "Syntax error",
		`agent == "x"`:                     "undeclared reference",
		`input.bytes > "many"`:             "no matching overload",
		`duration("1s") > 1`:               "no matching overload",
		strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300): "",
	}
	for expression, want := range bad {
		if err := route.Check(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", expression, err, want)
		}
	}
}

func TestConditionHasABound(t *testing.T) {
	c := config(t)
	numbers := "[1,2,3,4,5,6,7,8,9,10]"
	c.Routes = []route.Route{{
		Name: "slow", Use: []string{"small"},
		When: numbers + ".all(a, " + numbers + ".all(b, " + numbers + ".all(c, " + numbers + ".all(d, a + b + c + d + input.bytes > 0))))",
	}}
	_, _, err := resolver(t, c).Resolve(t.Context(), track("all", "auto"))
	if signalbox.CodeOf(err) != signalbox.CodeInternal || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("got %v, want that the bound was reached", err)
	}
}

func TestVariables(t *testing.T) {
	step := int64(4)
	tr := track("all", "auto")
	tr.Call.Claims = signalbox.Claims{StepKind: "k", Step: &step}
	tr.Gate.Caller = signalbox.Caller{Tenant: "all", Agent: "a", AgentRole: "r"}
	tr.Gate.Run, tr.Call.Stream, tr.Call.Body = "run_1", true, []byte("12345")
	tr.Call.Model.Messages, tr.Call.Model.Tools = 2, 3
	for name, want := range map[string]string{
		"step.kind": `"k"`, "step.index": "4", "model": `"auto"`, "agent.id": `"a"`, "agent.role": `"r"`, "tenant": `"all"`,
		"run": `"run_1"`, "input.bytes": "5", "input.messages": "2", "input.tools": "3", "stream": "true",
	} {
		if _, ok := route.Variables()[name]; !ok {
			t.Errorf("%s is not documented", name)
		}
		c := config(t)
		c.Routes = []route.Route{{Name: "r", When: name + " == " + want, Use: []string{"small"}}}
		if via, _, err := resolver(t, c).Resolve(t.Context(), tr); via != "r" || err != nil {
			t.Errorf("%s is not %s: %v", name, want, err)
		}
	}
	if got := len(route.Variables()); got != 11 {
		t.Errorf("%d variables", got)
	}
}

// Whatever is asked for: candidates are permitted, come once, and are the same every time.
func TestResolveProperties(t *testing.T) {
	base := config(t)
	models := []string{"haiku", "gpt-4o-mini", "small", "secret", "lab/deep/x"}
	rapid.Check(t, func(rt *rapid.T) {
		c := base
		globs := rapid.SliceOf(rapid.SampledFrom([]string{"haiku", "s*", "lab/**", "gpt-?o-mini", "{small,secret}"})).Draw(rt, "globs")
		c.Tenants = map[string][]string{"t": globs}
		r, err := route.New(c)
		if err != nil {
			rt.Fatal(err)
		}
		asked := rapid.SampledFrom(append([]string{"auto", "triage", "nothing"}, models...)).Draw(rt, "model")
		tr := track("t", asked)
		tr.Call.Claims.StepKind = rapid.SampledFrom([]string{"", "classify"}).Draw(rt, "kind")
		_, found, err := r.Resolve(t.Context(), tr)
		_, again, _ := r.Resolve(t.Context(), tr)
		if (err == nil) == (len(found) == 0) || names(found) != names(again) {
			rt.Fatalf("%v and %v, %v", found, again, err)
		}
		listed := r.Models("t")
		for i, candidate := range found {
			is := func(o signalbox.Candidate) bool { return o.Name == candidate.Name }
			if slices.IndexFunc(found, is) != i {
				rt.Fatalf("%s comes twice", candidate.Name)
			}
			permitted := false
			for _, m := range listed {
				permitted = permitted || m.ID == candidate.Name
			}
			if !permitted {
				rt.Fatalf("%s is not permitted by %v", candidate.Name, globs)
			}
		}
	})
}
