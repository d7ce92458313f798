package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
)

// handle is the one connection that writes a file. It drives the connection below database/sql, whose locks, checks and
// goroutine per transaction cost as much as the inserts. Statements are prepared once.
type handle struct {
	db   *sql.DB
	conn *sql.Conn

	mu    sync.Mutex // One transaction at a time; others wait here and not in SQLite's busy handler.
	raw   driver.Conn
	stmts map[string]statement
	args  []driver.NamedValue // Reused; SQLite has copied the values when Exec returns.

	undone func() // Told, under mu, that a transaction was rolled back; nil tells nobody.

	broken *broken // Shared by the handles that write; nil where nothing is written.

	side    *sql.DB       // A connection for checkpoints beside the writer.
	written atomic.Int64  // Pages written since the WAL was last started anew, estimated.
	pages   int64         // How many of them wake the checkpointer.
	wake    chan struct{} // The checkpointer's.
	refill  func() error  // Gives the WAL its usual size once it was emptied; nil leaves it as it is.
}

// statement is what the driver's statements can do.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// openHandle takes a connection out of its pool of one and keeps it.
func openHandle(ctx context.Context, dsn string) (*handle, error) {
	db, err := sql.Open(driverName, dsn)
	if err != nil {
		return nil, explain("open the database", err)
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(explain("open the database", err), db.Close())
	}
	side, err := sql.Open(driverName, dsn)
	if err != nil {
		return nil, errors.Join(explain("open the database", err), conn.Close(), db.Close())
	}
	side.SetMaxOpenConns(1)
	return &handle{db: db, conn: conn, side: side, stmts: map[string]statement{}}, nil
}

// openSource opens a connection that reads one file for one reader, below database/sql like a writer's.
func openSource(ctx context.Context, dsn string) (*handle, error) {
	h, err := openHandle(ctx, dsn)
	if err != nil {
		return nil, err
	}
	h.pages = noPages
	return h, nil
}

// noPages never wakes a checkpointer.
const noPages = math.MaxInt64

// close finalises the statements and closes the connection.
func (h *handle) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, s := range h.stmts {
		errs = append(errs, s.Close())
	}
	h.stmts = nil
	return errors.Join(append(errs, h.side.Close(), h.conn.Close(), h.db.Close())...)
}

// write runs fn in a transaction of about that many bytes. Whatever fn or the commit returns as an error, nothing of it
// is stored, unless the error is marked as uncertain; after one that is, nothing is written any more.
func (h *handle) write(bytes int64, fn func(t *transaction) error) error {
	return h.alone(func(t *transaction) error {
		if err := h.broken.is(); err != nil {
			return err
		}
		err := t.commit(fn)
		h.wrote(bytes)
		if err == nil {
			return nil
		}
		_ = t.exec("ROLLBACK") // Most errors have rolled back already, and then this one is an error.
		if h.undone != nil {
			h.undone()
		}
		return err
	})
}

// commit runs fn in a transaction, which an error leaves open or has ended.
func (t *transaction) commit(fn func(t *transaction) error) error {
	err := t.exec("BEGIN IMMEDIATE")
	if err == nil {
		err = fn(t)
	}
	if unsynced(err) { // A transaction that is larger than the page cache is written, and synced, before its end.
		return t.h.broken.by("commit", err)
	}
	if err != nil {
		return err
	}
	if err = t.exec("COMMIT"); unsettled(err) {
		return t.h.broken.by("commit", err)
	}
	return err
}

// alone runs fn on the connection while nobody else uses it, outside of a transaction.
func (h *handle) alone(fn func(t *transaction) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stmts == nil {
		return errClosed
	}
	return h.conn.Raw(func(c any) error {
		raw, ok := c.(driver.Conn)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", c)
		}
		h.raw = raw
		return fn(&transaction{h})
	})
}

// pragma sets a property of the connection.
func (h *handle) pragma(setting string) error {
	return h.alone(func(t *transaction) error { return t.exec("PRAGMA " + setting) })
}

var errClosed = errors.New("the database is closed")

// transaction is the handle in the hands of one user.
type transaction struct{ h *handle }

// exec runs a statement. Values are int64, string, []byte or nil.
func (t *transaction) exec(query string, values ...driver.Value) error {
	s, err := t.h.prepare(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background(), t.h.bind(values))
	return err
}

// query runs a statement and gives each row to fn; the row's memory is fn's only until it returns.
func (t *transaction) query(query string, fn func(row []driver.Value) error, values ...driver.Value) error {
	s, err := t.h.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), t.h.bind(values))
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(rows.Columns()))
	for err == nil {
		if err = rows.Next(row); err == nil {
			err = fn(row)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, rows.Close())
}

func (h *handle) bind(values []driver.Value) []driver.NamedValue {
	h.args = h.args[:0]
	for i, v := range values {
		h.args = append(h.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return h.args
}

func (h *handle) prepare(query string) (statement, error) {
	if s, ok := h.stmts[query]; ok {
		return s, nil
	}
	p, err := h.raw.Prepare(query)
	if err != nil {
		return nil, err
	}
	s, ok := p.(statement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's statement is a %T", p), p.Close())
	}
	h.stmts[query] = s
	return s, nil
}
