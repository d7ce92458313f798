package signalbox

import "time"

// ApprovalState is where an approval stands. It leaves pending once.
type ApprovalState string

// The states. All but pending are final; an approved one is used up by the first call that it admits.
const (
	ApprovalPending   ApprovalState = "pending"
	ApprovalApproved  ApprovalState = "approved"
	ApprovalDenied    ApprovalState = "denied"
	ApprovalExpired   ApprovalState = "expired"   // Nobody decided in time.
	ApprovalStale     ApprovalState = "stale"     // The policy that asked for it, or the tool, is not the same any more.
	ApprovalWithdrawn ApprovalState = "withdrawn" // Whoever asked for it does not want it any more.
)

// ApprovalStates lists the states.
func ApprovalStates() []ApprovalState {
	return []ApprovalState{
		ApprovalPending, ApprovalApproved, ApprovalDenied, ApprovalExpired, ApprovalStale, ApprovalWithdrawn,
	}
}

// Approval is the question to people whether one call may be made, and their answer. It is about exactly the call with
// that hash, and admits it once.
type Approval struct {
	ID       string // "appr_…"
	Tenant   string
	Hash     [32]byte // Of the canonical call, see package approval; zero where the subject was erased.
	State    ApprovalState
	Asked    time.Time
	Expires  time.Time // When a pending one expires.
	Decided  time.Time // When it left pending; zero before.
	UseBy    time.Time // Until when an approved one admits its call; zero before.
	Used     time.Time // When it admitted its call; zero before.
	UsedBy   string    // The id of that call.
	Call     string    // The id of the call that asked first.
	Trace    string
	Run      string
	Agent    string
	Key      string // Of the requester.
	Kind     Kind
	Tool     string    // Its id; a model's name for a call of a model.
	Does     Operation // The most harmful of the call's operations.
	Risk     Risk
	Require  Requirement
	Policy   string // Version of the policy that asked.
	Rule     string // What of it asked, for people.
	Bound    *Money // What the call can cost at the most; nil where that is not known.
	Votes    []Vote
	Escalate time.Time // When it is escalated if it is still pending; zero: never, or it was.
	Previous string    // The last approved approval of the same tool and agent, to compare with; "" where there is none.
	Edited   string    // The approval whose arguments were edited to make this one; "" where there is none.

	// Content is what is about people, as [ApprovalContent], sealed under the key of the call's data subject. Nil where the
	// subject was erased: stores keep it so, and the hash zero, whoever puts it again.
	Content *Sealed
}

// ApprovalContent is the sealed part of an approval.
type ApprovalContent struct {
	User      string   `json:"user,omitzero"`    // On whose behalf it was asked.
	Subject   string   `json:"subject,omitzero"` // Whom the call is about.
	Arguments string   `json:"arguments"`        // What would be sent: the arguments of a tool, the body of a request to a model. JSON, unmasked.
	Resources []string `json:"resources,omitzero"`
}

// Verdict is what one person says about an approval.
type Verdict string

// The verdicts. One denial ends it; approvals count up to what is required.
const (
	VerdictApprove Verdict = "approve"
	VerdictDeny    Verdict = "deny"
)

// Vote is one person's verdict.
type Vote struct {
	By      string    `json:"by"` // The key's id, or the issuer and subject of a person: who must not vote twice.
	User    string    `json:"user,omitzero"`
	Role    Role      `json:"role"`
	Verdict Verdict   `json:"verdict"`
	Reason  string    `json:"reason,omitzero"`
	At      time.Time `json:"at"`
	Via     string    `json:"via"` // api, console, cli, page or link.
}

// ApprovalFilter selects approvals, newest first.
type ApprovalFilter struct {
	Tenants []string // Nil: all.
	States  []ApprovalState
	Agent   string
	Tool    string
	Run     string
	Limit   int
	Cursor  string
}

// PutApproval creates an approval or replaces what is kept of it. Whoever writes one holds its claim: [Approval.ClaimKey].
type PutApproval struct{ Approval Approval }

func (PutApproval) isEffect() {}

// ClaimKey names what must be claimed before the approval is changed, so that nobody else changes it meanwhile.
func (a Approval) ClaimKey() string { return "approval " + a.ID }
