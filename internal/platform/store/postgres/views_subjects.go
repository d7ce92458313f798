package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

const (
	insertBlocks = "INSERT INTO subject_blocks (key, block) SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING"
	// eraseCalls finds the rows by the blocks of their first records, so that none of all the others is looked at.
	eraseCalls = "UPDATE calls SET user_id = '' WHERE user_id <> '' AND first = ANY (ARRAY(SELECT c.first FROM subject_keys k " +
		"JOIN subject_blocks s ON s.key = k.id JOIN calls c ON c.first >= s.block * 256 AND c.first < s.block * 256 + 256 " +
		"AND c.sealed_by = k.id WHERE k.tenant = $1 AND k.subject = $2 AND k.gone IS NOT NULL))"
	// forgetCalls is for rows that come after the erasure: the projector may have decoded them before it.
	forgetCalls = "UPDATE calls SET user_id = '' WHERE first = ANY ($1) AND user_id <> '' " +
		"AND sealed_by IN (SELECT id FROM subject_keys WHERE id = ANY ($2) AND gone IS NOT NULL)"
)

// queueSealed stores which keys seal what, and removes what is known of persons whose keys were destroyed.
func queueSealed(b *pgx.Batch, c signalbox.Changes) {
	if s := c.Sealed; len(s) > 0 {
		b.Queue(insertBlocks,
			list(s, func(u *signalbox.SealedBlock) string { return clean(u.Key) }),
			list(s, func(u *signalbox.SealedBlock) int64 { return u.Block }))
	}
	var first []int64
	var keys []string
	for _, calls := range [][]signalbox.CallView{c.Calls, c.Updates} {
		for i := range calls {
			if v := &calls[i]; v.User != "" && v.SealedBy != "" {
				first, keys = append(first, v.First()), append(keys, clean(v.SealedBy))
			}
		}
	}
	if len(first) > 0 {
		b.Queue(forgetCalls, first, keys)
	}
	for _, e := range c.Erased {
		b.Queue(eraseCalls, text(e.Tenant), e.Subject[:])
	}
}

// SealedBlocks gives the blocks of [signalbox.SealedBlockSize] records in which those keys seal some, in order, from that
// block on and at most limit of them.
func (v *Views) SealedBlocks(ctx context.Context, keys []string, from int64, limit int) ([]int64, error) {
	return asked(ctx, v, "find the records of a subject", one[int64],
		"SELECT DISTINCT block FROM subject_blocks WHERE key = ANY ($1) AND block >= $2 ORDER BY block LIMIT $3",
		cleanAll(keys), from, limit)
}
