package call

import (
	"context"

	"github.com/signalbox/signalbox"
)

// Ledger opens a tab for every call: what the call pays from. It is safe for concurrent use.
type Ledger interface {
	// Open takes the call's places under the limits of requests and concurrency; it is asked by the gate, once the caller
	// and the run are established. It fails with rate_limited and RetryAfter where a limit has no room, with
	// budget_exhausted where it never will have, with forbidden or conflict where the run is not the caller's or has
	// ended. On success the tab must be closed, once.
	Open(ctx context.Context, t *Track) (Tab, error)
}

// Tab is one call's side of the ledger. It belongs to the goroutine of its track, like the track. What a call holds and
// settles changes for others only when the record that says so is durable: between [Tab.Entries] and [Tab.Booked] both
// the old and the new state count.
type Tab interface {
	// Hold makes sure that attempt a at candidate c can be paid, and fills a.Held, a.HeldUsage and a.MaxOutput. It may
	// wait for what others hold. It fails with budget_exhausted where settled amounts alone leave no room, else with
	// rate_limited; with unpriced where nobody knows what c costs.
	Hold(ctx context.Context, t *Track, c signalbox.Candidate, a *signalbox.Attempt) error
	// Spend says what the attempt that was held last came to; it sets a.Overrun where that is more than was held.
	Spend(a *signalbox.Attempt)
	// Drop takes back a hold whose attempt never left: no record says so, and Entries must not have been asked.
	Drop()
	// Entries gives what the next record of the call books. With ended it is the outcome's: everything is settled.
	Entries(ended bool) []signalbox.LedgerEntry
	// Booked says that the record with the last entries is durable.
	Booked()
	// Lost says that it was not written and never will be; the state before it holds.
	Lost()
	// Leave gives the call's places under limits of concurrency back. Further calls change nothing.
	Leave()
	// Tightest gives the account with the least left, relative to its cap; false where the call pays from none that has
	// one.
	Tightest() (Balance, bool)
	// Stand gives where the tightest account stands for the call's outcome: what it had left before the call held anything,
	// and what it has once the entries asked for last are durable. Of a call that was refused for its budget it is the
	// account that refused it. Nil where the call pays from none that has a cap.
	Stand() *signalbox.BudgetStand
}

// Balance is where an account stands, over all replicas as far as this one knows.
type Balance struct {
	Account signalbox.Account
	Cap     int64
	Settled int64
	Held    int64
	ResetAt int64 // Unix seconds at which the window ends; 0 where it does not.
	Closed  bool
	Soft    bool
	WarnAt  int64 // Parts per thousand of Cap at which an alert is raised; 0 is never.
}

// Left is what the cap leaves; negative after an overrun or on a soft account.
func (b Balance) Left() int64 { return b.Cap - b.Settled - b.Held }
