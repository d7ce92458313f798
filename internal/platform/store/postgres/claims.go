package postgres

import "context"

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
// it all the same. The claim is durable, so that a restart of the database does not lose it. After an error the name may be
// claimed or not: claim again, or Unclaim. A replica that is fenced gets [ErrFenced]. It is safe for concurrent use.
func (d *DB) Claim(ctx context.Context, name, holder string) (bool, error) {
	if !d.member.joined.Load() {
		return false, d.nowFenced()
	}
	var living, taken bool
	err := d.pool.QueryRow(ctx, claim, text(name), d.options.Replica, text(holder)).Scan(&living, &taken)
	if err != nil {
		return false, explain("claim", err)
	}
	if !living {
		return false, d.nowFenced()
	}
	return taken, nil
}

// Unclaim gives a name back. It does nothing where this holder of this replica does not have it.
func (d *DB) Unclaim(ctx context.Context, name, holder string) error {
	_, err := d.pool.Exec(ctx, unclaim, text(name), d.options.Replica, text(holder))
	return explain("give a claim back", err)
}
