package config

import (
	"slices"
	"time"

	"github.com/signalbox/signalbox"
)

// Config is a whole, checked configuration. It is read-only once it is made: share it freely, change nothing.
type Config struct {
	Listen     string               `json:"listen"` // host:port
	TLS        TLS                  `json:"tls"`
	Database   Database             `json:"database"`
	Tenants    []Tenant             `json:"tenants"` // At least one.
	Teams      []Team               `json:"teams"`   // Those with budgets; a key's team need not be among them.
	Keys       []Key                `json:"keys"`
	Providers  map[string]Provider  `json:"providers"`
	Models     map[string]Model     `json:"models"`
	Routes     []Route              `json:"routes"` // The first that applies wins.
	Agents     []Agent              `json:"agents"`
	MCPServers map[string]MCPServer `json:"mcp_servers"`
	Limits     Limits               `json:"limits"`
	Retention  Retention            `json:"retention"`
	Records    Records              `json:"records"`
	Telemetry  Telemetry            `json:"telemetry"`
	Audit      Audit                `json:"audit"`
	Alerts     Alerts               `json:"alerts"`
	Channels   map[string]Channel   `json:"channels"`
	Runs       Runs                 `json:"runs"`
	Cluster    Cluster              `json:"cluster"`
	PublicURL  Endpoint             `json:"public_url"` // Where people reach this instance, for links; "": http://listen.
	Policy     Policy               `json:"policy"`
	Approvals  Approvals            `json:"approvals"`
	BreakGlass BreakGlass           `json:"break_glass"`
	OIDC       []OIDC               `json:"oidc"`

	Idempotency Idempotency `json:"idempotency"`

	Warnings []Warning `json:"-"` // What Options.CheckPolicy has found.
}

// TLS names the files of a certificate and its key, both in PEM. Both are set or none.
type TLS struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// Enabled reports whether the server speaks TLS.
func (t TLS) Enabled() bool { return t.Cert != "" }

// Tenant is one customer or department; nothing passes between tenants.
type Tenant struct {
	ID            string             `json:"id"`
	Timezone      string             `json:"timezone"` // IANA name; for the windows of its limits and budgets.
	Models        []string           `json:"models"`   // Globs over names of models and routes.
	Limits        []signalbox.Budget `json:"limits"`   // Of requests and concurrency.
	Budgets       []signalbox.Budget `json:"budgets"`  // Of money, tokens and steps.
	AllowUnpriced bool               `json:"allow_unpriced"`
	Retention     TenantRetention    `json:"retention"`
}

// Team gives budgets to a team of a tenant.
type Team struct {
	ID      string             `json:"id"`
	Tenant  string             `json:"tenant"`
	Budgets []signalbox.Budget `json:"budgets"`
}

// Key is a static API key.
type Key struct {
	ID      string             `json:"id"`
	Secret  Secret             `json:"secret"`
	Tenant  string             `json:"tenant"`
	Team    string             `json:"team"`
	Agent   string             `json:"agent"` // Bound agent, which need not be declared; "" lets a header name one.
	User    string             `json:"user"`
	Role    signalbox.Role     `json:"role"`
	Limits  []signalbox.Budget `json:"limits"`  // Of requests and concurrency.
	Budgets []signalbox.Budget `json:"budgets"` // Of money, tokens and steps.
}

// Kind is the protocol of a provider.
type Kind string

// The kinds of provider.
const (
	KindAnthropic        Kind = "anthropic"
	KindOpenAI           Kind = "openai"
	KindOpenAICompatible Kind = "openai_compatible"
	KindSimulated        Kind = "simulated"
)

// Provider is where models are served.
type Provider struct {
	Kind      Kind              `json:"kind"`
	APIKey    Secret            `json:"api_key"`  // None: no credential is sent.
	BaseURL   Endpoint          `json:"base_url"` // With the version ("/v1"), without a slash at the end; none for simulated providers.
	Headers   map[string]Secret `json:"headers"`  // Sent with every request besides.
	Baggage   bool              `json:"baggage"`  // Whether the caller's baggage goes there.
	Timeouts  Timeouts          `json:"timeouts"`
	Simulated Simulated         `json:"simulated"` // Only for KindSimulated.
}

// ToolTimeouts bound what is asked of an MCP server.
type ToolTimeouts struct {
	Connect time.Duration `json:"connect"` // Until the handshake is done; for a command, its start included.
	Total   time.Duration `json:"total"`   // The whole call of a tool.
	Place   time.Duration `json:"place"`   // For a place among the server's calls in flight.
}

// Timeouts bound one attempt at an upstream.
type Timeouts struct {
	Connect   time.Duration `json:"connect"`    // Until the connection stands, TLS included; for stdio, the start.
	FirstByte time.Duration `json:"first_byte"` // From sending to the first byte of the answer.
	Idle      time.Duration `json:"idle"`       // Between two reads of an answer.
	Total     time.Duration `json:"total"`      // The whole attempt.
}

// Failure is a way in which a simulated provider fails.
type Failure string

// The failures of simulated providers.
const (
	FailureRateLimited Failure = "rate_limited" // 429 with Retry-After.
	FailureOverloaded  Failure = "overloaded"   // 529, or 503 in the OpenAI shape.
	FailureReset       Failure = "reset"        // The connection breaks before the answer.
	FailureTruncated   Failure = "truncated"    // The answer breaks off in the middle.
)

// Simulated says how a simulated provider behaves. The same seed and the same requests give the same answers.
type Simulated struct {
	Seed            int64     `json:"seed"`
	Latency         Latency   `json:"latency"`           // Until the first byte.
	TokensPerSecond int64     `json:"tokens_per_second"` // Pace of a stream.
	OutputTokens    Range     `json:"output_tokens"`     // Length of an answer.
	FailureRate     float64   `json:"failure_rate"`      // Share of calls that fail, 0 to 1.
	Failures        []Failure `json:"failures"`          // How they fail; never empty.
	ToolCallRate    float64   `json:"tool_call_rate"`    // Share of calls with tools that are answered by a tool call.
}

// Latency is a distribution by two of its quantiles.
type Latency struct {
	P50 time.Duration `json:"p50"`
	P95 time.Duration `json:"p95"`
}

// Range is an interval that includes both ends.
type Range struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}

// Model is a name that clients may ask for.
type Model struct {
	Provider      string           `json:"provider"`
	Model         string           `json:"model"`          // The provider's name for it.
	Fallbacks     []string         `json:"fallbacks"`      // Names of models, tried in order; their own fallbacks do not count.
	ContextWindow int64            `json:"context_window"` // Tokens; 0: not configured.
	MaxOutput     int64            `json:"max_output"`     // Tokens; 0: not configured.
	Price         *signalbox.Price `json:"price"`          // Nil: not configured; the built-in table may know it.
	DowngradeTo   string           `json:"downgrade_to"`   // The model used instead while a run or tenant is throttled; "" is none.
}

// Route chooses models by a condition.
type Route struct {
	Name string   `json:"name"`
	When string   `json:"when"` // A CEL expression.
	Use  []string `json:"use"`  // The first is tried first.
}

// Agent declares an agent.
type Agent struct {
	ID   string `json:"id"`
	Role string `json:"role"` // Its part in a group of agents ("research"); not a [signalbox.Role].
	Name string `json:"name"`

	Budgets []signalbox.Budget `json:"budgets"` // In each tenant by itself, whatever key the agent uses.

	Permissions *signalbox.Permissions `json:"permissions"` // Nil: models, and no tools.
}

// MCPServer is a tool server, reached by URL, found by its card or started as a child process, or an HTTP API whose operations are its tools.
type MCPServer struct {
	URL     Endpoint          `json:"url"`     // None for a command.
	Card    Endpoint          `json:"card"`    // Where the server's card is, which names its URL; none for a URL or a command.
	OpenAPI OpenAPIFile       `json:"openapi"` // What describes the HTTP API at URL; none for an MCP server.
	Command []string          `json:"command"` // Program and arguments; empty for a URL. They are visible to the machine's users: secrets belong in Env.
	Env     map[string]Secret `json:"env"`     // Added to the environment of the child.
	Headers map[string]Secret `json:"headers"` // Sent with every request.

	CardOrigins []string `json:"card_origins"` // Where Headers may be sent besides the card's origin; as "https://host:8443", in small letters, without a usual port.

	Credential *Credential `json:"credential"` // Nil: the headers say all.

	Baggage bool `json:"baggage"` // Whether the caller's baggage goes there.

	// Of an HTTP API: what stands for the caller's idempotency key is sent with POST and PATCH, as Idempotency-Key.
	IdempotencyHeader bool `json:"idempotency_header"`

	Timeouts ToolTimeouts    `json:"timeouts"`
	MaxCalls int64           `json:"max_concurrent_calls"` // In flight; beyond it a call waits for Timeouts.Place.
	Asks     bool            `json:"asks"`                 // A command may ask callers while it works for them, and has one call at a time.
	Breaker  Breaker         `json:"breaker"`
	Limits   ChildLimits     `json:"limits"` // Of the child.
	Price    ToolPrice       `json:"price"`
	Trusted  bool            `json:"annotations"` // "trusted": what the server says of its tools is believed. "untrusted", the default: it is not.
	Tools    map[string]Tool `json:"tools"`       // By the name that the server gives them; only those that differ.
	Pins     Pins            `json:"pins"`

	Title       string               `json:"title"`       // For people who look for servers; "" is none.
	Description string               `json:"description"` // Likewise.
	Tenants     []string             `json:"tenants"`     // For which it exists; none: for all.
	Guard       signalbox.GuardRules `json:"guard"`       // Off where it does not say.
}

// GuardOf is what the guard looks for in calls of a tool of the server.
func (m MCPServer) GuardOf(tool string) signalbox.GuardRules {
	return m.Tools[tool].Guard.Over(m.Guard)
}

// Breaker says when calls of a server that fails are refused at once.
type Breaker struct {
	Failures int64         `json:"failures"` // In a row; 0: never.
	Within   time.Duration `json:"within"`   // From one to the next.
	Pause    time.Duration `json:"pause"`    // The first one; later ones double.
}

// ChildLimits bound a child process; 0 is no limit.
type ChildLimits struct {
	CPU       time.Duration `json:"cpu_time"`  // Of each process, in its life.
	Memory    int64         `json:"memory"`    // Private bytes of each process.
	Files     int64         `json:"files"`     // Open, of each process; 0 is a default.
	Processes int64         `json:"processes"` // Of the whole tree.
}

// Credential says how the tokens are got that an MCP server demands.
type Credential struct {
	Grant        string   `json:"grant"`     // GrantClientCredentials or GrantTokenExchange.
	TokenURL     Endpoint `json:"token_url"` // None: it is found.
	Issuer       Endpoint `json:"issuer"`    // None: the one that the server names.
	ClientID     string   `json:"client_id"`
	ClientSecret Secret   `json:"client_secret"`
	Auth         string   `json:"auth"` // "basic", "post" or "": as the authorization server says.
	Scopes       []string `json:"scopes"`
	Resource     string   `json:"resource"` // "": the server's; "none": not sent.
	Audience     string   `json:"audience"` // "": not sent.
	SubjectToken Secret   `json:"subject_token"`
}

// Pins says what becomes of tools that are seen for the first time. Those that change are always held.
type Pins struct {
	First   PinRule `json:"first"`   // Of all of them; accept by default.
	Flagged PinRule `json:"flagged"` // Of those that look suspicious; hold by default.
}

// PinRule is what becomes of a tool.
type PinRule string

// The rules.
const (
	PinAccept PinRule = "accept" // It is pinned as it is.
	PinHold   PinRule = "hold"   // It is held until somebody has accepted it.
)

// For reports whether the server exists for a tenant.
func (m MCPServer) For(tenant string) bool {
	return len(m.Tenants) == 0 || slices.Contains(m.Tenants, tenant)
}

// ServesTo reports whether an MCP server exists for a tenant; one that is not configured exists for all, as far as that goes.
func (c *Config) ServesTo(server, tenant string) bool {
	m, found := c.MCPServers[server]
	return !found || m.For(tenant)
}

// Tool is what is said of one tool of a server.
type Tool struct {
	Price   *ToolPrice             `json:"price"`   // Nil: as its server's.
	Mapping *signalbox.ToolMapping `json:"mapping"` // Written as operation and resources beside the price. Nil: none.
	Guard   signalbox.GuardRules   `json:"guard"`   // Where it does not say: as its server's.
}

// OpenAPIFile is a document that describes an HTTP API.
type OpenAPIFile struct {
	Path string `json:"path"` // "" is none.
	Text string `json:"-"`    // As it was read with the configuration, in JSON whatever it was written in.
}

// Policy is what decides besides the permissions of agents.
type Policy struct {
	Cedar []CedarFile          `json:"cedar"` // Further rules; their forbids win over all permissions.
	Risk  []signalbox.RiskRule `json:"risk"`
}

// CedarFile is a file of rules in the language of Cedar.
type CedarFile struct {
	Path string `json:"path"`
	Text string `json:"-"` // As it was read with the configuration.
}

// Approvals says which calls wait for people, and how.
type Approvals struct {
	Tiers         map[signalbox.Risk]signalbox.Requirement `json:"tiers"`          // By risk; every level is there.
	Rules         []signalbox.ApprovalRule                 `json:"rules"`          // The first that fits wins over the tier.
	ExpireAfter   time.Duration                            `json:"expire_after"`   // Of a pending approval.
	UseWithin     time.Duration                            `json:"use_within"`     // Of an approved one.
	DeniedFor     time.Duration                            `json:"denied_for"`     // Of a denied one: the same call is refused meanwhile; 0: not at all.
	EscalateAfter time.Duration                            `json:"escalate_after"` // Of a pending one; 0: never.
	Channels      []string                                 `json:"channels"`       // That are told of new and escalated ones; none: nobody is told.
}

// Idempotency says what becomes of the idempotency keys of calls.
type Idempotency struct {
	Keep time.Duration `json:"keep"` // How long a key makes no second call, from the end of the first one on.
}

// BreakGlass says who may give grants that go beyond the permissions.
type BreakGlass struct {
	Roles        []signalbox.Role `json:"roles"`
	MaxDuration  time.Duration    `json:"max_duration"`
	ReviewWithin time.Duration    `json:"review_within"` // After its end; then it is escalated.
	Channels     []string         `json:"channels"`      // Told at once.
}

// OIDC is an identity provider whose people may log in to the console, and call the control API with its tokens.
type OIDC struct {
	ID           string                    `json:"id"`
	Issuer       Endpoint                  `json:"issuer"`
	ClientID     string                    `json:"client_id"`
	ClientSecret Secret                    `json:"client_secret"`
	Audience     string                    `json:"audience"`     // Of tokens for the API; "": the client id.
	Scopes       []string                  `json:"scopes"`       // Besides openid.
	Tenant       string                    `json:"tenant"`       // Of all its people, unless a claim says it.
	TenantClaim  string                    `json:"tenant_claim"` // "": none.
	TeamClaim    string                    `json:"team_claim"`
	RoleClaim    string                    `json:"role_claim"`   // A string or a list of strings; a dot leads into an object.
	Roles        map[string]signalbox.Role `json:"roles"`        // By a value of the claim; of several the most powerful.
	DefaultRole  signalbox.Role            `json:"default_role"` // Of people without such a value; "": they are refused.

	Clients        map[string]OIDCClient `json:"clients"` // Whose tokens make calls of the MCP endpoints, by their ids there.
	RequiredScopes []string              `json:"required_scopes"`
	Revoked        []string              `json:"revoked"` // Subjects and clients.
}

// OIDCClient is a client of an identity provider whose tokens make calls.
type OIDCClient struct {
	Agent   string             `json:"agent"`
	People  bool               `json:"people"` // People use it, and its tokens stand for them.
	Tenant  string             `json:"tenant"` // "": the provider's. This and what follows is of clients that work by themselves.
	Team    string             `json:"team"`
	Limits  []signalbox.Budget `json:"limits"`
	Budgets []signalbox.Budget `json:"budgets"`
}

// The defaults of approvals and break-glass grants.
const (
	DefaultApprovalExpires = 24 * time.Hour
	DefaultApprovalUse     = 15 * time.Minute
	DefaultDeniedFor       = 10 * time.Minute
	DefaultBreakGlass      = time.Hour
	DefaultBreakGlassMax   = 4 * time.Hour
	DefaultReviewWithin    = 24 * time.Hour
)

// ToolPrice is what calling a server's tools costs.
type ToolPrice struct {
	PerCall signalbox.Money `json:"per_call"`
}

// Limits bound what the server takes on.
type Limits struct {
	MaxBodyBytes       int64 `json:"max_body_bytes"`       // Of a request.
	MaxHeaderBytes     int64 `json:"max_header_bytes"`     // Of a request, all headers together.
	MaxConcurrentCalls int64 `json:"max_concurrent_calls"` // In flight in this process; beyond it 503.
	MaxQueuedRecords   int64 `json:"max_queued_records"`   // Waiting for the log's writer; beyond it 503.

	BudgetWait       time.Duration `json:"budget_wait"`        // How long a call waits for money that others hold; 0: not at all.
	BudgetWaiting    int64         `json:"budget_waiting"`     // Calls that may wait so in this process.
	DefaultMaxOutput int64         `json:"default_max_output"` // Tokens; the max_tokens sent where neither the caller nor the model says.
}

// Retention says how long what can be rebuilt from the log is kept. The log itself is never shortened.
type Retention struct {
	Projections time.Duration `json:"projections"`
}

// Content says what of a call's content is kept in its record.
type Content string

// The choices for [Records].
const (
	ContentSummary Content = "summary" // A masked, shortened summary.
	ContentNone    Content = "none"    // Nothing but sizes.
)

// Records says what a record holds.
type Records struct {
	Content Content `json:"content"`
}

// Telemetry is about OpenTelemetry; where it goes is said by the standard OTEL_* variables.
type Telemetry struct {
	CaptureContent bool `json:"capture_content"` // Masked prompts and answers on spans.
}

// Audit is about the tamper-evident log.
type Audit struct {
	Key          KeySource   `json:"key"`           // The signing key; without one: generated once beside the SQLite file.
	PreviousKeys []KeySource `json:"previous_keys"` // Keys before it, which sign beside it; of a lost one the public key.
	Origin       string      `json:"origin"`        // The log's name, in every checkpoint; a log keeps it for ever.
	Anchor       []Anchor    `json:"anchor"`        // Where every checkpoint is brought.

	MasterKey          MasterKey   `json:"master_key"`           // Wraps the keys of data subjects; without one: generated once beside the SQLite file.
	PreviousMasterKeys []MasterKey `json:"previous_master_keys"` // Those before it.

	MinRetentionDays int64  `json:"min_retention_days"` // No content of any tenant is destroyed before.
	Archive          string `json:"archive"`            // Directory below which archives are written; "": none.

	BackupDays int64 `json:"backup_days"` // How long backups of the database are kept, which erasures tell.
}

// KeySource says where a signing key is. One of the two is set, or none.
type KeySource struct {
	File string `json:"file,omitzero"`
	Env  string `json:"env,omitzero"` // Name of a variable.
}

// IsZero reports whether it names nothing.
func (k KeySource) IsZero() bool { return k == KeySource{} }

// Anchor is a place outside of the database that keeps checkpoints: a file, a webhook or a witness.
type Anchor struct {
	File    string   `json:"file,omitzero"`
	Webhook Endpoint `json:"webhook,omitzero"`
	Secret  Secret   `json:"secret,omitzero"`  // Of the webhook, as that of a [Channel].
	Witness Endpoint `json:"witness,omitzero"` // Its submission prefix (C2SP tlog-witness).
	Key     string   `json:"key,omitzero"`     // The witness's public key.
}

// Alerts says when a cost raises an alert.
type Alerts struct {
	Defaults bool                  `json:"defaults"` // Whether the default ladder holds where no rule replaces it.
	Rules    []signalbox.AlertRule `json:"rules"`    // Those that hold, the default ones among them.
}

// ChannelKind is how a channel is spoken to.
type ChannelKind string

// ChannelWebhook is the only kind of channel so far: posts that are signed as the Standard Webhooks say.
const ChannelWebhook ChannelKind = "webhook"

// Channel is where alerts are sent.
type Channel struct {
	Kind    ChannelKind       `json:"kind"`
	URL     Endpoint          `json:"url"`     // Prints without its path, which may be a credential.
	Secret  Secret            `json:"secret"`  // Signs: "whsec_" and a key in base64, or any text, whose bytes are the key.
	Headers map[string]Secret `json:"headers"` // Sent with every message besides.
	Timeout time.Duration     `json:"timeout"` // Of one try.
}

// Runs is about runs that were opened.
type Runs struct {
	IdleTimeout time.Duration `json:"idle_timeout"` // An opened run expires after so long without a call.
}

// Cluster is about the replicas that share one PostgreSQL. With SQLite it means nothing.
type Cluster struct {
	Lease       time.Duration `json:"lease"`        // A replica that was not heard of for so long is taken for dead.
	LongestCall time.Duration `json:"longest_call"` // How long a call of a dead replica may still run.
}
