package approval

import (
	"time"

	"github.com/signalbox/signalbox"
)

// Event is something that happens to an approval. The set is closed.
type Event interface {
	apply(a signalbox.Approval) (signalbox.Approval, error)
}

// Ask makes an approval of nothing: it is pending from then on.
type Ask struct {
	Approval signalbox.Approval // With its id, tenant, hash and requirement; state, votes and times are set here.
	At       time.Time
	Expire   time.Duration // Until it expires; more than 0.
	Escalate time.Duration // Until it is escalated; 0: never.
}

// Vote is what somebody says.
type Vote struct {
	By        Voter
	Verdict   signalbox.Verdict
	Reason    string
	Via       string
	At        time.Time
	UseWithin time.Duration // How long an approval admits its call once it is given; more than 0.
	User      string        // On whose behalf the call was asked for; "" for nobody's.
	Unseen    bool          // What would be done can not be shown any more; then it can only be denied.
}

// Withdraw ends an approval that nobody wants any more.
type Withdraw struct {
	By     Voter
	Reason string
	At     time.Time
	User   string // As in [Vote].
}

// Expire ends an approval that nobody has decided in time.
type Expire struct{ At time.Time }

// Stale ends an approval whose rules, or whose tool, are not the same any more.
type Stale struct{ At time.Time }

// Escalate says that nobody has decided for too long.
type Escalate struct{ At time.Time }

// Use admits a call.
type Use struct {
	Call   string // Its id.
	Tenant string
	Hash   [32]byte
	At     time.Time
}

// Voter is a person who decides.
type Voter struct {
	By     string // The key's id, or the issuer and subject of a person.
	User   string
	Key    string // The id of the key; of a person one of his own that makes no calls.
	Agent  string // That the key is bound to; "" for none.
	Role   signalbox.Role
	Tenant string
}
