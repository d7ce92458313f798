package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox/internal/platform/store"
)

// Times of leadership. A follower takes over within [LeaderPatience] and two of its looks.
const (
	LeaderPatience = 3 * time.Second // A leader that says nothing for so long, and waits for nothing, is ended.
	slowPatience   = 30 * time.Second
	followInterval = 500 * time.Millisecond
	followTimeout  = 2 * time.Second // Of one look.
	renewInterval  = time.Second
	placeInterval  = 100 * time.Millisecond // Records of other replicas are looked for so often.
	placePause     = 20 * time.Millisecond  // Between two stretches, so that records come together.
	farewell       = 5 * time.Second        // What a leader that ends by itself gives its work to end.
)

// LeadOptions say what the leader does.
type LeadOptions struct {
	// Sequencer restores the log's tree from this store. It is asked anew each time that leadership begins; by then
	// nobody else can place records any more.
	Sequencer func(ctx context.Context) (store.Sequencer, error)

	// Led runs while this process leads, and is to return soon after its ctx ends; only then does the process try to lead
	// again. Where it returns by itself, the leadership ends, so that it is tried anew, here or elsewhere. It may be nil. Work in it must bear that, for a moment after a stall, another leader does the same: what
	// must not happen twice belongs on [Leadership].
	Led func(ctx context.Context, l *Leadership)

	// Changed is told that leadership has begun, or that it has ended, or could not begin, and why; nil is by our own
	// will. It must not block; it may be nil.
	Changed func(leads bool, reason error)
}

// Lead takes part in the election of the leader, and leads when it is elected, until ctx ends. The process must have
// joined. A leader that ends by itself first places what is pending, renews its leadership while Led ends, for five
// seconds at most, and leaves the rest to the next one.
func (d *DB) Lead(ctx context.Context, o LeadOptions) {
	if o.Led == nil {
		o.Led = func(ctx context.Context, _ *Leadership) { <-ctx.Done() }
	}
	if o.Changed == nil {
		o.Changed = func(bool, error) {}
	}
	apart := false // The database could not be reached the last time: that is told once.
	for ctx.Err() == nil {
		c, err := d.connect(ctx)
		told := apart && err != nil
		if apart = err != nil; !apart {
			err = d.campaign(ctx, c, o)
		}
		if err != nil && ctx.Err() == nil && !told {
			o.Changed(false, explain("lead", err))
		}
		wait(ctx, followInterval)
	}
}

// campaign is the life of one connection: as a follower's, and perhaps then as a leader's.
func (d *DB) campaign(ctx context.Context, c *pgx.Conn, o LeadOptions) error {
	defer hangUp(c) // It also gives the lock back.
	if err := follow(ctx, c); err != nil || ctx.Err() != nil {
		return err
	}
	l := &Leadership{db: d, conn: c}
	if err := l.begin(ctx, o); err != nil {
		return err
	}
	o.Changed(true, nil)
	if err := l.reign(ctx, o); err != nil {
		return err
	}
	o.Changed(false, nil)
	return nil
}

// Leadership is what only the leader can do, for as long as its connection lives. All of it goes over that connection.
type Leadership struct {
	db        *DB
	sequencer store.Sequencer
	term      int64
	mu        sync.Mutex // Of the connection and what is below.
	conn      *pgx.Conn
	renewed   time.Time
	floor     floor
}

// Term is the number of this leadership, larger than all before it.
func (l *Leadership) Term() int64 { return l.term }

// PutCheckpoint keeps a signed note; it is durable on return. It fails where this is not the leader any more.
func (l *Leadership) PutCheckpoint(ctx context.Context, note []byte) error {
	return explain("store a checkpoint", l.exec(ctx, func(ctx context.Context) error {
		_, err := l.conn.Exec(ctx, insertCheckpoint, note)
		return err
	}))
}

// LatestCheckpoint gives the newest note; nil where there is none.
func (l *Leadership) LatestCheckpoint(ctx context.Context) ([]byte, error) {
	return l.db.LatestCheckpoint(ctx)
}

// exec uses the connection. It is not cut off with ctx, because that would end the leadership.
func (l *Leadership) exec(ctx context.Context, fn func(context.Context) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadTimeout)
	defer cancel()
	return fn(ctx)
}

const (
	announce = "INSERT INTO leader (one, replica, pid, term, renewed) VALUES (1, $1, pg_backend_pid(), 1, clock_timestamp()) " +
		"ON CONFLICT (one) DO UPDATE SET replica = excluded.replica, pid = excluded.pid, term = leader.term + 1, " +
		"renewed = excluded.renewed RETURNING term"
	renew = "UPDATE leader SET renewed = clock_timestamp() WHERE term = $1"
)

// begin says who leads and restores the tree.
func (l *Leadership) begin(ctx context.Context, o LeadOptions) error {
	err := l.exec(ctx, func(ctx context.Context) error {
		l.renewed = time.Now()
		return l.conn.QueryRow(ctx, announce, l.db.options.Replica).Scan(&l.term)
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, leadTimeout)
	defer cancel()
	l.sequencer, err = o.Sequencer(ctx)
	return err
}

var errDeposed = errors.New("another replica leads")

// renewal says that the leader lives, when it is time to.
func (l *Leadership) renewal(ctx context.Context) error {
	if time.Since(l.renewed) < renewInterval {
		return nil
	}
	return l.exec(ctx, func(ctx context.Context) error {
		tag, err := l.conn.Exec(ctx, renew, l.term)
		if err == nil && tag.RowsAffected() != 1 {
			err = errDeposed
		}
		l.renewed = time.Now()
		return err
	})
}

// reign leads until ctx ends, which gives nil, or leadership is lost. Whatever it has started has ended when it returns.
func (l *Leadership) reign(ctx context.Context, o LeadOptions) error {
	led, cancel := context.WithCancel(context.WithoutCancel(ctx))
	returned, ended := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() { defer close(returned); o.Led(led, l) })
	group.Go(func() { l.db.guard(led) })
	go func() { group.Wait(); close(ended) }()
	err := l.serve(ctx.Done(), returned)
	cancel()
	if err == nil { // The work that ends may still need the leadership: a last checkpoint.
		err = l.serve(sooner(ended, farewell), nil)
	}
	<-ended
	return err
}

var errNoWork = errors.New("the leader's work has ended by itself")

// sooner is closed when done is, or some time has passed.
func sooner(done <-chan struct{}, limit time.Duration) <-chan struct{} {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	go func() { <-done; cancel() }()
	return ctx.Done()
}

// serve places records and renews the leadership until done, and then until nothing is pending. It is an error where the
// leader's work has returned.
func (l *Leadership) serve(done, returned <-chan struct{}) error {
	ctx := context.Background()
	ticker := time.NewTicker(placeInterval)
	defer ticker.Stop()
	for {
		more, err := l.place(ctx)
		if err == nil {
			err = l.renewal(ctx)
		}
		if err != nil {
			return err
		}
		if more {
			time.Sleep(placePause)
			continue
		}
		select {
		case <-done:
			return nil
		case <-returned:
			return errNoWork
		case <-l.db.wake:
		case <-ticker.C:
		}
	}
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
