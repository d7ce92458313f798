package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func dollars(t *testing.T, s string) *signalbox.Money {
	t.Helper()
	m, err := signalbox.ParseMoney(s)
	if err != nil {
		t.Fatal(err)
	}
	return &m
}

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("test.yml", []byte(text), testEnv, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func TestDefaultsOfAFileThatSaysNothing(t *testing.T) {
	got := mustParse(t, "tls: {cert: c.pem, key: k.pem}")
	want := &Config{
		Listen:   DefaultListen,
		TLS:      TLS{Cert: "c.pem", Key: "k.pem"},
		Database: Database{Kind: DatabaseSQLite, Path: "data/signalbox.db"},
		Tenants:  []Tenant{{ID: DefaultTenant, Timezone: DefaultTimezone, Models: []string{"*"}}},
		Limits: Limits{
			MaxBodyBytes: 32 << 20, MaxHeaderBytes: 64 << 10, MaxConcurrentCalls: 1024, MaxQueuedRecords: 4096,
			BudgetWait: 5 * time.Second, BudgetWaiting: 1024, DefaultMaxOutput: 4096,
		},
		Retention: Retention{DefaultProjectionRetention},
		Records:   Records{ContentSummary},
		Audit:     Audit{Origin: DefaultAuditOrigin, MinRetentionDays: DefaultMinRetentionDays, BackupDays: DefaultBackupDays},
		Alerts:    Alerts{Defaults: true, Rules: DefaultAlertRules()},
		Runs:      Runs{time.Hour},
		Cluster:   Cluster{15 * time.Second, time.Hour},
		Approvals: Approvals{
			Tiers: map[signalbox.Risk]signalbox.Requirement{
				"low": {}, "medium": {Approvers: 1, Role: "approver"}, "high": {Approvers: 2, Role: "approver"},
			},
			ExpireAfter: 24 * time.Hour, UseWithin: 15 * time.Minute, DeniedFor: 10 * time.Minute,
		},
		BreakGlass:  BreakGlass{Roles: []signalbox.Role{"operator", "admin"}, MaxDuration: 4 * time.Hour, ReviewWithin: 24 * time.Hour},
		Idempotency: Idempotency{Keep: 24 * time.Hour},
	}
	equal(t, "config", got, want)
	equal(t, "TLS", got.TLS.Enabled(), true)
	equal(t, "no TLS", TLS{}.Enabled(), false)
}

func TestExampleFile(t *testing.T) {
	c, err := Load(filepath.Join("..", "..", "..", "examples", "signalbox.yml"), testEnv, Options{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "tenant", c.Tenants[0], Tenant{
		ID: "acme", Timezone: "Asia/Seoul", Models: []string{"*"},
		Limits: []signalbox.Budget{
			{Unit: signalbox.UnitRequests, Per: signalbox.WindowMinute, Max: 600},
			{Unit: signalbox.UnitConcurrent, Max: 50},
		},
		Budgets: []signalbox.Budget{
			{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: int64(100 * signalbox.Dollar), OnCap: signalbox.OnCapRefuse, WarnAt: 800},
			{Unit: signalbox.UnitUSD, Per: signalbox.WindowRun, Max: int64(2 * signalbox.Dollar), OnCap: signalbox.OnCapShrink, MinOutput: 512},
			{Unit: signalbox.UnitTokens, Per: signalbox.WindowMonth, Max: 500_000_000, OnCap: signalbox.OnCapRefuse, Soft: true, WarnAt: 900},
			{Unit: signalbox.UnitSteps, Per: signalbox.WindowRun, Max: 50, OnCap: signalbox.OnCapRefuse},
		},
	})
	equal(t, "key", c.Keys[0], Key{
		ID: "support", Secret: NewSecret("change-me-support-key"), Tenant: "acme", Team: "cs", Agent: "researcher",
		Role: signalbox.RoleAgent, Limits: []signalbox.Budget{{Unit: signalbox.UnitRequests, Per: signalbox.WindowSecond, Max: 20}},
		Budgets: []signalbox.Budget{{Unit: signalbox.UnitOutputTokens, Per: signalbox.WindowHour, Max: 2_000_000, OnCap: signalbox.OnCapRefuse}},
	})
	equal(t, "provider", c.Providers["openai"], Provider{
		Kind: KindOpenAI, BaseURL: NewEndpoint(DefaultOpenAIURL), Timeouts: DefaultTimeouts(),
	})
	equal(t, "simulated", c.Providers["sim"].Simulated, Simulated{
		Seed: 1, Latency: Latency{DefaultSimulatedP50, DefaultSimulatedP95}, TokensPerSecond: 200,
		OutputTokens: Range{20, 120}, Failures: DefaultFailures(),
	})
	equal(t, "model", c.Models["sim-large"], Model{
		Provider: "sim", Model: "sim-large", ContextWindow: 200000, Price: &signalbox.Price{
			Rates: signalbox.Rates{
				Input: 3 * signalbox.Dollar, Output: 15 * signalbox.Dollar, CacheRead: dollars(t, "0.3"),
				CacheWrite: dollars(t, "3.75"), CacheWrite1h: dollars(t, "6"),
			},
			Tiers: []signalbox.Tier{{Above: 128000, Rates: signalbox.Rates{
				Input: 6 * signalbox.Dollar, Output: 22*signalbox.Dollar + signalbox.Dollar/2,
			}}},
			Source: "config", Effective: "2026-01-01",
		},
	})
	equal(t, "fallbacks", c.Models["claude-sonnet"].Fallbacks, []string{"claude-haiku", "gpt-4.1"})
	equal(t, "route", c.Routes[0], Route{
		Name: "triage", When: `step.kind == "classify"`, Use: []string{"claude-haiku", "gpt-4.1-mini", "sim-small"},
	})
	equal(t, "server", c.MCPServers["search"], MCPServer{
		URL: NewEndpoint("http://127.0.0.1:9000/mcp"), Headers: map[string]Secret{"Authorization": NewSecret("Bearer none")},
		Timeouts: DefaultToolTimeouts(), MaxCalls: DefaultToolCalls, Breaker: DefaultBreaker(), Price: ToolPrice{PerCall: *dollars(t, "0.002")}, Pins: DefaultPins(),
		Title: "Search", Description: "Searches the web and our documents.", Tenants: []string{"acme"},
		Tools: map[string]Tool{
			"deep_search": {
				Price:   &ToolPrice{*dollars(t, "0.05")},
				Mapping: &signalbox.ToolMapping{Operation: signalbox.OperationRead, Source: "mcp_servers.search.tools.deep_search (signalbox.yml:165)"},
			},
			"web_search": {Mapping: &signalbox.ToolMapping{Operation: signalbox.OperationRead, Source: "mcp_servers.search.tools.web_search (signalbox.yml:164)"}},
		},
	})
	equal(t, "rule", c.Alerts.Rules[0], signalbox.AlertRule{
		ID: "dear-request", Level: signalbox.AlertWarning, Threshold: *dollars(t, "1.5"), Per: signalbox.AlertPerRequest,
		Action: signalbox.ActionNotify, Cooldown: 10 * time.Minute, Tenant: "acme", Channels: []string{"ops"},
	})
}

// The example says that what it shows is the default: take those lines out and nothing may change.
func TestExampleShowsTheDefaults(t *testing.T) {
	c, err := Load(filepath.Join("..", "..", "..", "examples", "signalbox.yml"), testEnv, Options{})
	if err != nil {
		t.Fatal(err)
	}
	bare := mustParse(t, "tenants:")
	equal(t, "listen", c.Listen, bare.Listen)
	equal(t, "database", c.Database, bare.Database)
	equal(t, "limits", c.Limits, bare.Limits)
	equal(t, "retention", c.Retention, bare.Retention)
	equal(t, "records", c.Records, bare.Records)
	equal(t, "telemetry", c.Telemetry, bare.Telemetry)
	equal(t, "audit", c.Audit, bare.Audit)
	equal(t, "alerts besides the rule", c.Alerts.Rules[1:], bare.Alerts.Rules)
	equal(t, "runs", c.Runs, bare.Runs)
	equal(t, "cluster", c.Cluster, bare.Cluster)
	equal(t, "channel's timeout", c.Channels["ops"].Timeout, DefaultChannelTimeout)
	equal(t, "allow_unpriced", c.Tenants[0].AllowUnpriced, c.Tenants[1].AllowUnpriced)
	equal(t, "timeouts", c.Providers["openai"].Timeouts, DefaultTimeouts())
	equal(t, "tool timeouts", c.MCPServers["files"].Timeouts, DefaultToolTimeouts())
	equal(t, "pins", c.MCPServers["files"].Pins, DefaultPins())
}

func TestPins(t *testing.T) {
	c, err := parseFile(t, filepath.Join("testdata", "pins.good.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]Pins{
		"usual": {First: PinAccept, Flagged: PinHold}, "careful": {First: PinHold, Flagged: PinHold},
		"careless": {First: PinAccept, Flagged: PinAccept}, "both": {First: PinHold, Flagged: PinHold},
	} {
		equal(t, id, c.MCPServers[id].Pins, want)
	}
}

func TestCards(t *testing.T) {
	c, err := parseFile(t, filepath.Join("testdata", "mcp_cards.good.yml"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "card", c.MCPServers["a"].Card.Reveal(), "https://cards.example.com/mcp/server-card?key="+environment["APP_KEY"])
	equal(t, "origins", c.MCPServers["b"].CardOrigins, []string{"https://mcp.example.com", "https://other.example.com:8443"})
}

func TestListedServers(t *testing.T) {
	c, err := parseFile(t, filepath.Join("testdata", "mcp_listed.good.yml"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "title", c.MCPServers["files"].Title, "Files of the team")
	equal(t, "description", len([]rune(c.MCPServers["files"].Description)), MaxListedText)
	for _, who := range []struct {
		server, tenant string
		want           bool
	}{{"files", "acme", true}, {"files", "globex", false}, {"both", "globex", true}, {"open", "acme", true}, {"open", "nobody", true}, {"files", "", false}} {
		equal(t, who.server+" for "+who.tenant, c.MCPServers[who.server].For(who.tenant), who.want)
	}
}

func TestGoodFileValues(t *testing.T) {
	load := func(name string) *Config {
		c, err := parseFile(t, filepath.Join("testdata", name+".good.yml"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("variables", func(t *testing.T) {
		c := load("variables")
		equal(t, "listen", c.Listen, "127.0.0.1:9090")
		equal(t, "calls", c.Limits.MaxConcurrentCalls, int64(12))
		equal(t, "queue", c.Limits.MaxQueuedRecords, int64(64))
		equal(t, "secret", c.Keys[0].Secret.Reveal(), environment["APP_KEY"])
		equal(t, "api key", c.Providers["real"].APIKey.IsZero(), true)
		equal(t, "header", c.Providers["real"].Headers["x-note"].Reveal(), "costs $5 and $HOME stays")
	})
	t.Run("exact prices", func(t *testing.T) {
		c := load("exact_prices")
		equal(t, "smallest", c.Models["a"].Price.Input, signalbox.Money(1))
		equal(t, "largest", c.Models["a"].Price.Output, MaxRate)
		equal(t, "free is not unset", c.Models["b"].Price.CacheRead, dollars(t, "0"))
		equal(t, "unset", c.Models["a"].Price.CacheRead, (*signalbox.Money)(nil))
		equal(t, "trailing zeros", c.Models["b"].Price.CacheWrite, dollars(t, "1.25"))
		equal(t, "all digits", c.Models["c"].Price.Output, signalbox.Money(900719925474099))
		equal(t, "from a variable", c.Models["c"].Price.Input, *dollars(t, "0.3"))
		equal(t, "tiers", c.Models["c"].Price.RatesFor(200000).Input, 6*signalbox.Dollar)
	})
	t.Run("durations and sizes", func(t *testing.T) {
		c := load("durations_and_sizes")
		equal(t, "days", c.Retention.Projections, 720*time.Hour)
		equal(t, "MiB", c.Limits.MaxBodyBytes, int64(8<<20))
		equal(t, "bytes", c.Limits.MaxHeaderBytes, int64(65536))
		equal(t, "timeouts", c.Providers["s"].Timeouts, Timeouts{500 * time.Millisecond, 90 * time.Second, time.Hour, 2 * time.Hour})
	})
	t.Run("block scalar", func(t *testing.T) {
		equal(t, "when", load("block_scalars").Routes[0].When, "step.kind == \"classify\" &&\ncall.input_tokens < 1000\n")
	})
	t.Run("base URL loses its last slash", func(t *testing.T) {
		equal(t, "url", load("model_names").Providers["p"].BaseURL.Reveal(), "http://127.0.0.1:8000/v1")
	})
	t.Run("byte order mark and CRLF", func(t *testing.T) {
		c := load("bom_and_crlf")
		equal(t, "listen", c.Listen, "127.0.0.1:9000")
		equal(t, "content", c.Records.Content, ContentNone)
	})
}

func cheaper(m Model) []string {
	if m.DowngradeTo == "" {
		return nil
	}
	return []string{m.DowngradeTo}
}

func TestQuickstart(t *testing.T) {
	cases := []struct {
		name      string
		env       map[string]string
		providers []string
		absent    string
	}{
		{"no keys", nil, []string{"sim"}, "gpt-4.1"},
		{"an empty key is none", map[string]string{"OPENAI_API_KEY": ""}, []string{"sim"}, "gpt-4.1"},
		{"anthropic", map[string]string{"ANTHROPIC_API_KEY": "k"}, []string{"anthropic", "sim"}, "gpt-4.1"},
		{"both", map[string]string{"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}, []string{"anthropic", "openai", "sim"}, "-"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Default(func(s string) (string, bool) { v, ok := tc.env[s]; return v, ok })
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "providers", slices.Sorted(maps.Keys(c.Providers)), tc.providers)
			if _, found := c.Models[tc.absent]; found {
				t.Errorf("model %s is there without a key", tc.absent)
			}
			for name, m := range c.Models {
				if _, found := c.Providers[m.Provider]; !found {
					t.Errorf("model %s lost its provider", name)
				}
				for _, f := range append(m.Fallbacks, cheaper(m)...) {
					if _, found := c.Models[f]; !found {
						t.Errorf("model %s lost its fallback %s", name, f)
					}
				}
			}
			equal(t, "tenant", c.Tenants[0].ID, DefaultTenant)
			equal(t, "budgets", len(c.Tenants[0].Budgets), 2)
			equal(t, "database", c.Database.String(), DefaultDatabase)
		})
	}
}

func TestLoadOfWhatIsNotAFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.yml")
	_, err := Load(missing, nil, Options{})
	want := missing + ": cannot be read: no such file or directory; check the path and its permissions"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Load(t.TempDir(), nil, Options{})
	var p Problems
	if !errors.As(err, &p) || !strings.Contains(p[0].Message, "is a directory") {
		t.Errorf("got %v for a directory", err)
	}
}

func TestFilesThatAreTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.yml")
	if err := os.WriteFile(path, []byte(strings.Repeat("# comment\n", MaxFileBytes/10+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func() error{
		"bytes": func() error { _, err := Load(path, nil, Options{}); return err },
		"tokens": func() error {
			_, err := Parse("x", []byte(strings.Repeat("a: b\n", MaxTokens)), nil, Options{})
			return err
		},
	}
	for name, parse := range cases {
		t.Run(name, func(t *testing.T) {
			var p Problems
			if err := parse(); !errors.As(err, &p) || len(p) != 1 || !strings.Contains(p[0].Remedy, "make it smaller") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestProblemsAreSortedByPlace(t *testing.T) {
	_, err := parseFile(t, filepath.Join("testdata", "all_at_once.bad.yml"))
	var got Problems
	if !errors.As(err, &got) || len(got) < 10 {
		t.Fatalf("got %v", err)
	}
	for i := 1; i < len(got); i++ {
		a, b := got[i-1], got[i]
		if b.Line < a.Line || (b.Line == a.Line && b.Column < a.Column) {
			t.Errorf("%v stands before %v", a, b)
		}
	}
	for _, p := range got {
		if p.Message == "" || p.Remedy == "" || p.Line < 1 || p.Column < 1 {
			t.Errorf("incomplete: %+v", p)
		}
	}
}

func TestDefaultNeedsNoEnvironment(t *testing.T) {
	if _, err := Default(nil); err != nil {
		t.Error(err)
	}
}
