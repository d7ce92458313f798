package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

type (
	connection = pgx.Conn
	commandTag = pgconn.CommandTag
)

// begun is a connection inside of a transaction that was begun, and will be ended, by somebody else. It saves the round
// trip of a BEGIN.
type begun struct{ *connection }

var _ pgx.Tx = begun{}

var errNotOurs = errors.New("the transaction is ended by whoever began it")

// Begin begins a savepoint, which [pgx.Tx] demands and nobody here needs.
func (begun) Begin(context.Context) (pgx.Tx, error) { return nil, errNotOurs }

// Commit is an error: see the type.
func (begun) Commit(context.Context) error { return errNotOurs }

// Rollback is an error: see the type.
func (begun) Rollback(context.Context) error { return errNotOurs }

// LargeObjects gives none.
func (begun) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Conn gives the connection.
func (b begun) Conn() *pgx.Conn { return b.connection }
