package server

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// rewrapBatch is how many keys are wrapped anew in one transaction, so that no call waits long.
const rewrapBatch = 500

// rotateInterval is how often keys are looked for that a previous master key wraps: another replica may still make some.
const rotateInterval = 10 * time.Minute

// Rotation is what came of wrapping keys by a new master key.
type Rotation struct {
	Master string // Id of the new one.
	Keys   int64  // Keys of data subjects that it has wrapped, and not before.
}

// rotation wraps every key by the vault's newest master key. Each batch is a record with its effects, so that one that
// is cut off, by a crash too, goes on where it was.
type rotation struct {
	keys   subjectKeys
	vault  *seal.Vault
	append func(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error)
	now    func() time.Time
	by     string // The replica.
}

// run gives how many keys were wrapped anew. A key that can not be opened is left as it is and does not hold up the
// others; the error is about the first of them.
func (x rotation) run(ctx context.Context) (Rotation, error) {
	done := Rotation{Master: x.vault.Master()}
	var failed error
	for after := ""; ; {
		keys, err := x.keys.SubjectKeys(ctx, after, rewrapBatch)
		if err != nil {
			return done, err
		}
		var effects []signalbox.Effect
		for _, k := range keys {
			rewrap, changed, err := x.vault.Rewrap(k)
			if failed == nil {
				failed = err
			}
			if err == nil && changed {
				effects = append(effects, rewrap)
			}
		}
		if len(effects) > 0 {
			if err := x.note(ctx, int64(len(effects)), false, effects); err != nil {
				return done, err
			}
			done.Keys += int64(len(effects))
		}
		if len(keys) < rewrapBatch {
			break
		}
		after = keys[len(keys)-1].ID
	}
	if failed != nil || done.Keys == 0 {
		return done, failed
	}
	return done, x.note(ctx, done.Keys, true, nil)
}

func (x rotation) note(ctx context.Context, keys int64, complete bool, effects []signalbox.Effect) error {
	now := x.now().UTC()
	_, err := x.append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		What: signalbox.What{Action: signalbox.ActionMasterKeyRotated, Detail: map[string]string{
			"master": x.vault.Master(), "keys": strconv.FormatInt(keys, 10), "complete": strconv.FormatBool(complete),
		}},
		Context: signalbox.Context{Replica: x.by},
	}, effects...)
	return err
}

// rotateMaster wraps the keys that previous master keys of the configuration wrap.
func (s *Server) rotateMaster(ctx context.Context) {
	if len(s.config.Audit.PreviousMasterKeys) == 0 {
		return
	}
	done, err := rotation{s.data.db, s.data.vault, s.data.writer.Append, s.data.now, s.data.replica}.run(ctx)
	if err == nil && done.Keys > 0 {
		err = s.data.db.Sweep(ctx)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.options.Logger.WarnContext(ctx, "not every key of data subjects could be wrapped by the master key", "error", err)
	case done.Keys > 0:
		s.options.Logger.WarnContext(ctx, "the keys of data subjects are wrapped by the new master key; "+
			"audit.previous_master_keys can go once every replica has the new one", "keys", done.Keys, "master", done.Master)
	}
}

// RotateMaster wraps the keys of an SQLite database that no server uses by a new master key. Afterwards the old one opens
// nothing any more, except in backups of the database. What was cut off goes on where it was when it is called again.
func RotateMaster(ctx context.Context, where config.Database, from, to seal.Source, o VaultOptions) (done Rotation, err error) {
	if where.Kind == config.DatabasePostgres {
		return done, signalbox.Errorf(signalbox.CodeInvalid, "The master key of a PostgreSQL database is rotated while it is served.").
			WithField("database").WithRemedy("Set audit.master_key to the new key and audit.previous_master_keys to the old one on every replica, " +
			"and remove the old one when the log says that all keys are wrapped by the new one.")
	}
	previous, err := from.Load(ctx, o.Env)
	if err != nil {
		return done, err
	}
	master, err := to.Load(ctx, o.Env)
	if err != nil {
		return done, err
	}
	if master.ID() == previous.ID() {
		return done, signalbox.Errorf(signalbox.CodeInvalid, "The new master key is the old one.").WithField("new").
			WithRemedy("Give a new one; --create makes it.")
	}
	db, err := sqlite.Open(ctx, where.Path, sqlite.Options{Now: o.Now})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	vault, err := seal.Open(ctx, seal.Options{Master: master, Previous: []*seal.Master{previous}, Keys: db, Now: o.Now})
	if err != nil {
		return done, err
	}
	return rotateOffline(ctx, db, vault, o.Now)
}

// rotateOffline is the log's one writer meanwhile. The next start of a server signs what it has written.
func rotateOffline(ctx context.Context, db *sqlite.DB, vault *seal.Vault, now func() time.Time) (Rotation, error) {
	tree, err := audit.Restore(ctx, db)
	if err != nil {
		return Rotation{}, err
	}
	writer := store.NewWriter(db, vault.Around(audit.NewSequencer(tree)), store.Options{})
	done, err := rotation{db, vault, writer.Append, now, signalbox.LocalReplica}.run(ctx)
	if err = errors.Join(err, writer.Close(context.WithoutCancel(ctx))); err != nil {
		return done, err
	}
	return done, db.Sweep(ctx)
}
