package task

import (
	"context"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/orchestration/approval"
)

// Limits of a keeper.
const (
	Keep       = time.Hour             // How long a task is kept at the least once it has ended.
	MaxOpen    = 1000                  // Tasks of a tenant that wait for people or are made, give or take those opened at once.
	MaxRemote  = 100                   // Tasks of servers that one key has and that have not ended, likewise.
	MaxLife    = 7 * 24 * time.Hour    // Of a task that a server works on.
	MaxHandle  = 4096                  // What a server calls its task, in bytes.
	MaxListed  = 100                   // Tasks of servers that are listed for a key, the newest.
	MaxRequest = 512 << 10             // Of the request that is kept to be made later, in bytes.
	MaxResult  = 1 << 20               // Of the result that is kept, in bytes. A task with a larger one fails.
	MaxMade    = 32                    // Calls that one process makes at once for those who are not there.
	PollEvery  = 5 * time.Second       // How often a process looks for what it was not told of.
	ClaimWait  = 2 * time.Second       // For a task that somebody else is changing.
	ClaimPause = 20 * time.Millisecond // Between two tries to claim it.
	EndWait    = 10 * time.Second      // For the end of a task to be written, once its call is over.
	maxDue     = 256                   // Tasks that are looked at in one round.
)

// Store is where tasks are kept. It is used from many goroutines. What it gives is the caller's own, and as new as the last
// record that was durable before it was asked. Its errors mean that it could not be asked.
type Store interface {
	// Task gives one; an error of code not_found says that there is none.
	Task(ctx context.Context, id string) (signalbox.Task, error)
	// TaskOf gives the one of an approval that has not ended; false where there is none.
	TaskOf(ctx context.Context, approval string) (signalbox.Task, bool, error)
	// OpenTasks counts those of that kind that a tenant's key ("": any) has and that have not ended.
	OpenTasks(ctx context.Context, kind signalbox.TaskKind, tenant, key string) (int, error)
	// TasksOf gives those of that kind that a tenant's key has, the newest first, but for those that have ended and expired.
	TasksOf(ctx context.Context, kind signalbox.TaskKind, tenant, key string, now time.Time, limit int) ([]signalbox.Task, error)
	// DueTasks gives those of ours that do not only wait for an approval to be decided, and those of servers that have expired,
	// without their Content.
	DueTasks(ctx context.Context, now time.Time, limit int) ([]signalbox.Task, error)
	// Approval gives an approval; an error of code not_found says that there is none.
	Approval(ctx context.Context, id string) (signalbox.Approval, error)
}

// Approvals is what is needed of the approvals, of package approval.
type Approvals interface {
	// Subscribe gives a channel that is told after changes of approvals, and a function that ends it.
	Subscribe() (changed <-chan struct{}, cancel func())
	// Withdraw ends a pending approval for who has asked for it; code conflict says that it is decided.
	Withdraw(ctx context.Context, v approval.Voter, id, reason string) (signalbox.Approval, error)
	// Take claims a name for this goroutine alone; false where somebody else has it. The claim of a process that is gone ends
	// when that can commit nothing any more.
	Take(ctx context.Context, name string) (release func(), ok bool, err error)
}

// Sealer hides what is about people, under the key of a data subject: of package seal.
type Sealer interface {
	// SealBytes gives the sealed bytes, and the effects without which they could not be opened again.
	SealBytes(tenant, subject string, aad, plain []byte) (signalbox.Sealed, []signalbox.Effect, error)
	// OpenBytes opens them, or says why that can not be.
	OpenBytes(tenant string, s signalbox.Sealed, aad []byte) ([]byte, signalbox.ContentState, error)
}

// Options of [New]. All are required.
type Options struct {
	Store     Store
	Approvals Approvals
	Log       call.Log
	Sealer    Sealer
	Now       func() time.Time

	// Again gives somebody back who came with a token, which is not kept; nil where nobody does.
	Again func(signalbox.Guest) *signalbox.Bearer
	// Parse gives what a request that was kept asks of its server.
	Parse func(server string, body []byte) (*signalbox.ToolRequest, error)
	// Handed reads a result by which a server says that it has made a task of the call; false for all others.
	Handed func(result []byte) (remote signalbox.ServerTask, ttl time.Duration, ok bool)
	// Serve lets a call pass the stations, and reads its answer to the end. It ends soon after ctx does.
	Serve func(ctx context.Context, t *call.Track) error
	// Report tells the operator what has gone wrong and is tried again.
	Report func(err error)
}

// Keeper keeps the tasks of one process. It is safe for concurrent use, and owns no goroutine but those of [Keeper.Run].
type Keeper struct {
	o    Options
	wake chan struct{}

	mu   sync.Mutex
	made map[string]context.CancelCauseFunc // Tasks that somebody here is doing something about; it ends their calls.
	over bool                               // Nothing is begun any more.
	work sync.WaitGroup
}

// New makes a keeper.
func New(o Options) *Keeper {
	return &Keeper{o: o, wake: make(chan struct{}, 1), made: map[string]context.CancelCauseFunc{}}
}

// Wake lets [Keeper.Run] look at once: some task has changed, here or in another process.
func (k *Keeper) Wake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// now is the time as stores keep it.
func (k *Keeper) now() time.Time { return k.o.Now().UTC().Truncate(time.Microsecond) }

// retry calls try until it is done or fails, for [ClaimWait]: somebody else holds what it needs.
func (k *Keeper) retry(ctx context.Context, try func() (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, ClaimWait)
	defer cancel()
	for {
		if done, err := try(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return signalbox.Errorf(signalbox.CodeConflict, "Somebody else is changing this task.").WithRemedy("Try again in a moment.")
		case <-time.After(ClaimPause):
		}
	}
}
