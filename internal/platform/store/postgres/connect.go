package postgres

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/signalbox/signalbox"
)

// A server that is gone must be an error, not a wait: these bound how long that takes to be noticed.
const (
	connectTimeout  = 5 * time.Second
	keepAliveIdle   = 5 * time.Second
	keepAliveEvery  = 2 * time.Second
	keepAliveCount  = 3
	userTimeout     = 10 * time.Second // Of bytes that were sent and are not acknowledged.
	connIdle        = time.Minute      // After which a pool closes a connection that it does not need.
	closeTimeout    = 2 * time.Second  // Of the good-bye to the server.
	frozenTimeout   = 5 * time.Second  // Of a transaction whose process has stopped in the middle of it.
	applicationName = "signalbox"
	schemaName      = "signalbox" // Where our tables are, unless the URL sets another search_path.
)

// IsURL reports whether a database URL is one of PostgreSQL.
func IsURL(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

// parse reads the URL. The parser's own error is not passed on: it can quote the URL with its password.
func parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil || !IsURL(url) {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "The URL of the PostgreSQL database can not be read.").
			WithField("database").WithRemedy("Write postgres://USER:PASSWORD@HOST:5432/NAME, with characters such as " +
			"@, : and / of the password percent-encoded; certificates that it names must be readable.")
	}
	c := config.ConnConfig
	if c.ConnectTimeout <= 0 || c.ConnectTimeout > connectTimeout {
		c.ConnectTimeout = connectTimeout
	}
	dialer := &net.Dialer{Timeout: c.ConnectTimeout, Control: socketOptions, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveEvery, Count: keepAliveCount,
	}}
	c.DialFunc = dialer.DialContext
	c.OnPgError = usable
	if _, ok := c.RuntimeParams["search_path"]; !ok {
		c.RuntimeParams["search_path"] = schemaName
	}
	if _, ok := c.RuntimeParams["application_name"]; !ok {
		c.RuntimeParams["application_name"] = applicationName
	}
	// A process that was frozen in the middle of a transaction holds locks that others need: of the projections, of an
	// account that is drawn from, of its own row that fencing waits for. None of ours does anything slow in between, and
	// a connection that was ended is an error that is dealt with.
	c.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(frozenTimeout)
	// The server is to notice too that we are gone, and let go of our locks.
	c.RuntimeParams["tcp_keepalives_idle"] = "10"
	c.RuntimeParams["tcp_keepalives_interval"] = "3"
	c.RuntimeParams["tcp_keepalives_count"] = "3"
	return config, nil
}

// usable reports whether a connection can still be used after an error of the server. One that takes no writes stays so
// although the server takes them again, or another one has become the primary: only a new one finds that out.
func usable(_ *pgconn.PgConn, e *pgconn.PgError) bool {
	return e.Severity != "FATAL" && e.Code != readOnly
}

// newPool makes a pool. Nothing is connected until it is needed.
func (d *DB) newPool(ctx context.Context, conns int, params map[string]string) (*pgxpool.Pool, error) {
	config := d.config.Copy()
	config.MaxConns, config.MinConns, config.MaxConnIdleTime = int32(conns), 0, connIdle
	for name, value := range params {
		config.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return pool, explain("connect to the database", err)
}

// connect makes a connection outside of the pools. The caller closes it with [hangUp].
func (d *DB) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.ConnectConfig(ctx, d.config.ConnConfig.Copy())
}

// onConn runs fn on a connection of its own.
func (d *DB) onConn(ctx context.Context, fn func(*pgx.Conn) error) error {
	c, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp(c)
	return fn(c)
}

// hangUp closes a connection, and with it whatever its session holds. It does not wait for a server that is gone.
func hangUp(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.Close(ctx) // The connection is gone either way.
}

// milliseconds is a duration as the server's settings take it.
func milliseconds(d time.Duration) string { return strconv.FormatInt(max(1, d.Milliseconds()), 10) }
