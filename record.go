package signalbox

import "time"

// RecordType says what an entry of the log is about.
type RecordType string

// The types of records.
const (
	RecordIntent  RecordType = "intent"  // A call is about to leave; written before its first attempt.
	RecordAttempt RecordType = "attempt" // A further attempt (n ≥ 2) of the same call is about to leave.
	RecordOutcome RecordType = "outcome" // A call has ended; the only record of a call that was refused.
	RecordAdmin   RecordType = "admin"   // State of Signalbox itself changed, or something about it is to be remembered.
)

// The actions of records, in the words of the seed.
const (
	ActionModelCall  = "llm_call"
	ActionToolCall   = "tool_call"
	ActionKeyCreated = "key_created"
	ActionKeyRevoked = "key_revoked"
	ActionRefusals   = "refusals" // Refusals without a valid key, counted by source and minute.
	ActionStarted    = "started"
	ActionStopped    = "stopped"
	ActionLogResumed = "log_resumed" // The log could not be written for a while; calls were refused.

	ActionRunOpened       = "run_opened"
	ActionRunEnded        = "run_ended"
	ActionAlertRaised     = "alert_raised"
	ActionBrakeLifted     = "brake_lifted"
	ActionCostReconciled  = "cost_reconciled"  // What an unknown or estimated call really cost is known; its entries correct the ledger.
	ActionAccountReopened = "account_reopened" // An account that an overrun had closed takes holds again.
	ActionConfigReloaded  = "config_reloaded"
	ActionConfigRejected  = "config_rejected" // A changed configuration file was not taken; the one before stays in force.
	ActionReplicaJoined   = "replica_joined"
	ActionReplicaFenced   = "replica_fenced" // A replica that has not been heard of can commit nothing any more.

	ActionLogin             = "login"               // Somebody opened a session of the console.
	ActionLogout            = "logout"              // And ended it.
	ActionErasure           = "erasure"             // The keys of a data subject were destroyed; what they sealed is gone for ever.
	ActionSubjectExported   = "subject_exported"    // All that is known of a data subject was given out.
	ActionContentDestroyed  = "content_destroyed"   // The retention of records is over; their content was destroyed, their leaves stay.
	ActionLogArchived       = "log_archived"        // A closed range of the log was written to files.
	ActionLogExported       = "log_exported"        // Records were given out with what is sealed in them, more than a page.
	ActionSigningKeyRotated = "signing_key_rotated" // Checkpoints are signed with a new key, and for a while with the old one too.

	ActionApprovalRequested = "approval_request"   // A call waits for people, in the words of the seed.
	ActionApprovalVoted     = "approval_vote"      // Somebody has approved or denied it.
	ActionApprovalEnded     = "approval_ended"     // It expired, became stale or was withdrawn.
	ActionApprovalEscalated = "approval_escalated" // Nobody has decided for too long.
	ActionTaskOpened        = "task_opened"        // A call that waits for people is made later, in place of its caller.
	ActionTaskEnded         = "task_ended"         // It ended without an outcome of its call; else that is the record.
	ActionTaskCancelled     = "task_cancelled"     // Who made it does not want it any more, or has said so while its call was under way.
	ActionBreakGlass        = "break_glass"        // Somebody was given what his permissions do not cover, for a while.
	ActionBreakGlassEnded   = "break_glass_ended"  // Before its time.
	ActionBreakGlassReview  = "break_glass_review" // Somebody has looked at what was done under it.
	ActionBreakGlassOverdue = "break_glass_overdue"
	ActionPolicyChanged     = "policy_changed" // Another policy is in force.
	ActionIncidentOpened    = "incident_opened"
	ActionIncidentClosed    = "incident_closed"
	ActionSessionRevoked    = "session_revoked" // Somebody ended another's session.

	ActionMasterKeyRotated = "master_key_rotated" // The keys of data subjects are wrapped by a new master key.

	ActionPinned      = "pin"        // Tools of an MCP server were seen for the first time, and may be used as they are.
	ActionPinHeld     = "pin_held"   // Tools have changed, or look suspicious: nobody can use them before a review.
	ActionPinAccepted = "pin_accept" // Somebody has accepted the new form of a tool.
	ActionPinRejected = "pin_reject" // Or rejected it.
)

// Record is one entry of the log before it is encoded: who did what, when, in which context. Texts in it are masked.
type Record struct {
	Type     RecordType `json:"-"`
	Call     string     `json:"-"` // The call's id; "" for admin records.
	Time     time.Time  `json:"-"` // When the record was made.
	Who      Who        `json:"who"`
	What     What       `json:"what"`
	When     When       `json:"when"`
	Context  Context    `json:"context"`
	Stations *Stations  `json:"stations,omitzero"`
	Attempts []Attempt  `json:"attempts,omitzero"`
	Outcome  Outcome    `json:"outcome,omitzero"` // Only in records of type outcome.
	Error    *Failure   `json:"error,omitzero"`

	Budget *BudgetStand  `json:"budget,omitzero"` // Only in outcomes of calls that pay from a budget.
	Ledger []LedgerEntry `json:"ledger,omitzero"` // What the record changes in the ledger, in the same transaction.

	// Sealed is what [Personal] fields became when the record was encoded; nil where it had none.
	Sealed  *Sealed      `json:"sealed,omitzero"`
	Content ContentState `json:"-"` // Set by decoding.
}

// BudgetStand is the tightest budget of a call: what it had left before the call held anything, and what after the call
// was settled, both as the process knew it then, with what other calls did meanwhile.
type BudgetStand struct {
	Account string `json:"account"` // As [Account.String] gives it.
	Max     int64  `json:"max"`     // In the unit's measure: nano-dollars for usd. The same below.
	Before  int64  `json:"before"`
	After   int64  `json:"after"`
}

// Sealed is the part of a record that is encrypted under the key of a data subject: the JSON of [Personal] with a salt,
// by AES-256-GCM; the record's tenant, call, type and time are authenticated with it.
type Sealed struct {
	Key  string `json:"key"`  // Id of the [SubjectKey].
	Data []byte `json:"data"` // The nonce of 12 bytes, then the ciphertext with its tag.
}

// Personal is what of a record can be about a person. In the log it exists only sealed. Its members are fields of the
// record that are empty there.
type Personal struct {
	UserID        string            `json:"user_id,omitzero"`
	SubjectID     string            `json:"subject_id,omitzero"`
	ResourceID    string            `json:"resource_id,omitzero"`
	InputSummary  string            `json:"input_summary,omitzero"`
	OutputSummary string            `json:"output_summary,omitzero"`
	ErrorMessage  string            `json:"error_message,omitzero"`
	Attempts      []string          `json:"attempts,omitzero"` // Message of each attempt, in order; nil where all are empty.
	Detail        map[string]string `json:"detail,omitzero"`   // Those details of admin records that name a person.
}

// ContentState says what of a record could be read.
type ContentState string

// The states.
const (
	ContentOpen      ContentState = ""          // All of it.
	ContentSealed    ContentState = "sealed"    // Not the personal part: there is no master key at hand.
	ContentErased    ContentState = "erased"    // Not the personal part: the subject's key was destroyed.
	ContentDestroyed ContentState = "destroyed" // Nothing but the header: its retention is over.
)

// SubjectKey encrypts what records say about one data subject of one tenant: AES-256, itself encrypted (wrapped) by the
// master key. A subject has one or more of them, since replicas make theirs without asking each other.
type SubjectKey struct {
	ID      string // "sk_…"
	Tenant  string
	Subject [32]byte // HMAC-SHA-256 of the tenant and the subject's name under a key derived from the master key: it names nobody.
	Wrapped []byte   // Nonce and ciphertext of the key; nil once it was destroyed.
	Master  string   // Which master key wraps it: the first 8 bytes of that key's SHA-256, in hex.
	Created time.Time
	Gone    time.Time // When it was destroyed; zero where it was not.
}

// Who is the acting party.
type Who struct {
	SubjectID     string `json:"subject_id,omitzero"` // Whom the act is about: X-Signalbox-Subject.
	AgentID       string `json:"agent_id,omitzero"`
	AgentRole     string `json:"agent_role,omitzero"`
	ParentAgentID string `json:"parent_agent_id,omitzero"`
	UserID        string `json:"user_id,omitzero"`
	TenantID      string `json:"tenant_id"`
	Team          string `json:"team,omitzero"`
	KeyID         string `json:"key_id,omitzero"`
	Role          Role   `json:"role,omitzero"`
	Source        string `json:"source,omitzero"`
}

// What is the act. Detail holds the particulars of admin records.
type What struct {
	Action        string            `json:"action"`
	Kind          Kind              `json:"kind,omitzero"`
	ToolName      string            `json:"tool_name,omitzero"`
	Operation     string            `json:"operation,omitzero"` // read, write or delete; "" until a policy knows it.
	ResourceID    string            `json:"resource_id,omitzero"`
	InputSummary  string            `json:"input_summary,omitzero"`
	OutputSummary string            `json:"output_summary,omitzero"`
	Tokens        *Usage            `json:"tokens_used,omitzero"` // Of all attempts.
	Cost          *Money            `json:"cost_usd,omitzero"`    // Of all attempts; nil where one of them is unpriced.
	CostBasis     Basis             `json:"cost_basis,omitzero"`
	Detail        map[string]string `json:"detail,omitzero"`
}

// When is the time of the act: its start and how long it took.
type When struct {
	Timestamp    time.Time `json:"timestamp"`
	DurationMS   int64     `json:"duration_ms,omitzero"`
	FirstByteMS  int64     `json:"first_byte_ms,omitzero"`
	TraceID      string    `json:"trace_id,omitzero"`
	SpanID       string    `json:"span_id,omitzero"`
	ParentSpanID string    `json:"parent_span_id,omitzero"`
}

// Context is what surrounded the act.
type Context struct {
	RequestID      string   `json:"request_id,omitzero"`
	RunID          string   `json:"run_id,omitzero"`
	StepIndex      *int64   `json:"step_index,omitzero"`
	StepKind       string   `json:"step_kind,omitzero"`
	Purpose        string   `json:"purpose,omitzero"`
	RiskLevel      string   `json:"risk_level,omitzero"` // low, medium or high; "" until a policy has assessed it.
	PolicyVersion  string   `json:"policy_version,omitzero"`
	ModelName      string   `json:"model_name,omitzero"` // The candidate that served, else the one first chosen, else as asked.
	RequestedModel string   `json:"requested_model,omitzero"`
	Provider       string   `json:"provider,omitzero"`
	Route          string   `json:"route,omitzero"`
	Protocol       Protocol `json:"protocol,omitzero"`
	Stream         bool     `json:"stream,omitzero"`
	Simulated      bool     `json:"simulated,omitzero"`
	Downgraded     bool     `json:"downgraded,omitzero"` // A cheaper model was taken, because the call was throttled.
	ApprovalStatus string   `json:"approval_status,omitzero"`
	ApprovedBy     string   `json:"approved_by,omitzero"`
	ApprovalID     string   `json:"approval_id,omitzero"`
	PolicyRule     string   `json:"policy_rule,omitzero"` // What permitted or denied the call, for people.
	BreakGlass     string   `json:"break_glass,omitzero"` // Id of the [Grant] without which the call had been denied.
	ReplayOf       string   `json:"replay_of,omitzero"`   // The call with the same idempotency key whose end was given again; no other was made.
	Replica        string   `json:"replica,omitzero"`     // The process that serves the call; [LocalReplica] where there is one.
	Guard          *Guarded `json:"guard,omitzero"`       // Nil where the guard did not look.
}

// Failure is the error a call ended with.
type Failure struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitzero"`
}

// Effect is a change of state that is written in the transaction of a record. The set is closed: every store knows all
// of them.
type Effect interface{ isEffect() }

// PutKey creates an API key.
type PutKey struct{ Key Key }

// RevokeKey ends an API key; revoking twice changes nothing.
type RevokeKey struct {
	ID string
	At time.Time
}

// LocalReplica is the replica of a store that serves one process.
const LocalReplica = "local"

// Post books the entries of the record it belongs to: in the share of that replica in each account, Held and Settled are
// added to what is held and settled, and Closed closes the account for all. A share that is not there begins at zero.
type Post struct {
	Replica string
	Entries []LedgerEntry
}

// OpenAccount lets an account take holds again that an overrun has closed.
type OpenAccount struct{ Account string }

// PutRun creates a run or replaces what is kept of it.
type PutRun struct{ Run Run }

// PutAlert keeps an alert, the brake it sets (nil: none) and the notifications it sends. An alert whose id is there
// already changes nothing: neither its brake nor its notifications are written a second time.
type PutAlert struct {
	Alert         Alert
	Brake         *Brake
	Notifications []Notification
}

// LiftBrake ends a brake; lifting twice changes nothing.
type LiftBrake struct {
	ID string
	At time.Time
	By string
}

// PutSubjectKey creates a subject's key; one that is there already is left as it is.
type PutSubjectKey struct{ Key SubjectKey }

// DestroySubject destroys all keys of a subject: Wrapped becomes nil and Gone the time. Destroying twice changes nothing.
type DestroySubject struct {
	Tenant  string
	Subject [32]byte
	At      time.Time
}

// RewrapSubjectKey replaces how a key is wrapped; one that was destroyed is left as it is.
type RewrapSubjectKey struct {
	ID      string
	Wrapped []byte
	Master  string
}

// DestroyContent destroys the content of a tenant's records with From ≤ index < To. Their digests are kept in its place.
// It is the only change of a record that a store allows.
type DestroyContent struct {
	Tenant   string
	From, To int64
}

func (PutSubjectKey) isEffect()    {}
func (DestroySubject) isEffect()   {}
func (RewrapSubjectKey) isEffect() {}
func (DestroyContent) isEffect()   {}

func (PutKey) isEffect()      {}
func (RevokeKey) isEffect()   {}
func (Post) isEffect()        {}
func (OpenAccount) isEffect() {}
func (PutRun) isEffect()      {}
func (PutAlert) isEffect()    {}
func (LiftBrake) isEffect()   {}

// Entry is a record as it is stored: a header that the log's tree commits to, and the encoded record.
type Entry struct {
	Index   int64     // Position in the log, from 0, without gaps.
	Time    time.Time // UTC, whole microseconds.
	Type    RecordType
	Tenant  string
	Call    string
	Content []byte   // The encoded record; nil where it was destroyed.
	Leaf    [32]byte // The leaf hash of all of the above in the log tree.
	Digest  [32]byte // SHA-256 of the content where that was destroyed, else zero: the leaf commits to it.
	Effects []Effect // Applied in the same transaction; not read back.
}

// Destroyed reports whether the entry's content was destroyed when its retention was over.
func (e *Entry) Destroyed() bool { return e.Content == nil && e.Digest != [32]byte{} }

// Tile is 256 consecutive hashes of one level of the log's tree (C2SP tlog-tiles), written once when it is full.
type Tile struct {
	Level  int
	N      int64  // The tile's number within its level.
	Hashes []byte // 256 × 32 bytes.
}

// Batch is what one transaction writes.
type Batch struct {
	Entries []Entry
	Tiles   []Tile
}
