package approval

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Limits of a keeper.
const (
	MaxArguments = 256 << 10              // Of what is asked about, in bytes: people are to read it.
	ClaimWait    = 2 * time.Second        // For an approval that somebody else is changing.
	ClaimPause   = 5 * time.Millisecond   // Between two tries to claim it, at first; it doubles.
	MaxPause     = 100 * time.Millisecond // And the longest.
	ReleaseWait  = 5 * time.Second        // For the store to take a claim back, whoever has gone meanwhile.
	WaitPoll     = 5 * time.Second        // After which who waits looks again, should a change not have been told.
	MaxPending   = 1000                   // Pending approvals of one tenant, give or take those asked within a second.
	countFor     = time.Second            // How long the count of pending approvals is taken for good.
	lookback     = 20                     // Approvals that are looked through for the last one of an agent without a name.
)

// Store is where approvals are kept. It is used from many goroutines. What it gives is the caller's own, and as new as
// the last record that was durable before it was asked. Its errors mean that it could not be asked.
type Store interface {
	// Approval gives one; an error of code not_found says that there is none.
	Approval(ctx context.Context, id string) (signalbox.Approval, error)
	// ApprovalOf gives the newest of a hash, whatever became of it; false where there is none.
	ApprovalOf(ctx context.Context, tenant string, hash [32]byte) (signalbox.Approval, bool, error)
	// Approvals lists approvals, newest first, with the cursor of the next page.
	Approvals(ctx context.Context, f signalbox.ApprovalFilter) ([]signalbox.Approval, string, error)
	// PendingApprovals gives those of all tenants, oldest first, up to a bound of its own. Their Content may be left out.
	PendingApprovals(ctx context.Context) ([]signalbox.Approval, error)
	// Claim takes a name for a holder; false where another holds it. The claim of a process that is gone ends when that
	// can commit nothing any more. Claiming again what one holds may give either.
	Claim(ctx context.Context, name, holder string) (bool, error)
	// Unclaim gives it back; what is not held is left as it is.
	Unclaim(ctx context.Context, name, holder string) error
}

// Sealer hides what is about people, under the key of a data subject: of package seal.
type Sealer interface {
	// SealBytes gives the sealed bytes, and the effects without which they could not be opened again.
	SealBytes(tenant, subject string, aad, plain []byte) (signalbox.Sealed, []signalbox.Effect, error)
	// OpenBytes opens them, or says why that can not be.
	OpenBytes(tenant string, s signalbox.Sealed, aad []byte) ([]byte, signalbox.ContentState, error)
}

// Settings are what the configuration says of approvals.
type Settings struct {
	ExpireAfter   time.Duration // Of a pending one; more than 0.
	UseWithin     time.Duration // Of an approved one; more than 0.
	DeniedFor     time.Duration // How long a denied call is refused without asking anybody again; 0: not at all.
	EscalateAfter time.Duration // Of a pending one; 0: never.
}

// Options of [New]. Those with "may be nil" may; all others are required.
type Options struct {
	Store    Store
	Log      call.Log
	Sealer   Sealer
	Masker   call.Masker // Of reasons, which are kept in clear.
	Now      func() time.Time
	Holder   string // Of claims: this process, as the store knows it.
	Settings func() Settings

	Bound     func(t *call.Track) *signalbox.Money // What a call can cost at the most; nil where nobody knows. May be nil.
	Current   func(a signalbox.Approval) bool      // False: the rules or the tool are not the same any more. May be nil.
	Asked     func(a signalbox.Approval)           // Told of each new approval once it is durable. It must not block. May be nil.
	Escalated func(a signalbox.Approval)           // Of each that is escalated, likewise. May be nil.
	Decided   func(a signalbox.Approval)           // Of each that is final, likewise. May be nil.
}

// Keeper keeps the approvals of one process. It is safe for concurrent use, and owns no goroutine.
type Keeper struct {
	o     Options
	pause func(ctx context.Context, d time.Duration) // For d, or until ctx ends.

	mu       sync.Mutex
	held     map[string]struct{} // Claims of this process: the store may not tell its goroutines apart.
	left     map[string]struct{} // Claims that the store still has because it could not be asked to take them back.
	watchers map[chan struct{}]struct{}
	count    map[string]int // Pending approvals by tenant, as of counted.
	counted  time.Time
}

// New makes a keeper.
func New(o Options) *Keeper {
	if o.Bound == nil {
		o.Bound = func(*call.Track) *signalbox.Money { return nil }
	}
	if o.Current == nil {
		o.Current = func(signalbox.Approval) bool { return true }
	}
	for _, hook := range []*func(signalbox.Approval){&o.Asked, &o.Escalated, &o.Decided} {
		if *hook == nil {
			*hook = func(signalbox.Approval) {}
		}
	}
	return &Keeper{
		o: o, pause: pause, held: map[string]struct{}{}, left: map[string]struct{}{}, watchers: map[chan struct{}]struct{}{},
	}
}

func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// now is the time as stores keep it.
func (k *Keeper) now() time.Time { return k.o.Now().UTC().Truncate(time.Microsecond) }

// Subscribe gives a channel that is told, at least once, after each change of an approval that this process knows of, and
// a function that ends it. It never blocks whoever tells; changes that come together are told together.
func (k *Keeper) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watchers[c] = struct{}{}
	return c, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.watchers, c)
	}
}

// Changed wakes those who wait: some approval has changed, here or in another process.
func (k *Keeper) Changed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Wait gives the approval once it is no longer pending, or as it is when ctx ends. It fails where it can not be read.
func (k *Keeper) Wait(ctx context.Context, id string) (signalbox.Approval, error) {
	changed, cancel := k.Subscribe()
	defer cancel()
	a, err := k.o.Store.Approval(ctx, id)
	for err == nil && a.State == signalbox.ApprovalPending && k.sleep(ctx, changed) {
		var now signalbox.Approval
		if now, err = k.o.Store.Approval(ctx, id); err == nil {
			a = now
		}
	}
	if ctx.Err() != nil && a.ID != "" {
		return a, nil
	}
	return a, err
}

// sleep returns when something may have changed; false when ctx has ended.
func (k *Keeper) sleep(ctx context.Context, changed <-chan struct{}) bool {
	poll, cancel := context.WithTimeout(ctx, WaitPoll)
	defer cancel()
	select {
	case <-changed:
	case <-poll.Done():
	}
	return ctx.Err() == nil
}

// Content gives what of an approval is about people, or says why it can not be read. Where the store can not be asked for
// the key it is sealed.
func (k *Keeper) Content(a signalbox.Approval) (signalbox.ApprovalContent, signalbox.ContentState) {
	c, state, err := k.content(a)
	if err != nil {
		return signalbox.ApprovalContent{}, signalbox.ContentSealed
	}
	return c, state
}

func (k *Keeper) content(a signalbox.Approval) (c signalbox.ApprovalContent, state signalbox.ContentState, err error) {
	if a.Content == nil {
		return c, signalbox.ContentErased, nil
	}
	text, state, err := k.o.Sealer.OpenBytes(a.Tenant, *a.Content, place(a))
	if err != nil || state != signalbox.ContentOpen {
		return c, state, err
	}
	return c, state, json.Unmarshal(text, &c)
}

// sealed hides the content of an approval in it, and gives the effects that its key needs.
func (k *Keeper) sealed(a *signalbox.Approval, c signalbox.ApprovalContent) ([]signalbox.Effect, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, signalbox.AsError(err)
	}
	subject := c.Subject
	if subject == "" {
		subject = c.User
	}
	s, effects, err := k.o.Sealer.SealBytes(a.Tenant, subject, place(*a), text)
	a.Content = &s
	return effects, err
}

// place is what the sealed content is bound to.
func place(a signalbox.Approval) []byte {
	return []byte("approval\n" + a.Tenant + "\n" + a.ID + "\n" + hex.EncodeToString(a.Hash[:]))
}
