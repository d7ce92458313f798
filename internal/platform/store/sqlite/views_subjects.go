package sqlite

import (
	"context"
	"database/sql"

	"github.com/signalbox/signalbox"
)

const (
	insertBlock = "INSERT INTO subject_blocks (key, block) VALUES (?, ?) ON CONFLICT DO NOTHING"
	// eraseCalls finds the rows by the blocks of their first records, so that none of all the others is looked at.
	eraseCalls = "UPDATE calls SET user = '' WHERE user <> '' AND first IN (SELECT c.first FROM subject_blocks s " +
		"CROSS JOIN calls c ON c.first >= s.block * 256 AND c.first < s.block * 256 + 256 WHERE s.key = ? AND c.sealed_by = s.key)"
)

// SealedBlocks gives the blocks of [signalbox.SealedBlockSize] records in which those keys seal some, in order, from that
// block on and at most limit of them.
func (v *Views) SealedBlocks(ctx context.Context, keys []string, from int64, limit int) ([]int64, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	args := make([]any, 0, len(keys)+2)
	for _, k := range keys {
		args = append(args, k)
	}
	ctx, cancel := v.limited(ctx)
	defer cancel()
	return collect(ctx, v.readers, "find the records of a subject", func(r *sql.Rows) (n int64, err error) {
		return n, r.Scan(&n)
	}, "SELECT DISTINCT block FROM subject_blocks WHERE key IN ("+marks(len(keys))+") AND block >= ? ORDER BY block LIMIT ?",
		append(args, from, limit)...)
}

func storeSealed(t *transaction, c signalbox.Changes) error {
	for _, s := range c.Sealed {
		if err := t.exec(insertBlock, s.Key, s.Block); err != nil {
			return err
		}
	}
	return nil
}

// gone gives the destroyed keys of those subjects. They are in the log's file, where they were destroyed before the
// projector could know of it.
func (v *Views) gone(ctx context.Context, subjects []signalbox.Erased) ([]string, error) {
	var ids []string
	for _, s := range subjects {
		keys, err := v.log.SubjectKeysOf(ctx, s.Tenant, s.Subject)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if !k.Gone.IsZero() {
				ids = append(ids, k.ID)
				v.erased[k.ID] = true
			}
		}
	}
	return ids, nil
}

// forget removes what rows say of a person whose key was destroyed.
func (v *Views) forget(calls []signalbox.CallView) {
	for i := range calls {
		if c := &calls[i]; c.User != "" && v.erased[c.SealedBy] {
			c.User = ""
		}
	}
}

// erase removes what stored rows say of the persons of those keys.
func erase(t *transaction, keys []string) error {
	for _, k := range keys {
		if err := t.exec(eraseCalls, k); err != nil {
			return err
		}
	}
	return nil
}
