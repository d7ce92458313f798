package config

import (
	"fmt"
	"time"

	"github.com/signalbox/signalbox"
)

// configTable is the whole file.
func configTable(c *Config) object {
	c.Listen = DefaultListen
	c.Alerts.Defaults = true
	c.Database, _ = ParseDatabase(DefaultDatabase) // The default is well-formed.
	return object{fields: []field{
		key("listen", "Address to listen on, host:port.", textInto(&c.Listen, hostPort)),
		key("tls", "Certificate and key; without them the server speaks plain HTTP.", tlsTable(&c.TLS)),
		key("database", "Where everything is stored: sqlite:PATH or postgres://user:password@host/database.", database{&c.Database}),
		key("tenants", "Customers or departments; without any there is one, called default.", listOf(&c.Tenants, tenantTable)),
		key("teams", "Budgets of teams; a key's team need not be among them.", listOf(&c.Teams, teamTable())),
		key("keys", "Static API keys; more can be created through the API.", listOf(&c.Keys, keyTable)),
		key("providers", "Where models are served, by name.", dictOf(&c.Providers, each(nameText, declares(aProvider)), providerTable)),
		key("models", "What clients may ask for, by name.", dictOf(&c.Models, each(modelNameText, notReserved, declares(aModel)), modelTable)),
		key("routes", "Choices of a model by condition, in order.", listOf(&c.Routes, routeTable)),
		key("agents", "Agents by id.", listOf(&c.Agents, agentTable)),
		key("mcp_servers", "Tool servers, by name.", dictOf(&c.MCPServers, each(serverText, noCard), mcpServerTable)),
		key("limits", "Bounds of what the server takes on.", limitsTable(&c.Limits)),
		key("retention", "How long what can be rebuilt from the log is kept.", retentionTable(&c.Retention)),
		key("records", "What a record holds.", recordsTable(&c.Records)),
		key("telemetry", "OpenTelemetry beyond the standard OTEL_* variables.", telemetryTable(&c.Telemetry)),
		key("audit", "The tamper-evident log.", auditTable(&c.Audit)),
		key("alerts", "When a cost raises an alert.", alertsTable(&c.Alerts)),
		key("channels", "Where alerts are sent, by name.", dictOf(&c.Channels, each(nameText, declares(aChannel)), channelTable)),
		key("runs", "Runs that were opened with a budget.", runsTable(&c.Runs)),
		key("cluster", "Replicas that share one PostgreSQL; with SQLite it means nothing.", clusterTable(&c.Cluster)),
		key("public_url", "Where people reach this instance, for links in messages and for logins; without it, http:// and the address listened on.", endpoint{into: &c.PublicURL}),
		key("policy", "What decides besides the permissions of agents.", policyTable(&c.Policy)),
		key("approvals", "Which calls wait for people, and how long.", approvalsTable(&c.Approvals)),
		key("break_glass", "Grants for a while that go beyond the permissions.", breakGlassTable(&c.BreakGlass)),
		key("idempotency", "The idempotency keys with which callers make a call of a tool at most once.", idempotencyTable(&c.Idempotency)),
		key("oidc", "Identity providers (OpenID Connect) whose people may log in.", listOf(&c.OIDC, oidcTable())),
		later("flows"), later("guardrails"), later("sampling"), later("slos"), later("rollouts"), later("compliance"),
		later("cache"), later("a2a"),
	}, check: func(s seen) {
		checkPostgres(s, c)
		checkRetention(s.r, c.Audit.MinRetentionDays)
	}}
}

func tlsTable(t *TLS) value {
	return object{fields: []field{
		need("cert", "File with the certificate chain in PEM.", textInto(&t.Cert, singleLine)),
		need("key", "File with the private key in PEM.", textInto(&t.Key, singleLine)),
	}}
}

func tenantTable(t *Tenant) value {
	t.Timezone, t.Models = DefaultTimezone, DefaultModels()
	return object{fields: []field{
		need("id", "Name of the tenant.", textInto(&t.ID, nameText, declares(aTenant))),
		key("timezone", "Time zone of its days and months, such as Asia/Seoul.", textInto(&t.Timezone, zone)),
		key("models", "Models and routes it may use; * and ** are wildcards.", listOf(&t.Models, func(s *string) value {
			return textInto(s, modelGlob)
		})),
		key("limits", "Request and concurrency limits of the tenant as a whole.", limitListTable(&t.Limits)),
		key("budgets", "Budgets of the tenant as a whole, or of each run (per: run).", budgetListTable(&t.Budgets)),
		key("allow_unpriced", "Serve models whose price nobody has said; their calls count as free of charge.", boolean(&t.AllowUnpriced)),
		key("retention", "How long the content of its records is kept.", tenantRetentionTable(&t.Retention)),
	}}
}

// teamTable makes the table of one team after another; a name may stand once in each tenant.
func teamTable() func(*Team) value {
	type name struct{ tenant, id string }
	lines := map[name]int{}
	return func(t *Team) value {
		return object{fields: []field{
			need("id", "Name of the team, as keys give it.", textInto(&t.ID, label)),
			need("tenant", "The tenant it belongs to.", textInto(&t.Tenant, refers(aTenant))),
			need("budgets", "Budgets of the team as a whole, or of each of its runs (per: run).", budgetListTable(&t.Budgets)),
		}, check: func(s seen) {
			n := name{t.Tenant, t.ID}
			if first, found := lines[n]; found && t.ID != "" {
				s.problem("id", fmt.Sprintf("is declared for the same tenant on line %d", first), "keep one")
				return
			}
			lines[n] = s.self.line
		}}
	}
}

func keyTable(k *Key) value {
	k.Role = signalbox.RoleAgent
	return object{fields: []field{
		need("id", "Name of the key, as records show it.", textInto(&k.ID, nameText, declares(aKey))),
		need("secret", "The key itself, at least 16 characters; best a variable such as ${NAME}.", secret{into: &k.Secret, least: MinSecret}),
		need("tenant", "The tenant it belongs to.", textInto(&k.Tenant, refers(aTenant))),
		key("team", "Team that its calls are accounted to.", textInto(&k.Team, label)),
		key("agent", "Agent that it is bound to.", textInto(&k.Agent, idText)),
		key("user", "User that it is bound to.", textInto(&k.User, label)),
		key("role", "What its holder may do with Signalbox itself.", oneOf(&k.Role, signalbox.Roles()...)),
		key("limits", "Request and concurrency limits of the key.", limitListTable(&k.Limits)),
		key("budgets", "Budgets of the key, or of each run under it (per: run).", budgetListTable(&k.Budgets)),
	}, check: func(s seen) { s.r.noteSecret(k.Secret, s.keys["secret"]) }}
}

func agentTable(a *Agent) value {
	return object{fields: []field{
		need("id", "Name of the agent, as keys and headers give it.", textInto(&a.ID, idText, declares(anAgent))),
		key("role", "Its part in a group of agents, such as research.", textInto(&a.Role, label)),
		key("name", "What people call it.", textInto(&a.Name, label)),
		key("budgets", "Budgets of the agent in each tenant, whatever key it uses, or of each of its runs (per: run).", budgetListTable(&a.Budgets)),
		key("permissions", "What it may do; without them it may use its tenant's models, and no tools.", permissionsTable(&a.Permissions)),
	}}
}

func limitsTable(l *Limits) value {
	*l = DefaultLimits()
	return object{fields: []field{
		key("max_body_bytes", "Largest body of a request.", size(&l.MaxBodyBytes, 1<<10, 1<<30)),
		key("max_header_bytes", "Largest sum of a request's headers.", size(&l.MaxHeaderBytes, 4<<10, 1<<20)),
		key("max_concurrent_calls", "Calls in flight in this process; beyond it the answer is 503.", integer(&l.MaxConcurrentCalls, 1, 1_000_000)),
		key("max_queued_records", "Records that wait for the log's writer; beyond it the answer is 503.", integer(&l.MaxQueuedRecords, 16, 1_000_000)),
		key("budget_wait", "How long a call waits for money that others hold; 0 does not wait.", duration(&l.BudgetWait, 0, 5*time.Minute)),
		key("budget_waiting", "Calls that may wait so in this process.", integer(&l.BudgetWaiting, 1, 1_000_000)),
		key("default_max_output", "The max_tokens that is sent where neither the caller nor the model says.", integer(&l.DefaultMaxOutput, 1, signalbox.MaxTokens)),
	}}
}

func retentionTable(t *Retention) value {
	t.Projections = DefaultProjectionRetention
	return object{fields: []field{
		key("projections", "Call lists, traces and rollups; the log itself is kept.", duration(&t.Projections, time.Hour, 10*365*24*time.Hour)),
	}}
}

func recordsTable(t *Records) value {
	t.Content = DefaultContent
	return object{fields: []field{
		key("content", "What is kept of prompts, answers and arguments: a masked summary, or nothing.", oneOf(&t.Content, ContentSummary, ContentNone)),
	}}
}

func telemetryTable(t *Telemetry) value {
	return object{fields: []field{
		key("capture_content", "Put masked prompts and answers on spans.", boolean(&t.CaptureContent)),
	}}
}

func auditTable(a *Audit) value {
	a.Origin, a.BackupDays = DefaultAuditOrigin, DefaultBackupDays
	a.MinRetentionDays = DefaultMinRetentionDays
	return object{fields: []field{
		key("key", "Signing key: a file, or {env: NAME}; without it one is generated beside the SQLite file.", keySource{&a.Key}),
		key("previous_keys", "Keys before it, which sign beside it; of a lost one the public key.", listOf(&a.PreviousKeys, func(k *KeySource) value { return keySource{k} })),
		key("origin", "Name of the log in every checkpoint; a log keeps it for ever.", textInto(&a.Origin, originText)),
		key("backup_days", "Days for which you keep backups of the database; an erasure names the day when the last one that holds the key has expired.",
			integer(&a.BackupDays, 0, MaxBackupDays)),
		key("min_retention_days", "Days for which no content of any tenant's records can be destroyed.", integer(&a.MinRetentionDays, 1, MaxRetentionDays)),
		key("archive", "Directory below which the API writes archives of the log; without it none are written.", textInto(&a.Archive, singleLine)),
		key("anchor", "Places outside of the database that every checkpoint is brought to.", listOf(&a.Anchor, anchorTable)),
		key("master_key", "Wraps the keys that records about people are sealed with: a file, {env: NAME} or {command: [program, …]}; without it one is generated beside the SQLite file.", masterKeyTable(&a.MasterKey)),
		key("previous_master_keys", "Master keys before it, which open what is not wrapped by it yet.", listOf(&a.PreviousMasterKeys, masterKeyTable)),
	}}
}

func runsTable(t *Runs) value {
	t.IdleTimeout = DefaultRunIdleTimeout
	return object{fields: []field{
		key("idle_timeout", "An opened run expires after so long without a call.", duration(&t.IdleTimeout, time.Second, 30*24*time.Hour)),
	}}
}

func clusterTable(t *Cluster) value {
	*t = Cluster{DefaultLease, DefaultLongestCall}
	return object{fields: []field{
		key("lease", "A replica that was not heard of for so long is taken for dead.", duration(&t.Lease, time.Second, 10*time.Minute)),
		key("longest_call", "How long a call of a dead replica may still run; its budgets come back after that.", duration(&t.LongestCall, time.Second, 48*time.Hour)),
	}}
}
