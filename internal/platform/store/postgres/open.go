package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Bounds of the store.
const (
	DefaultConns       = 10               // Connections of the data path.
	DefaultReaders     = 4                // Connections of the console and the projections.
	DefaultReadTimeout = 2 * time.Second  // Of one query of the console or the control API.
	DefaultLease       = 15 * time.Second // After which a silent replica is fenced.
	DefaultResolve     = 30 * time.Second // To find out what became of a commit whose connection broke.
	controlConns       = 2                // Connections of heartbeats, fencing, and looking up commits.
	openTimeout        = 60 * time.Second // Of opening, most of which may be waiting for another replica's migration.
)

// Options of [Open]. A zero field has its default; Now is required.
type Options struct {
	Replica     string // The id of this process; no other process, before or after, has the same. Needed to [DB.Join] and commit.
	Now         func() time.Time
	Conns       int
	Readers     int
	ReadTimeout time.Duration
	Lease       time.Duration
	Resolve     time.Duration
	Logger      *slog.Logger // Nil is silent.
}

func (o Options) withDefaults() Options {
	for _, n := range []struct {
		field *int
		value int
	}{{&o.Conns, DefaultConns}, {&o.Readers, DefaultReaders}} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.ReadTimeout, DefaultReadTimeout}, {&o.Lease, DefaultLease}, {&o.Resolve, DefaultResolve}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// DB is the database as one replica uses it. It is safe for concurrent use, but for what says otherwise.
type DB struct {
	options Options
	config  *pgxpool.Config // Of the data path; other connections are made after it.
	pool    *pgxpool.Pool   // The data path: commits, draws, keys.
	readers *pgxpool.Pool   // The console: a statement ends after ReadTimeout.
	control *pgxpool.Pool   // Membership.
	views   *Views
	member  member
	wake    chan struct{} // Something of ours is pending.
	commits int64         // Number of the last commit; used by the one goroutine that commits.
}

// Open connects, checks that the server keeps what it has committed, and makes or migrates the schema; any number of
// replicas may do so at once. Errors have the field "database" and say what to do.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	d, err := prepare(url, o)
	if err != nil {
		return nil, err
	}
	if err := d.onConn(ctx, func(c *pgx.Conn) error {
		if err := checkServer(ctx, c); err != nil {
			return err
		}
		return migrate(ctx, c)
	}); err != nil {
		return nil, explain("open the database", err)
	}
	if err := d.openPools(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.views = newViews(d.pool, d.readers)
	if err := d.views.disown(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// OpenReadOnly opens a database for reading the log, without migrating it and without writing anything; it may be a
// standby. There are no projections.
func OpenReadOnly(ctx context.Context, url string) (*DB, error) {
	d, err := prepare(url, Options{})
	if err != nil {
		return nil, err
	}
	d.config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	if err := d.onConn(ctx, func(c *pgx.Conn) error { return checkReadable(ctx, c) }); err != nil {
		return nil, explain("open the database", err)
	}
	if d.pool, err = d.newPool(ctx, DefaultReaders, nil); err != nil {
		return nil, err
	}
	d.readers = d.pool
	return d, nil
}

func prepare(url string, o Options) (*DB, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	return &DB{
		options: o.withDefaults(), config: config, wake: make(chan struct{}, 1),
		member: member{fenced: make(chan struct{})},
	}, nil
}

func (d *DB) openPools(ctx context.Context) error {
	var err error
	if d.pool, err = d.newPool(ctx, d.options.Conns, nil); err != nil {
		return err
	}
	if d.control, err = d.newPool(ctx, controlConns, nil); err != nil {
		return err
	}
	d.readers, err = d.newPool(ctx, d.options.Readers, map[string]string{
		"statement_timeout": milliseconds(d.options.ReadTimeout), "application_name": applicationName + " console",
		// Sums by key stay in memory, and no query of a page waits for its own compilation.
		"work_mem": "32MB", "jit": "off",
	})
	return err
}

// Views gives the projections; nil where the database was opened read-only.
func (d *DB) Views() *Views { return d.views }

// Close closes the connections. Nothing may be using the store any more; [DB.Leave], [DB.Lead] and [DB.Watch] have
// ended.
func (d *DB) Close() error {
	d.member.stop()
	for _, p := range []*pgxpool.Pool{d.readers, d.control, d.pool} {
		if p != nil {
			p.Close()
		}
	}
	return nil
}
