package signalbox

import (
	"fmt"
	"strings"
	"time"
)

// Unit is what a budget counts.
type Unit string

// The units. Amounts of [UnitUSD] are nano-dollars, all others are counts.
const (
	UnitUSD          Unit = "usd"           // Money, in nano-dollars.
	UnitTokens       Unit = "tokens"        // Input and output together.
	UnitInputTokens  Unit = "input_tokens"  // As billed: tokens read from and written to a cache are among them.
	UnitOutputTokens Unit = "output_tokens" // As billed: reasoning is among them.
	UnitRequests     Unit = "requests"      // Calls started in a window.
	UnitSteps        Unit = "steps"         // Model and tool calls of a run that have left.
	UnitConcurrent   Unit = "concurrent"    // Calls in flight; it has no window.
)

// Units lists the units.
func Units() []Unit {
	return []Unit{
		UnitUSD, UnitTokens, UnitInputTokens, UnitOutputTokens, UnitRequests, UnitSteps, UnitConcurrent,
	}
}

// Window is the time over which a budget counts.
type Window string

// The windows. All but a run's life follow the calendar in the tenant's time zone; a week begins on Monday.
const (
	WindowNone   Window = ""    // Only for [UnitConcurrent].
	WindowRun    Window = "run" // The life of a run.
	WindowSecond Window = "second"
	WindowMinute Window = "minute"
	WindowHour   Window = "hour"
	WindowDay    Window = "day"
	WindowWeek   Window = "week"
	WindowMonth  Window = "month"
)

// Windows lists the windows that a budget can name.
func Windows() []Window {
	return []Window{WindowRun, WindowSecond, WindowMinute, WindowHour, WindowDay, WindowWeek, WindowMonth}
}

// OnCap is what happens to a call whose bound does not fit.
type OnCap string

// The choices. The default is [OnCapRefuse].
const (
	OnCapRefuse OnCap = "refuse" // It waits for what others hold, and is refused where that can not help.
	OnCapShrink OnCap = "shrink" // A smaller max_tokens is sent, down to the budget's MinOutput.
)

// Budget is a cap on one unit in one window. Limits of requests and of concurrency are budgets too.
type Budget struct {
	Unit      Unit   `json:"unit"`
	Per       Window `json:"per,omitzero"`
	Max       int64  `json:"max"`                 // In the unit's measure: nano-dollars for usd. 0 lets nothing pass.
	Soft      bool   `json:"soft,omitzero"`       // It only counts and warns; nothing is refused for it.
	OnCap     OnCap  `json:"on_cap,omitzero"`     // "" is refuse.
	MinOutput int64  `json:"min_output,omitzero"` // The smallest max_tokens that shrink may send; 0 is [DefaultMinOutput].
	WarnAt    int64  `json:"warn_at,omitzero"`    // Parts per thousand of Max at which an alert is raised; 0 is never.
	KeepOpen  bool   `json:"keep_open,omitzero"`  // An overrun does not close the account.
}

// DefaultMinOutput is the floor of shrinking where a budget sets none, in tokens.
const DefaultMinOutput = 256

// OwnerKind says whose an account is.
type OwnerKind string

// The kinds of owner. Tenant, team, key and agent form one tree, the run and the agents in it another.
const (
	OwnerTenant   OwnerKind = "tenant"
	OwnerTeam     OwnerKind = "team"
	OwnerKey      OwnerKind = "key"
	OwnerAgent    OwnerKind = "agent"
	OwnerRun      OwnerKind = "run"
	OwnerRunAgent OwnerKind = "run_agent" // An agent within a run.

	// OwnerPermission is an agent by one of its permissions: Name is the agent, Agent the permission's glob over tools.
	OwnerPermission OwnerKind = "permission"

	OwnerPlanned OwnerKind = "planned" // The part of a run's plan that first attempts are paid from.
	OwnerReserve OwnerKind = "reserve" // The part of a run's plan that is kept for further attempts.

	// What of the planned part lies beyond the caps of agents of a higher priority.
	OwnerPlannedNormal   OwnerKind = "planned_normal"   // Beyond those of critical agents.
	OwnerPlannedOptional OwnerKind = "planned_optional" // Beyond those of critical and normal ones.
)

// Account is one account of the ledger in one window. Its text ([Account.String]) is its identity everywhere.
type Account struct {
	Kind   OwnerKind
	Tenant string
	Name   string // The team, key, agent or run; "" for a tenant.
	Agent  string // The agent within a run, only for [OwnerRunAgent]; the tools of an [OwnerPermission].
	Unit   Unit
	Per    Window
	Start  time.Time // Of the window, UTC, whole seconds; zero for a run's life and for concurrency.
}

// String gives the account's identity: kind, tenant, name, agent, unit, window and its start, with a space between them
// and "-" for what does not apply: "key acme support - usd day 2026-11-21T15:00:00Z". A space in a name (of a team) is
// written as in a URL, %20, and so is a name that is a single "-".
func (a Account) String() string {
	start := "-"
	if !a.Start.IsZero() {
		start = a.Start.UTC().Format(time.RFC3339)
	}
	return strings.Join([]string{
		string(a.Kind), dash(a.Tenant), dash(a.Name), dash(a.Agent), string(a.Unit), dash(string(a.Per)), start,
	}, " ")
}

// ParseAccount reads what [Account.String] wrote.
func ParseAccount(s string) (Account, error) {
	f := strings.Split(s, " ")
	if len(f) != 7 {
		return Account{}, fmt.Errorf("%q is not the name of an account", s)
	}
	a := Account{
		Kind: OwnerKind(f[0]), Tenant: undash(f[1]), Name: undash(f[2]), Agent: undash(f[3]), Unit: Unit(f[4]),
		Per: Window(undash(f[5])),
	}
	if f[6] == "-" {
		return a, nil
	}
	start, err := time.Parse(time.RFC3339, f[6])
	if err != nil {
		return Account{}, fmt.Errorf("%q is not the name of an account: %w", s, err)
	}
	a.Start = start.UTC()
	return a, nil
}

// In names, these signs would be taken for what stands between them.
var (
	accountEscapes   = strings.NewReplacer("%", "%25", " ", "%20")
	accountUnescapes = strings.NewReplacer("%25", "%", "%20", " ", "%2D", "-")
)

func dash(s string) string {
	switch s {
	case "":
		return "-"
	case "-":
		return "%2D"
	}
	return accountEscapes.Replace(s)
}

func undash(s string) string {
	if s == "-" {
		return ""
	}
	return accountUnescapes.Replace(s)
}

// LedgerEntry is what one record changes in one account: a hold is made by an intent or attempt (Held > 0) and ends with
// a later record of the call (Held < 0), which settles what was used. The sum of all entries of a log is the ledger.
type LedgerEntry struct {
	Account string `json:"account"`
	Held    int64  `json:"held,omitzero"`    // Change of what is held.
	Settled int64  `json:"settled,omitzero"` // Added to what is settled; negative where a reconciliation gives back.
	Closed  bool   `json:"closed,omitzero"`  // The account is closed from here on: the provider billed above the bound.
}

// NoCap is the cap of an account that only counts.
const NoCap int64 = -1

// Draw asks for a larger share of an account for one replica, or gives room of it back.
type Draw struct {
	Account string
	Cap     int64 // As the replica's configuration has it; [NoCap] where nothing is refused. A share of such an account is only read.
	Least   int64 // The growth below which nothing is given. 0 reads the share and takes what there is, up to Most.
	Most    int64 // The growth that is wished for. Negative: gives back as much, but never what is settled or held.
}

// Share is one replica's part of an account as it is durable, with the totals over all replicas.
type Share struct {
	Account    string
	Granted    int64 // What the replica may use in all: settled, held and still free.
	Settled    int64 // Of Granted; more than it after an overrun.
	Held       int64 // Of Granted, by records that are durable.
	AllGranted int64 // Sums over all replicas, this one included.
	AllSettled int64
	AllHeld    int64
	Closed     bool
}

// Duration is the nominal length of a window; a day of a time zone can be an hour shorter or longer, a month has 28 to
// 31 of them. It is zero for a run's life.
func (w Window) Duration() time.Duration {
	const day = 24 * time.Hour
	switch w {
	case WindowSecond:
		return time.Second
	case WindowMinute:
		return time.Minute
	case WindowHour:
		return time.Hour
	case WindowDay:
		return day
	case WindowWeek:
		return 7 * day
	case WindowMonth:
		return 30 * day
	case WindowNone, WindowRun:
	}
	return 0
}
