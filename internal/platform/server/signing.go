package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// AuditKeySuffix is added to the database's file name for that of the signing key, where the configuration names none.
const AuditKeySuffix = ".audit-key"

// signedLog is a stored log with its newest checkpoint.
type signedLog interface {
	audit.HashSource
	audit.CheckpointReader
}

// auditKey loads the signing keys and holds them against the stored log, before anything is written. Without a configured
// key one is made beside the SQLite file, but none silently for a log that was signed by another.
func (s *Server) auditKey(ctx context.Context, db signedLog, beside string) (*audit.Keyring, error) {
	previous, err := s.previousKeys()
	if err != nil {
		return nil, err
	}
	active, err := s.activeKey(ctx, db, beside, previous)
	if err != nil {
		return nil, err
	}
	ring, err := audit.NewKeyring(active, previous...)
	if err != nil {
		return nil, err
	}
	if _, _, err := audit.CheckSigner(ctx, ring, db, db); err != nil {
		return nil, err
	}
	return ring, s.checkAnchors(ctx, ring, db)
}

func (s *Server) activeKey(ctx context.Context, db signedLog, beside string, previous []audit.PreviousKey) (*audit.Key, error) {
	source := s.config.Audit.Key
	if source.Env != "" {
		text, err := s.keyVariable(source.Env, "audit.key")
		if err != nil {
			return nil, err
		}
		key, err := audit.ParseKey(text)
		if err == nil && key.Origin() != s.config.Audit.Origin {
			err = signalbox.Errorf(signalbox.CodeInvalid, "The audit key in %s is for the log %q, not %q.", source.Env, key.Origin(), s.config.Audit.Origin).
				WithField("audit.origin").WithRemedy("Set audit.origin to the key's name, or use another key.")
		}
		return key, err
	}
	path := source.File
	if path == "" {
		path = beside + AuditKeySuffix
	}
	if err := s.mayMakeKey(ctx, db, path, previous); err != nil {
		return nil, err
	}
	key, created, err := audit.LoadOrCreateKey(path, s.config.Audit.Origin)
	if created {
		s.options.Logger.WarnContext(ctx, "a signing key for the log was made; keep a copy of the public key elsewhere",
			"file", filepath.Base(path), "public_key", key.Verifier())
	}
	return key, err
}

// mayMakeKey refuses to make a key for a log that was signed by one that nobody names.
func (s *Server) mayMakeKey(ctx context.Context, db signedLog, path string, previous []audit.PreviousKey) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // Reading it says what is wrong with it.
	}
	stored, err := db.LatestCheckpoint(ctx)
	if err != nil || stored == nil || audit.SignedBy(stored, audit.PublicKeys(previous)) {
		return err
	}
	return signalbox.Errorf(signalbox.CodeInvalid, "There is no audit key file %s, and the log is signed already.", path).
		WithField("audit.key").
		WithRemedy("Restore the file. Where the key is lost, name its public key (the file with .pub) in audit.previous_keys: a new key is made then.")
}

func (s *Server) previousKeys() ([]audit.PreviousKey, error) {
	var keys []audit.PreviousKey
	for i, source := range s.config.Audit.PreviousKeys {
		field := fmt.Sprintf("audit.previous_keys[%d]", i)
		key, err := s.previousKey(source, field)
		if err != nil {
			e := *signalbox.AsError(err)
			if errors.Is(err, fs.ErrNotExist) {
				e = *signalbox.Errorf(signalbox.CodeInvalid, "There is no audit key file %s.", source.File).WithRemedy("Correct the path, or restore the file.")
			}
			return nil, e.WithField(field)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (s *Server) previousKey(source config.KeySource, field string) (audit.PreviousKey, error) {
	if source.Env == "" {
		return audit.LoadPreviousKey(source.File)
	}
	text, err := s.keyVariable(source.Env, field)
	if err != nil {
		return audit.PreviousKey{}, err
	}
	return audit.ParsePreviousKey(text)
}

// keyVariable reads a key out of the environment.
func (s *Server) keyVariable(name, field string) (string, error) {
	text, found := s.options.Env(name)
	if !found || text == "" {
		return "", signalbox.Errorf(signalbox.CodeInvalid, "The variable %s with an audit key is not set.", name).
			WithField(field).WithRemedy("Set it to the key, or name a file.")
	}
	return text, nil
}

// signing is a publisher that signs nothing before it may.
type signing struct {
	*audit.Publisher
	open atomic.Bool
}

// startPublisher starts what signs the log and has its checkpoints anchored, once it is told to (open).
func (s *Server) startPublisher(ctx context.Context, sequencer *audit.Sequencer, store audit.CheckpointStore) (*signing, error) {
	var g signing
	tree := func() audit.Tree {
		if !g.open.Load() {
			return audit.Tree{}
		}
		return sequencer.Tree()
	}
	var err error
	g.Publisher, err = audit.StartPublisher(ctx, s.data.key, tree, s.data.db, store, func(err error) {
		s.options.Logger.ErrorContext(ctx, "no checkpoint could be signed", "error", err)
	})
	if err != nil {
		return nil, err
	}
	s.data.anchors.Follow(g.Publisher)
	return &g, nil
}

// beginSigning lets a publisher sign; a change of keys is on record by then.
func (s *Server) beginSigning(ctx context.Context, g *signing) error {
	if err := s.noteRotation(ctx); err != nil {
		return err
	}
	g.open.Store(true)
	g.Nudge() // A process that is killed again and again within an interval would never sign anything.
	return nil
}

// untilSigning tries so until it succeeds or ctx ends: while the log can not be written, there is nothing to sign either.
func (s *Server) untilSigning(ctx context.Context, g *signing, report func(error)) {
	for {
		err := s.beginSigning(ctx, g)
		if err == nil {
			return
		}
		report(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(audit.PublishInterval):
		}
	}
}

// noteRotation records that checkpoints are signed with another key from now on: the newest one is not signed by it. It is
// written before the first one that is.
func (s *Server) noteRotation(ctx context.Context) error {
	stored, err := s.data.db.LatestCheckpoint(ctx)
	if err != nil || stored == nil || audit.SignedBy(stored, s.data.key.Active()) {
		return err
	}
	keys := s.data.key.Keys()
	detail := map[string]string{"origin": keys[0].Name, "key": keys[0].ID, "public_key": s.data.key.Active()}
	for _, k := range keys[1:] {
		detail["previous_"+k.ID] = "checks only"
		if k.Signs {
			detail["previous_"+k.ID] = "signs too"
		}
	}
	return s.note(ctx, signalbox.ActionSigningKeyRotated, detail)
}
