package call

import (
	"github.com/signalbox/signalbox"
)

// Track is one call's way through the stations: the call, and each station's own result. The zero result of a station is
// "not run".
type Track struct {
	Call        *signalbox.Call
	Gate        GateResult
	Resolve     ResolveResult
	Policy      PolicyResult
	Guard       GuardResult
	Approval    ApprovalResult
	Idempotency IdempotencyResult
	Tab         Tab                 // What the call pays from; set by the gate, nil where there is no ledger.
	Attempts    []signalbox.Attempt // Added by the attempt station, one for each try that has ended or is under way.
	Excerpt     string              // Text of the answer for its summary; set by the attempt station.

	// Begun and Ended give what else is written in the transactions of the first intent and of the outcome, for who keeps what
	// the call comes to. Ended is given the terminal part, nil where none came, and the error that the caller is to see. Over
	// is told once the outcome is durable, or can not be written. They are called once, on the call's own way. Nil: nothing is.
	// Who sets one calls the one that was there before.
	Begun func() []signalbox.Effect
	Ended func(terminal []byte, err error) []signalbox.Effect
	Over  func()

	input string // The summary of what was asked, once the record station has made it.
}

// GateResult is the gate's. Caller and Run replace the call's claims from here on.
type GateResult struct {
	Status signalbox.Status
	Caller signalbox.Caller
	Run    string
}

// ResolveResult is the resolver's.
type ResolveResult struct {
	Status     signalbox.Status
	Route      string // The route that applied, "" where the caller named a model.
	Candidates []signalbox.Candidate
	Downgraded bool // Cheaper models have taken the place of some, because the call is throttled.
}

// PolicyResult is the policy's.
type PolicyResult struct {
	Status     signalbox.Status
	Version    string // Of all that decides.
	Risk       signalbox.Risk
	Operation  signalbox.Operation // The most harmful of Accesses; "" for calls of models.
	Accesses   []signalbox.Access
	Rule       string                // What permitted or denied the call, for people.
	Require    signalbox.Requirement // Who must agree to it first.
	Why        string                // What asks for them, for people; "" where nobody must.
	Part       [32]byte              // Hash of the part of the policy that decided; an approval is bound to it.
	BreakGlass string                // Id of the grant without which the call had been denied.
	RateLimit  *RateLimit            // Of the permission that permitted the call.
}

// RateLimit is a limit of calls per minute that a permission sets for an agent.
type RateLimit struct {
	Name   string // The permission's glob over tools: calls by it share the limit.
	Max    int64
	Source string // Where the permission is written, for people: "agents[0].permissions.tools[1] (signalbox.yml:12)".
}

// GuardResult is the guard's.
type GuardResult struct {
	Input, Output signalbox.Status
	Arguments     []byte // What is sent in place of the tool's arguments; nil: they are sent as they came.
	Beside        Beside // Nil where nobody looks.
}

// Beside is the guard's look at what passes between caller and server beside the arguments of a call and its answer. It is
// safe for concurrent use. Documents are JSON; what it gives is to pass in their place. An error means that nothing may.
type Beside interface {
	ToServer(doc []byte) ([]byte, error) // Such as what goes with the arguments in _meta, and answers to questions.
	ToCaller(doc []byte) ([]byte, error) // Such as errors, questions, word of progress and lines of a log.
	// Report gives what was found in the call so far, for the record; nil where nobody has looked yet.
	Report() *signalbox.Guarded
}

// ApprovalResult is the approval's.
type ApprovalResult struct {
	Status  signalbox.Status
	ID      string // The approval that the call waits for, or that admits it; "" where it needs none.
	State   signalbox.ApprovalState
	By      string             // Who approved it, separated by commas.
	Effects []signalbox.Effect // Of the first intent: they use the approval up.
}

// IdempotencyResult is what became of a call's idempotency key.
type IdempotencyResult struct {
	// Forward is what servers are given in place of the key, so that those who know such keys act once. It is another one for
	// every caller and every request; "" where the call has no key, or is not made.
	Forward  string
	ReplayOf string // The call whose end is given again in place of making this one; "" for all others.
}

// NewTrack starts a call's way. Until the gate has run, the caller is who the key says.
func NewTrack(c *signalbox.Call) *Track {
	return &Track{Call: c, Gate: GateResult{Caller: c.Caller, Run: c.Claims.Run}}
}

// Tool is what is sent of a call of a tool: what was asked, as far as the guard has not changed it. Nil for other calls.
func (t *Track) Tool() *signalbox.ToolRequest {
	if t.Call.Tool == nil || t.Guard.Arguments == nil {
		return t.Call.Tool
	}
	tool := *t.Call.Tool
	tool.Arguments = t.Guard.Arguments
	return &tool
}

// guarded is what the guard has found, for the record.
func (t *Track) guarded() *signalbox.Guarded {
	if t.Guard.Beside == nil {
		return nil
	}
	return t.Guard.Beside.Report()
}

// Served gives the last attempt if it served the call or is serving it, else nil.
func (t *Track) Served() *signalbox.Attempt {
	if n := len(t.Attempts); n > 0 && t.Attempts[n-1].Code == "" {
		return &t.Attempts[n-1]
	}
	return nil
}

// MaxOutput is the limit of output tokens that the current attempt is sent with; 0 leaves the caller's own.
func (t *Track) MaxOutput() int64 {
	if n := len(t.Attempts); n > 0 {
		return t.Attempts[n-1].MaxOutput
	}
	return 0
}

// Cost adds up the attempts. It is nil where one of them is unpriced; the basis is the least certain one.
func (t *Track) Cost() (*signalbox.Money, signalbox.Basis) {
	if len(t.Attempts) == 0 {
		return nil, signalbox.BasisNone
	}
	total, basis := signalbox.Money(0), signalbox.BasisNone
	for _, a := range t.Attempts {
		basis = lessCertain(basis, a.Basis)
		if a.Cost != nil {
			total = total.Plus(*a.Cost)
		}
	}
	if basis == signalbox.BasisUnpriced {
		return nil, basis
	}
	return &total, basis
}

// Usage adds up the attempts; nil where none consumed anything.
func (t *Track) Usage() *signalbox.Usage {
	var sum *signalbox.Usage
	for _, a := range t.Attempts {
		if a.Usage == nil {
			continue
		}
		if sum == nil {
			sum = &signalbox.Usage{}
		}
		*sum = sum.Plus(*a.Usage)
	}
	return sum
}

func lessCertain(a, b signalbox.Basis) signalbox.Basis {
	for _, x := range []signalbox.Basis{signalbox.BasisUnpriced, signalbox.BasisHeld, signalbox.BasisEstimated, signalbox.BasisReported} {
		if a == x || b == x {
			return x
		}
	}
	return signalbox.BasisNone
}

// stations gives the statuses for the record.
func (t *Track) stations(attempt signalbox.Status) *signalbox.Stations {
	return &signalbox.Stations{
		Gate: orNotRun(t.Gate.Status), Resolve: orNotRun(t.Resolve.Status), Policy: orNotRun(t.Policy.Status),
		GuardInput: orNotRun(t.Guard.Input), GuardOutput: orNotRun(t.Guard.Output),
		Approval: orNotRun(t.Approval.Status), Attempt: orNotRun(attempt),
	}
}

func orNotRun(s signalbox.Status) signalbox.Status {
	if s == "" {
		return signalbox.StatusNotRun
	}
	return s
}
