package postgres

import (
	"context"
	"time"
)

// A claim is a row that names a replica and, of its holders, one. It is taken from a replica only on the evidence that it
// is fenced, which is for ever: then nothing that the old holder does is committed any more, and what he had committed
// before is visible, because fencing waits for it. The share lock keeps our own fencing from coming in between. The
// evidence is a row that says so and not the absence of one: a statement does not see replicas that have joined since it
// began, but does meet their claims.
const (
	claim = "WITH me AS (SELECT id FROM replicas WHERE id = $2 AND fenced IS NULL FOR SHARE), " +
		"taken AS (INSERT INTO claims AS c (name, replica, holder) SELECT $1, me.id, $3 FROM me " +
		"ON CONFLICT (name) DO UPDATE SET replica = excluded.replica, holder = excluded.holder " +
		"WHERE c.replica = excluded.replica AND c.holder = excluded.holder " +
		"OR EXISTS (SELECT FROM replicas r WHERE r.id = c.replica AND r.fenced IS NOT NULL) RETURNING 1) " +
		"SELECT EXISTS (SELECT FROM me), EXISTS (SELECT FROM taken)"
	unclaim = "DELETE FROM claims WHERE name = $1 AND replica = $2 AND holder = $3"
)

// Claim makes that only this holder of this replica has the name until [DB.Unclaim], or until this replica is fenced or has
// left, when anybody may take it; false where another one has it. Claiming again what one has is true, and one Unclaim ends
// it all the same. The claim is durable, so that a restart of the database does not lose it. A replica that is fenced gets
// [ErrFenced]. It is safe for concurrent use.
//
// A context that has ended is an error and claims nothing; one that ends later is not watched, because nobody would know
// then whether the name is claimed. Nor does anybody know after another error, of a database that could not be reached for
// seconds: claim again, or Unclaim.
func (d *DB) Claim(ctx context.Context, name, holder string) (bool, error) {
	if !d.member.joined.Load() {
		return false, d.nowFenced()
	}
	if err := ctx.Err(); err != nil {
		return false, explain("claim", err)
	}
	var living, taken bool
	err := insist(ctx, func(ctx context.Context) error {
		return d.pool.QueryRow(ctx, claim, text(name), d.options.Replica, text(holder)).Scan(&living, &taken)
	})
	if err != nil {
		return false, explain("claim", err)
	}
	if !living {
		return false, d.nowFenced()
	}
	return taken, nil
}

// Unclaim gives a name back. It does nothing where this holder of this replica does not have it. It does not watch ctx:
// whoever gives up is to leave no claim.
func (d *DB) Unclaim(ctx context.Context, name, holder string) error {
	return explain("give a claim back", insist(ctx, func(ctx context.Context) error {
		_, err := d.pool.Exec(ctx, unclaim, text(name), d.options.Replica, text(holder))
		return err
	}))
}

// insist runs what may be repeated until it is certain how it ended, or for as long as a commit is tried.
func insist(ctx context.Context, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	begun := time.Now()
	for try := 1; ; try++ {
		err := fn(ctx)
		if err == nil || try == commitTries || time.Since(begun) > commitPatience || !passing(err) {
			return err
		}
		wait(ctx, time.Duration(try)*commitPause)
	}
}
