package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// archivist writes archives of the log, one at a time.
type archivist struct {
	server *Server
	mu     sync.Mutex
}

// Archive writes an archive below the configured directory, and then a record that it is there.
func (a *archivist) Archive(ctx context.Context, by signalbox.Caller, r api.ArchiveRequest) (api.Archive, error) {
	s := a.server
	root := s.config.Audit.Archive
	if root == "" {
		return api.Archive{}, signalbox.Errorf(signalbox.CodeConflict, "No directory is configured for archives.").WithField("audit.archive").
			WithRemedy("Set audit.archive and restart, or run `signalbox audit archive --database URL`.")
	}
	if r.Until == nil && r.Before == nil {
		return api.Archive{}, signalbox.Errorf(signalbox.CodeInvalid, "The request does not say where the range ends.").WithField("until").
			WithRemedy("Give until, an index, or before, a time.")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	o := audit.ArchiveOptions{First: r.First, Verifier: s.data.key.Verifier(), Now: s.data.now}
	if r.Until != nil {
		o.Until = *r.Until
	}
	if r.Before != nil {
		o.Before = *r.Before
	}
	dir := filepath.Join(root, filepath.Base(r.Name))
	m, err := audit.WriteArchive(ctx, s.data.db, dir, o)
	if err != nil {
		return api.Archive{}, err
	}
	done := ArchiveOf(dir, m)
	return done, a.record(ctx, by, done)
}

// record says that an archive was written. Where that can not be recorded, the archive stays: it is good, and can be named
// again only after it was moved away.
func (a *archivist) record(ctx context.Context, by signalbox.Caller, done api.Archive) error {
	now := a.server.data.now().UTC()
	_, err := a.server.data.writer.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		Who: signalbox.Who{KeyID: by.Key, Role: by.Role},
		What: signalbox.What{Action: signalbox.ActionLogArchived, Detail: map[string]string{
			"first": strconv.FormatInt(done.First, 10), "last": strconv.FormatInt(done.Last, 10),
			"file": done.File, "sha256": done.SHA256,
		}},
		Context: signalbox.Context{Replica: a.server.data.replica},
	})
	return err
}

// ArchiveOf describes an archive that was written; its hash is empty where its manifest can not be read any more.
func ArchiveOf(dir string, m audit.Manifest) api.Archive {
	done := api.Archive{
		First: m.First, Last: m.End - 1, Time: m.Created, File: dir, Parts: len(m.Parts), Destroyed: m.Destroyed,
	}
	if b, err := os.ReadFile(filepath.Join(dir, audit.ArchiveManifest)); err == nil {
		sum := sha256.Sum256(b)
		done.SHA256 = hex.EncodeToString(sum[:])
	}
	return done
}
