package signalbox

import "time"

// Kind is what a call acts on.
type Kind string

// The five kinds. This version serves [KindModel] and [KindTool].
const (
	KindModel  Kind = "model"  // A language model.
	KindTool   Kind = "tool"   // A tool of an MCP server.
	KindAgent  Kind = "agent"  // Another agent (delegation).
	KindQuery  Kind = "query"  // A database (SQL).
	KindEgress Kind = "egress" // The web (HTTP).
)

// Protocol is a wire format, of a caller or of a provider.
type Protocol string

// The protocols.
const (
	ProtocolOpenAIChat Protocol = "openai.chat"
	ProtocolAnthropic  Protocol = "anthropic.messages"
	ProtocolMCP        Protocol = "mcp"
)

// Call is one act of an agent, parsed once by the protocol adapter and immutable from then on. Decisions are made about
// Body, and Body is what is forwarded.
type Call struct {
	ID             string // "call_…", ours, sorts by time.
	RequestID      string // The caller's X-Request-Id where valid, else ours.
	Kind           Kind
	Protocol       Protocol // The caller's wire format; answers and errors have its shape.
	Caller         Caller
	Claims         Claims
	Span           Span
	Received       time.Time
	Source         string // The caller's address without the port.
	Stream         bool   // The caller asked for a stream.
	Body           []byte // The bytes received; they have passed the strict parser unless Invalid is set.
	Model          *ModelRequest
	Tool           *ToolRequest
	Invalid        *Error  // Why the request is not sane; the gate refuses it with this error.
	Edits          string  // The approval whose arguments a person has changed to make this call; "" for all others.
	Approval       string  // The one approval that may admit this call, which asks for no other; "" for all that a caller makes himself.
	IdempotencyKey string  // With which a caller makes a call of a tool at most once; "" for all others.
	Bearer         *Bearer // The token that the call came with in place of an API key; nil for all others.
}

// Claims is what the caller said of itself in X-Signalbox-… headers. The gate checks it against what the key is bound
// to: a header can narrow, never widen.
type Claims struct {
	Agent       string `json:"agent,omitzero"`
	ParentAgent string `json:"parent_agent,omitzero"`
	User        string `json:"user,omitzero"`
	Run         string `json:"run,omitzero"`
	Step        *int64 `json:"step,omitzero"`
	StepKind    string `json:"step_kind,omitzero"`
	Subject     string `json:"subject,omitzero"`
	Purpose     string `json:"purpose,omitzero"`
}

// ModelRequest is what Signalbox needs to know of a call of [KindModel].
type ModelRequest struct {
	Model       string // As the caller wrote it: a model's or route's name, or "auto".
	MaxOutput   int64  // The caller's limit of output tokens; 0 where it gave none.
	Choices     int    // How many answers it asked for; 1 unless it said otherwise.
	UsageWanted bool   // Whether it asked for usage in a stream (always so in formats that send it anyway).
	Messages    int
	Tools       int
	Prompt      string // Text of the last user message, cut to [MaxExcerpt]; for the masked summary and routing only.
	External    bool   // Content that counts is outside of the request: files, image URLs, earlier responses.
	Unseen      int64  // Tokens of input beyond what bytes show, at the most: images that are part of the request.

	// Unbounded says what of the request nobody can bound the cost of; the ledger refuses the call with it unless its
	// tenant allows calls without a price. Nil for all other requests.
	Unbounded *Error

	// Headers go on to a provider that speaks the caller's format, as the caller sent them ("anthropic-beta"). The
	// protocol adapter keeps those that belong to its format; nothing that identifies the caller is among them.
	Headers map[string]string
}

// ToolRequest is what Signalbox needs to know of a call of [KindTool].
type ToolRequest struct {
	Server    string // The server's id in the configuration.
	Name      string // The tool's name as the server knows it.
	Arguments []byte // A JSON object, strictly parsed.

	// Inputs is what the caller answers to questions that the server has asked before, a JSON object; nil where he answers
	// nothing. An approval does not cover it: it is given later than the call was asked for.
	Inputs []byte
}

// ID gives the tool's id in configuration and records, "server.tool".
func (t ToolRequest) ID() string { return t.Server + "." + t.Name }

// MaxExcerpt bounds the text that is kept of a request or answer for its summary, in bytes.
const MaxExcerpt = 2048

// Candidate is something that could serve a call.
type Candidate struct {
	Name          string   // Our name: the model's in the configuration, or "server.tool".
	Provider      string   // The provider's or MCP server's id in the configuration.
	ProviderName  string   // What OpenTelemetry calls the provider ("openai", "anthropic"), or the provider's id.
	Format        Protocol // The wire format the provider speaks.
	Upstream      string   // The name by which the provider knows it.
	Price         *Price   // Nil: nobody has said what it costs.
	ContextWindow int64    // In tokens; 0 is unknown.
	MaxOutput     int64    // The most output tokens it can give; 0 is unknown.
	Simulated     bool     // Its answers are made up by Signalbox.

	Annotations *Annotations // Of a tool, as its server lists it.
	Schema      [32]byte     // SHA-256 of a tool's entry in its server's list; zero for models.

	// Refusal is why the call can not be made (its arguments, or that the tool is held), as only the server's side knows it; nil
	// where nothing is, or nobody has looked. Whoever may make the call hears it, nobody else.
	Refusal *Error
}

// Basis says how a usage and its cost are known.
type Basis string

// The bases.
const (
	BasisReported  Basis = "reported"  // The provider reported it.
	BasisEstimated Basis = "estimated" // The provider did not say; counted from the bytes that passed.
	BasisHeld      Basis = "held"      // Nobody knows: the whole hold counts until it is reconciled.
	BasisUnpriced  Basis = "unpriced"  // The usage is known, the price is not.
	BasisNone      Basis = "none"      // Nothing was consumed.
)

// Attempt is one try of one candidate.
type Attempt struct {
	N            int       `json:"n"` // From 1.
	Name         string    `json:"name"`
	Provider     string    `json:"provider"`
	ProviderName string    `json:"provider_name,omitzero"`
	Upstream     string    `json:"upstream"`
	Format       Protocol  `json:"format"`
	Simulated    bool      `json:"simulated,omitzero"`
	SpanID       string    `json:"span"`
	Started      time.Time `json:"started"`
	DurationMS   int64     `json:"duration_ms"`
	FirstByteMS  int64     `json:"first_byte_ms,omitzero"`
	Code         Code      `json:"code,omitzero"`    // "" when it served.
	Message      string    `json:"message,omitzero"` // Masked.
	HTTPStatus   int       `json:"http_status,omitzero"`
	Usage        *Usage    `json:"usage,omitzero"`
	Basis        Basis     `json:"basis"`
	Rates        *Rates    `json:"rates,omitzero"` // The rates the cost was computed with.
	RateSource   string    `json:"rate_source,omitzero"`
	RateDate     string    `json:"rate_date,omitzero"`
	Cost         *Money    `json:"cost,omitzero"`       // Nil where unpriced.
	Held         *Money    `json:"held,omitzero"`       // The bound that was held before it left; nil where unpriced.
	HeldUsage    *Usage    `json:"held_usage,omitzero"` // The tokens of that bound.
	MaxOutput    int64     `json:"max_output,omitzero"` // The max_tokens that was sent.
	Overrun      bool      `json:"overrun,omitzero"`    // The provider billed more than the bound.
	Finish       string    `json:"finish,omitzero"`
	ResponseID   string    `json:"response_id,omitzero"`
	ResponseName string    `json:"response_model,omitzero"`
}

// Status is what a station did about a call.
type Status string

// The statuses. A station that is not built or not configured is not_run, never passed.
const (
	StatusNotRun Status = "not_run"
	StatusPassed Status = "passed"
	StatusDenied Status = "denied"
	StatusFailed Status = "failed"
)

// Stations is the status of each station, as recorded.
type Stations struct {
	Gate        Status `json:"gate"`
	Resolve     Status `json:"resolve"`
	Policy      Status `json:"policy"`
	GuardInput  Status `json:"guard_input"`
	GuardOutput Status `json:"guard_output"`
	Approval    Status `json:"approval"`
	Attempt     Status `json:"attempt"`
}

// Outcome is how a call ended. Every call has exactly one.
type Outcome string

// The outcomes.
const (
	OutcomeOK        Outcome = "ok"
	OutcomeDenied    Outcome = "denied"    // Refused before anything left the process.
	OutcomeBlocked   Outcome = "blocked"   // A guardrail stopped it.
	OutcomeFailed    Outcome = "failed"    // It was attempted, and no candidate served it whole.
	OutcomeCancelled Outcome = "cancelled" // The caller went away.
	OutcomeUnknown   Outcome = "unknown"   // Signalbox stopped between intent and outcome.
)
