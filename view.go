package signalbox

import "time"

// OutcomeRunning stands in views where a call has an intent and no outcome yet. It is never recorded.
const OutcomeRunning Outcome = "running"

// CallView is a call as lists and traces show it, projected from its records. The zero value of a field means that it
// does not apply or is not known, except where a pointer says so: the control API shows both as null.
type CallView struct {
	ID            string
	Time          time.Time // When the call came in.
	Tenant        string
	Team          string
	KeyID         string
	User          string
	RequestID     string
	RunID         string
	AgentID       string
	AgentRole     string
	ParentAgentID string
	StepIndex     *int64
	Kind          Kind
	Protocol      Protocol
	ToolName      string
	ModelName     string
	Provider      string
	UpstreamModel string // The name by which the provider of the last attempt knows it.
	Stream        bool
	LatencyMS     int64  // It means something only once there is an outcome.
	FirstByteMS   int64  // 0 where no byte came.
	Usage         *Usage // Of all attempts: Input, Output, CacheRead and CacheWrite; nil where nothing was consumed.
	Cost          *Money // Of all attempts; nil where one of them is unpriced, and while the call runs.
	CostBasis     Basis
	RiskLevel     string
	Outcome       Outcome // OutcomeRunning while there is none.
	ErrorCode     Code
	Attempts      int
	TraceID       string
	SpanID        string
	ParentSpanID  string
	Simulated     bool
	SealedBy      string // Id of the [SubjectKey] that seals User and the texts of the records; "" where nothing is sealed.
	IntentIndex   *int64 // Index of the intent in the log; nil for a call that was refused before it had one.
	OutcomeIndex  *int64 // Index of the outcome in the log; nil while the call runs.
}

// First is the index of the call's first record, by which lists are ordered.
func (v CallView) First() int64 {
	switch {
	case v.IntentIndex != nil:
		return *v.IntentIndex
	case v.OutcomeIndex != nil:
		return *v.OutcomeIndex
	}
	return -1
}

// CallFilter chooses calls of a list. A zero field does not restrict.
type CallFilter struct {
	Tenants []string // Nil is all tenants; empty and not nil is none.
	Team    string
	Agent   string
	Model   string
	Tool    string
	Kind    Kind
	Outcome Outcome // OutcomeRunning for those without one.
	Run     string
	Trace   string
	From    time.Time // Inclusive.
	To      time.Time // Exclusive.
	Cursor  string    // What the page before gave as next; "" is the newest page.
	Limit   int       // 1 to MaxPage; 0 is DefaultPage.
}

// Bounds of a page of a list.
const (
	DefaultPage = 50
	MaxPage     = 500
)

// MaxTraceCalls is the most calls that the view of one trace holds.
const MaxTraceCalls = 100_000

// Totals are counts over calls that have ended. Tokens and cost are those of all their attempts.
type Totals struct {
	Calls            int64
	Failures         int64 // Outcomes failed and unknown.
	Refusals         int64 // Outcomes denied and blocked.
	InputTokens      int64
	OutputTokens     int64
	CacheReadTokens  int64
	CacheWriteTokens int64
	Cost             Money // Of the attempts whose price is known.
	Unpriced         int64 // Calls of which at least one attempt has no price: Cost is then too low.
}

// Plus adds two totals.
func (t Totals) Plus(o Totals) Totals {
	return Totals{
		Calls: t.Calls + o.Calls, Failures: t.Failures + o.Failures, Refusals: t.Refusals + o.Refusals,
		InputTokens: t.InputTokens + o.InputTokens, OutputTokens: t.OutputTokens + o.OutputTokens,
		CacheReadTokens:  t.CacheReadTokens + o.CacheReadTokens,
		CacheWriteTokens: t.CacheWriteTokens + o.CacheWriteTokens,
		Cost:             t.Cost.Plus(o.Cost), Unpriced: t.Unpriced + o.Unpriced,
	}
}

// RollupKey is what totals are kept by: the hour in which calls came in, and who and what they were about. A call
// counts once, under the model and provider it ended with; tokens and cost count under those of the attempt they
// belong to.
type RollupKey struct {
	Hour     time.Time
	Tenant   string
	Team     string
	Agent    string
	Model    string
	Tool     string
	Provider string
}

// Rollup is the totals of one key.
type Rollup struct {
	RollupKey
	Totals
}

// LatencyKey is what latencies are kept by: the hour in which calls came in, and their tenant; once for all calls, and once
// more for those of each tool.
type LatencyKey struct {
	Hour   time.Time
	Tenant string
	Tool   string // "" for all calls, those of tools included.
}

// LatencyRollup is the distribution of the latencies of one key, of calls that were attempted and ended ok or failed.
// The sketch is opaque to stores; package projection knows its format.
type LatencyRollup struct {
	LatencyKey
	Sketch []byte
}

// Latency is what a distribution of latencies shows, in milliseconds and within one per cent.
type Latency struct {
	Count         int64
	P50, P95, P99 float64
}

// RunView is a run as lists show it: the calls that carried its id. A run id belongs to its tenant.
type RunView struct {
	ID      string
	Tenant  string
	Team    string    // Of its first call.
	Agent   string    // Of its first call.
	First   int64     // Index of its first record in the log, by which lists are ordered.
	Started time.Time // When its first call came in.
	Last    time.Time // When its latest record was made.
	Running int64     // Calls without an outcome.
	Totals
}

// RunFilter chooses runs of a list.
type RunFilter struct {
	Tenants []string // Nil is all tenants; empty and not nil is none.
	Cursor  string
	Limit   int // 1 to MaxPage; 0 is DefaultPage.
}

// Facets are the values that occur in calls, sorted, for the choices of a filter.
type Facets struct {
	Tenants   []string
	Teams     []string
	Agents    []string
	Models    []string
	Tools     []string
	Providers []string
}

// FacetField names a list of [Facets].
type FacetField string

// The facets.
const (
	FacetTenant   FacetField = "tenant"
	FacetTeam     FacetField = "team"
	FacetAgent    FacetField = "agent"
	FacetModel    FacetField = "model"
	FacetTool     FacetField = "tool"
	FacetProvider FacetField = "provider"
)

// Facet is one value of a tenant's calls.
type Facet struct {
	Tenant string
	Field  FacetField
	Value  string
}

// Bucket is the width of a point in time of [CostQuery].
type Bucket string

// The buckets, cut in UTC.
const (
	BucketTotal Bucket = "total" // One for the whole range.
	BucketHour  Bucket = "hour"
	BucketDay   Bucket = "day"
	BucketMonth Bucket = "month"
)

// CostQuery asks for totals from the hourly rollups. From and To are rounded down to whole hours.
type CostQuery struct {
	By      FacetField // What to split by; "" does not split.
	Bucket  Bucket     // "" is BucketTotal.
	From    time.Time  // Inclusive; zero is the beginning.
	To      time.Time  // Exclusive; zero is the end.
	Tenants []string   // Nil is all tenants; empty and not nil is none.
	Tool    string     // Only of this tool, by its id; "" does not restrict.
	Server  string     // Only of tools of this MCP server; "" does not restrict.
}

// CostRow is one line of the answer to [CostQuery], ordered by Start, then Key.
type CostRow struct {
	Start time.Time // Of the bucket; the query's From for BucketTotal.
	Key   string    // The value split by; "" where it does not apply.
	Totals
}

// RunHour is the totals of the calls of one run that came in within one hour. Run "" stands for the calls of a tenant
// that belong to no run, so that the runs of an hour add up to its rollups.
type RunHour struct {
	Hour   time.Time
	Tenant string
	Run    string
	Totals
}

// RunCostQuery asks for the totals of runs in a range: of their calls that came in within it, as with [CostQuery]. From
// and To are rounded down to whole hours. There can be millions of runs: the answer has pages, and all pages together
// are all runs of the range. Only the pages of a range that has ended, with no call of it under way, are of one moment.
type RunCostQuery struct {
	From    time.Time // Inclusive; zero is the beginning.
	To      time.Time // Exclusive; zero is the end.
	Tenants []string  // Nil is all tenants; empty and not nil is none.
	Cursor  string    // What the page before gave as next; "" is the first page.
	Limit   int       // 1 to MaxPage; 0 is DefaultPage.
}

// RunCost is one run's line of the answer to [RunCostQuery]: those that began last within the range come first. Run ""
// is the line of a tenant's calls that belong to no run.
type RunCost struct {
	Tenant string
	Run    string
	Totals
}

// Overview is what happened in a range of time.
type Overview struct {
	Totals
	Running  int64 // Calls without an outcome now.
	Latency  Latency
	Hours    []CostRow // Totals by hour.
	Progress Progress
}

// Progress says how far the projections are behind the log.
type Progress struct {
	Cursor int64     // Index of the next record to project.
	Size   int64     // Records in the log.
	AsOf   time.Time // Time of the last projected record; where Cursor equals Size the projections are as of now.
}

// ViewState is the part of the projections that a fold of further records builds on.
type ViewState struct {
	Calls   []CallView
	Latency []LatencyRollup
}

// Changes is what a stretch of the log changes in the projections: [From, To) of it. A store applies all of it in one
// transaction, and only where its cursor equals From.
type Changes struct {
	From, To int64
	AsOf     time.Time       // Time of the last of these records.
	Leaf     [32]byte        // Its leaf hash, which tells one log from another.
	Calls    []CallView      // Rows of calls that have none yet.
	Updates  []CallView      // Whole rows of calls that have one, with the same First.
	Rollups  []Rollup        // To be added to the totals of their keys.
	Latency  []LatencyRollup // Whole sketches that replace those of the same hour and tenant.
	Runs     []RunView       // Totals and Running are to be added; First and Started keep the smallest, Last the largest.
	RunHours []RunHour       // To be added to the totals of their hours, tenants and runs.
	Facets   []Facet         // To be added where missing.
	Sealed   []SealedBlock   // To be added where missing.
	Erased   []Erased        // Subjects whose destroyed keys have sealed rows of calls: what those say of a person is removed.
}

// SealedBlockSize is how many records a block of [SealedBlock] has.
const SealedBlockSize = 256

// SealedBlock says that of the records with index / [SealedBlockSize] = Block, at least one is sealed by that key, or is the
// first one of a call whose outcome is. It is how all records about a data subject are found without opening any other.
type SealedBlock struct {
	Key   string
	Block int64
}

// Erased is a data subject whose keys were destroyed, as [DestroySubject] names it.
type Erased struct {
	Tenant  string
	Subject [32]byte
}

// AccountView is an account of the ledger as it is durable, over all replicas.
type AccountView struct {
	Account Account
	Granted int64 // To replicas: Settled and Held are parts of it.
	Settled int64
	Held    int64
	Closed  bool
}

// AccountFilter chooses accounts of a list, in the order of their identities. A zero field does not restrict.
type AccountFilter struct {
	Tenants []string // Nil is all tenants; empty and not nil is none.
	Kind    OwnerKind
	Run     string    // Accounts of this run only.
	Since   time.Time // Only windows that began then or later; accounts without a window are not restricted by it.
	Cursor  string
	Limit   int // 1 to MaxPage; 0 is DefaultPage.
}

// AlertFilter chooses alerts of a list, newest first.
type AlertFilter struct {
	Tenants []string // Nil is all tenants; empty and not nil is none.
	Run     string
	Level   AlertLevel
	Cursor  string
	Limit   int // 1 to MaxPage; 0 is DefaultPage.
}
