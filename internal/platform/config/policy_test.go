package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func TestPolicyAndApprovals(t *testing.T) {
	c := goodFile(t, "policy")
	equal(t, "public URL", c.PublicURL.Reveal(), "https://signalbox.example.com/box")
	equal(t, "cedar", c.Policy.Cedar, []CedarFile{{"rules.cedar", someCedar}, {"more/rules.cedar", someCedar}})
	equal(t, "risk", c.Policy.Risk, []signalbox.RiskRule{
		{When: `tool.id == "mail.send"`, Level: signalbox.RiskHigh, Source: "policy.risk[0] (policy.good.yml:5)"},
		{When: "arguments.amount > 1000", Level: signalbox.RiskMedium, Source: "policy.risk[1] (policy.good.yml:6)"},
	})
	equal(t, "approvals", c.Approvals, Approvals{
		Tiers: map[signalbox.Risk]signalbox.Requirement{
			signalbox.RiskLow: {}, signalbox.RiskMedium: {Approvers: 2, Role: signalbox.RoleOperator},
			signalbox.RiskHigh: {Approvers: 1, Role: signalbox.RoleApprover},
		},
		Rules: []signalbox.ApprovalRule{
			{Agent: "research*", Tool: "files.*", Source: "approvals.rules[0] (policy.good.yml:13)"},
			{Agent: "*", Tool: "files.delete_file", Require: signalbox.Requirement{Approvers: 3, Role: signalbox.RoleAdmin}, Source: "approvals.rules[1] (policy.good.yml:14)"},
			{Agent: "writer", Tool: "*", Require: signalbox.Requirement{Approvers: 1, Role: signalbox.RoleApprover}, Source: "approvals.rules[2] (policy.good.yml:15)"},
		},
		ExpireAfter: 2 * time.Hour, UseWithin: 5 * time.Minute, DeniedFor: 0, EscalateAfter: 30 * time.Minute, Channels: []string{"ops"},
	})
	equal(t, "break glass", c.BreakGlass, BreakGlass{
		Roles: []signalbox.Role{}, MaxDuration: 30 * time.Minute, ReviewWithin: 24 * time.Hour, Channels: []string{"ops", "desk"},
	})
}

func TestIdentityProviders(t *testing.T) {
	c := goodFile(t, "oidc")
	equal(t, "the first", c.OIDC[0], OIDC{
		ID: "corp", Issuer: NewEndpoint("https://login.example.com/realms/corp/"), ClientID: "signalbox",
		ClientSecret: NewSecret(environment["APP_KEY"]), Audience: "api://signalbox", Scopes: []string{"profile", "email"},
		TenantClaim: "org.tenant", TeamClaim: "team", RoleClaim: "realm_access.roles",
		Roles:       map[string]signalbox.Role{"Platform Admins": signalbox.RoleAdmin, "/approvers": signalbox.RoleApprover},
		DefaultRole: signalbox.RoleDeveloper,
	})
	equal(t, "audience", c.OIDC[0].TokensFor(), "api://signalbox")
	equal(t, "audience without one", c.OIDC[1].TokensFor(), "signalbox")
	equal(t, "no secret", c.OIDC[2].ClientSecret.IsZero(), true)
}

// Rules in Cedar are read beside the configuration, wherever the process runs.
func TestCedarFilesAreReadBesideTheConfiguration(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "far.cedar")
	path := filepath.Join(dir, "signalbox.yml")
	write := func(path, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "rules", "near.cedar"), "// near\n")
	write(elsewhere, "// far\n")
	write(path, "policy: {cedar: [rules/near.cedar, '"+elsewhere+"']}")
	c, err := Load(path, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "files", c.Policy.Cedar, []CedarFile{{"rules/near.cedar", "// near\n"}, {elsewhere, "// far\n"}})
	equal(t, "paths", c.Files(path), []string{path, filepath.Join(dir, "rules", "near.cedar"), elsewhere})

	before := c
	write(elsewhere, "// other\n")
	if c, err = Load(path, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	changed, err := Reloadable(before, c)
	equal(t, "changed", changed, []string{"policy"})
	equal(t, "reload", err, error(nil))
	if c.Fingerprint() == before.Fingerprint() {
		t.Error("other rules have the same fingerprint")
	}

	write(elsewhere, strings.Repeat("/", MaxCedarBytes+1))
	for text, want := range map[string]string{
		"policy: {cedar: ['" + elsewhere + "']}": "is larger than 1048576 bytes",
		"policy: {cedar: [rules]}":               `"rules" can not be read: is a directory`,
		"policy: {cedar: [near.cedar]}":          `"near.cedar" can not be read: no such file or directory`,
	} {
		write(path, text)
		if _, err := Load(path, nil, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	_, err = Parse("x", []byte("policy: {cedar: [near.cedar]}"), nil, Options{})
	if err == nil || !strings.Contains(err.Error(), "the configuration itself is not read from a file") {
		t.Errorf("without a file: got %v", err)
	}
}

// What the policy's own checker says becomes a problem at the place that it names.
func TestPolicyChecker(t *testing.T) {
	const text = "listen: :1\nagents:\n  - id: a\n    permissions:\n      tools:\n        - {name: '*', operations: [read], resources: '*'}\nmcp_servers: {s: {command: [x]}}\n" +
		"policy:\n  cedar: [rules.cedar]\n"
	wrong := func(field string) *signalbox.Error {
		return signalbox.Errorf(signalbox.CodeInvalid, "does not\ncompile.").WithField(field).WithRemedy("Correct it.")
	}
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"a key", wrong("policy.cedar[0]"), "test.yml:9:11: policy.cedar[0]: does not compile; correct it"},
		{"below a key", wrong("agents[0].permissions.tools[0].resources[3]"), "test.yml:6:54: agents[0].permissions.tools[0].resources[3]: does not compile; correct it"},
		{"no key of the file", wrong("elsewhere"), "test.yml: elsewhere: does not compile; correct it"},
		{"no remedy", signalbox.Errorf(signalbox.CodeInvalid, "is wrong").WithField("policy"), "test.yml:9:3: policy: is wrong; correct it"},
		{"another error", errors.New("broken"), "test.yml:9:3: policy: broken; correct it"},
		{"several", errors.Join(wrong("policy.cedar[0]"), wrong("listen")), "test.yml:1:9: listen: does not compile; correct it\ntest.yml:9:11: policy.cedar[0]: does not compile; correct it"},
		{"problems", Problems{{File: "rules.cedar", Line: 3, Column: 1, Message: "m", Remedy: "r"}}, "rules.cedar:3:1: m; r"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			o := testOptions
			o.CheckPolicy = func(*Config) ([]Warning, error) { return nil, tc.err }
			_, err := Parse("test.yml", []byte(text), testEnv, o)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	t.Run("warnings", func(t *testing.T) {
		warnings := []Warning{{"can never match", "agents[0].permissions.tools[0] (test.yml:6)"}, {Text: "no place"}}
		o := testOptions
		o.CheckPolicy = func(c *Config) ([]Warning, error) {
			if len(c.Tenants) == 0 || c.Policy.Cedar[0].Text == "" {
				t.Error("the configuration is not complete when the policy is checked")
			}
			return warnings, nil
		}
		c, err := Parse("test.yml", []byte(text), testEnv, o)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "warnings", c.Warnings, warnings)
		equal(t, "with a place", c.Warnings[0].String(), "agents[0].permissions.tools[0] (test.yml:6): can never match")
		equal(t, "without", c.Warnings[1].String(), "no place")
		quiet := mustParse(t, text)
		equal(t, "fingerprint", c.Fingerprint(), quiet.Fingerprint())
		changed, err := Reloadable(quiet, c)
		equal(t, "changed", changed, []string(nil))
		equal(t, "reload", err, error(nil))
	})
	t.Run("rules in Cedar, whatever else is wrong", func(t *testing.T) {
		o := testOptions
		o.CheckCedar = func(name, text string) error {
			if name != "rules.cedar" || text != someCedar {
				t.Errorf("asked about %q: %q", name, text)
			}
			return errors.Join(wrong("policy.cedar"), errors.New("nor\nparse"))
		}
		_, err := Parse("test.yml", []byte(text+"listne: x\n"), testEnv, o)
		want := "test.yml:9:11: policy.cedar[0]: does not compile; correct it\ntest.yml:9:11: policy.cedar[0]: nor parse; correct it\n" +
			"test.yml:10:1: listne: unknown key; did you mean \"listen\"?"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("not asked about what is wrong anyway", func(t *testing.T) {
		o := testOptions
		o.CheckPolicy = func(*Config) ([]Warning, error) {
			t.Error("asked")
			return nil, nil
		}
		if _, err := Parse("test.yml", []byte(text+"listne: x\n"), testEnv, o); err == nil {
			t.Error("no problem")
		}
	})
}

// A rule that moves to another line is the same rule, which says where it stands now.
func TestLinesDoNotCount(t *testing.T) {
	const text = "agents: [{id: a, permissions: {tools: [{name: 's.x', operations: [read], resources: '*'}]}}]\n" +
		"mcp_servers: {s: {command: [x], tools: {x: {operation: read}}}}\npolicy: {risk: [{when: 'true', level: high}]}\napprovals: {rules: [{tool: s.x, approvers: 1}]}\n"
	c, moved := mustParse(t, text), mustParse(t, "# A comment.\n"+text)
	equal(t, "fingerprint", moved.Fingerprint(), c.Fingerprint())
	equal(t, "source", moved.Agents[0].Permissions.Tools[0].Source, "agents[0].permissions.tools[0] (test.yml:2)")
	changed, err := Reloadable(c, moved)
	equal(t, "changed", changed, []string{"agents", "mcp_servers", "policy", "approvals"})
	equal(t, "reload", err, error(nil))
	for name, other := range map[string]string{
		"an operation": strings.Replace(text, "operations: [read]", "operations: [write]", 1),
		"a mapping":    strings.Replace(text, "operation: read", "operation: write", 1),
		"trust":        strings.Replace(text, "command: [x]", "command: [x], annotations: trusted", 1),
		"a risk":       strings.Replace(text, "level: high", "level: medium", 1),
		"an approver":  strings.Replace(text, "approvers: 1", "approvers: 2", 1),
		"a tier":       strings.Replace(text, "approvals: {", "approvals: {tiers: {high: {approvers: 1}}, ", 1),
		"no rights":    strings.Replace(text, "permissions: {tools: [{name: 's.x', operations: [read], resources: '*'}]}", "permissions: {}", 1),
		"break glass":  text + "break_glass: {roles: []}\n",
		"logins":       text + "oidc: [{id: x, issuer: 'https://i', client_id: c, tenant: default, default_role: agent}]\n",
	} {
		if mustParse(t, other).Fingerprint() == c.Fingerprint() {
			t.Errorf("%s has the same fingerprint", name)
		}
	}
}

func TestIdempotency(t *testing.T) {
	c := goodFile(t, "idempotency")
	equal(t, "idempotency", c.Idempotency, Idempotency{Keep: 90 * time.Minute})
	equal(t, "the header is sent", c.MCPServers["pets"].IdempotencyHeader, true)
	equal(t, "the header is not sent", c.MCPServers["shop"].IdempotencyHeader, false)
}
