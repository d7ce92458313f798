package signalbox

import "time"

// AlertLevel says how much an alert matters.
type AlertLevel string

// The levels.
const (
	AlertInfo     AlertLevel = "info"
	AlertWarning  AlertLevel = "warning"
	AlertCritical AlertLevel = "critical"
)

// AlertAction is what an alert does besides being recorded.
type AlertAction string

// The actions.
const (
	ActionLog      AlertAction = "log"      // Nothing more.
	ActionNotify   AlertAction = "notify"   // Tells the channels.
	ActionThrottle AlertAction = "throttle" // Uses downgrade_to of the models, and tells the channels.
	ActionHalt     AlertAction = "halt"     // Stops the run and its streams, and tells the channels.
)

// AlertScope is whose cost an alert rule looks at.
type AlertScope string

// The scopes. A call without a run is a run of its own. Day, week and month are a tenant's, by its calendar.
const (
	AlertPerRequest AlertScope = "request"
	AlertPerRun     AlertScope = "run"
	AlertPerDay     AlertScope = "day"
	AlertPerWeek    AlertScope = "week"
	AlertPerMonth   AlertScope = "month"
)

// AlertRule raises an alert when a cost passes a threshold.
type AlertRule struct {
	ID        string
	Level     AlertLevel
	Threshold Money
	Per       AlertScope
	Action    AlertAction
	Cooldown  time.Duration // How long a second alert of the rule about the same thing is held back; 0: it is raised once.
	Tenant    string        // "" is every tenant.
	Channels  []string      // "" names: all channels.
}

// Alert is an alert that was raised.
type Alert struct {
	ID        string // Derived from what it is about, so that replicas that raise the same one raise one.
	Rule      string // The rule's id, or "budget" (warn_at) or "overrun".
	Level     AlertLevel
	Action    AlertAction
	Per       AlertScope
	Tenant    string
	Run       string
	Agent     string // Of the call that raised it.
	Call      string
	Account   string // The account it is about; "" for a request's cost.
	Threshold int64  // In nano-dollars, or in the unit of the account.
	Value     int64
	Raised    time.Time
	Text      string // One sentence for people.
}

// BrakeKind is what a brake does.
type BrakeKind string

// The kinds of brake.
const (
	BrakeThrottle BrakeKind = "throttle"
	BrakeHalt     BrakeKind = "halt"
)

// Brake slows or stops a run or a tenant until it is lifted or ends by itself.
type Brake struct {
	ID     string // That of the alert that set it.
	Kind   BrakeKind
	Tenant string
	Run    string // "" is the whole tenant.
	Reason string
	Since  time.Time
	Until  time.Time // Zero for as long as the run lives.
	Lifted time.Time // Zero while it holds.
	By     string    // Who lifted it.
}

// Holds reports whether the brake is on.
func (b Brake) Holds(now time.Time) bool {
	return b.Lifted.IsZero() && (b.Until.IsZero() || now.Before(b.Until))
}

// Notification is a message to a channel that is to be delivered, with its history.
type Notification struct {
	ID       string // The alert's id and the channel's: a receiver sees it in every try.
	Alert    string
	Channel  string
	Payload  []byte
	Created  time.Time
	Tries    int
	Next     time.Time // When it is tried next; zero once it is over.
	Done     time.Time // Zero while it is to be delivered.
	Failed   bool      // It was given up.
	LastNote string    // What came of the last try.
}
