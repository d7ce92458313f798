package audit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// ArchiveSource is a stored log that can be archived.
type ArchiveSource interface {
	LogSource
	// Checkpoints gives up to limit notes, newest first.
	Checkpoints(ctx context.Context, limit int) ([][]byte, error)
}

// ArchiveOptions say what is archived.
type ArchiveOptions struct {
	First    int64     // Index of the first record.
	Until    int64     // The range ends at the newest checkpoint whose size is at most this; 0 is no bound.
	Before   time.Time // And before the first record that is not older than this; zero is no bound.
	Verifier string    // The log's public key.
	Now      func() time.Time
}

// partial is added to the name of an archive that is being written.
const partial = ".partial"

// WriteArchive writes an archive into a directory that does not exist yet. On an error there is none. Errors are of code
// conflict (the directory exists), not_found (no checkpoint covers anything of the range) or invalid, or about reading.
func WriteArchive(ctx context.Context, src ArchiveSource, dir string, o ArchiveOptions) (Manifest, error) {
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return Manifest{}, signalbox.Errorf(signalbox.CodeConflict, "The directory %s exists already.", dir).
			WithField("to").WithRemedy("Name a new one; an archive is never written over.")
	}
	m, err := plan(ctx, src, o)
	if err != nil {
		return Manifest{}, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return Manifest{}, cannotArchive(dir, err)
	}
	if err := os.Mkdir(dir+partial, 0o700); err != nil {
		return Manifest{}, cannotArchive(dir+partial, err)
	}
	w := &archiveWriter{dir: dir + partial, manifest: m}
	if err = w.write(ctx, src, o.Verifier); err == nil {
		err = os.Rename(dir+partial, dir)
	}
	if err == nil {
		return w.manifest, syncDir(filepath.Dir(dir))
	}
	var ours *signalbox.Error
	if !errors.As(err, &ours) {
		err = cannotArchive(dir, err)
	}
	return Manifest{}, errors.Join(err, os.RemoveAll(dir+partial))
}

func cannotArchive(path string, err error) error {
	return signalbox.Errorf(signalbox.CodeUnavailable, "The archive %s can not be written: %v.", path, err).WithField("to").
		WithRemedy("Check that the directory above it exists, has room, and may be written by the user that runs this.").WithCause(err)
}

// plan finds the range and its checkpoint.
func plan(ctx context.Context, src ArchiveSource, o ArchiveOptions) (Manifest, error) {
	size, err := src.Size(ctx)
	if err != nil {
		return Manifest{}, err
	}
	until := size
	if o.Until > 0 {
		until = min(until, o.Until)
	}
	if !o.Before.IsZero() {
		end, err := firstNotBefore(ctx, src, size, o.Before)
		if err != nil {
			return Manifest{}, err
		}
		until = min(until, end)
	}
	note, c, err := checkpointUpTo(ctx, src, until, o.Verifier)
	if err != nil {
		return Manifest{}, err
	}
	if o.First < 0 || note == nil || c.Size <= o.First {
		return Manifest{}, signalbox.Errorf(signalbox.CodeNotFound, "No checkpoint ends a range of records from %d to below %d.", o.First, until).
			WithField("until").WithRemedy("Give a later end, or an earlier first index; only what a checkpoint covers can be archived.")
	}
	tree, err := restoreAt(ctx, src, o.First)
	return Manifest{
		Format: ArchiveFormat, Version: ArchiveVersion, Origin: c.Origin, Created: o.Now().UTC().Truncate(time.Second),
		First: o.First, End: c.Size, Edge: edgeOf(tree), Checkpoint: string(note), Parts: []ArchivePart{},
	}, err
}

// firstNotBefore gives the index of the first record that is not older, as times follow indexes.
func firstNotBefore(ctx context.Context, src LogSource, size int64, before time.Time) (int64, error) {
	var failure error
	n := sort.Search(int(size), func(i int) bool {
		for e, err := range src.Entries(ctx, int64(i)) {
			failure = errors.Join(failure, err)
			return err != nil || !e.Time.Before(before)
		}
		return true
	})
	return int64(n), failure
}

// checkpointUpTo gives the newest stored checkpoint of at most that size; nil where there is none. It reads more and more
// of them, as mostly one of the newest is asked for.
func checkpointUpTo(ctx context.Context, src ArchiveSource, size int64, verifier string) ([]byte, Checkpoint, error) {
	for limit := 16; ; limit *= 16 {
		notes, err := src.Checkpoints(ctx, limit)
		if err != nil {
			return nil, Checkpoint{}, err
		}
		for _, note := range notes {
			c, err := OpenCheckpoint(note, verifier)
			if err != nil {
				return nil, Checkpoint{}, err
			}
			if c.Size <= size {
				return note, c, nil
			}
		}
		if len(notes) < limit {
			return nil, Checkpoint{}, nil
		}
	}
}

type archiveWriter struct {
	dir      string
	manifest Manifest
	file     *os.File
	buffer   *bufio.Writer
	sum      hash.Hash
	next     int64
}

// write writes the parts and the manifest, and checks on its way what is checked when an archive is read.
func (w *archiveWriter) write(ctx context.Context, src LogSource, verifier string) error {
	w.next = w.manifest.First
	for e, err := range src.Entries(ctx, w.manifest.First) {
		if err == nil && e.Index < w.manifest.End {
			err = w.entry(e)
		}
		if err != nil {
			return errors.Join(err, w.closePart())
		}
		if e.Index >= w.manifest.End-1 {
			break
		}
	}
	if err := w.closePart(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(w.manifest)
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(w.dir, ArchiveManifest), append(b, '\n')); err != nil {
		return err
	}
	if err := syncDir(w.dir); err != nil {
		return err
	}
	_, err = VerifyArchives(ctx, verifier, w.dir)
	return err
}

func (w *archiveWriter) entry(e signalbox.Entry) error {
	if e.Index != w.next {
		return damaged("record %d is missing", w.next)
	}
	line, err := archiveLine(e)
	if err != nil {
		return err
	}
	if n := len(w.manifest.Parts); w.file != nil && (w.manifest.Parts[n-1].Records == MaxArchivePart || w.manifest.Parts[n-1].Bytes > maxPartBytes) {
		if err := w.closePart(); err != nil {
			return err
		}
	}
	if w.file == nil {
		if err := w.openPart(); err != nil {
			return err
		}
	}
	part := &w.manifest.Parts[len(w.manifest.Parts)-1]
	part.Records++
	part.Bytes += int64(len(line))
	if e.Destroyed() {
		w.manifest.Destroyed++
	}
	w.next++
	_, err = w.buffer.Write(line)
	return err
}

func (w *archiveWriter) openPart() (err error) {
	name := fmt.Sprintf("part-%06d.jsonl", len(w.manifest.Parts))
	if w.file, err = os.OpenFile(filepath.Join(w.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	w.sum = sha256.New()
	w.buffer = bufio.NewWriterSize(io.MultiWriter(w.file, w.sum), 1<<20)
	w.manifest.Parts = append(w.manifest.Parts, ArchivePart{File: name, First: w.next})
	return nil
}

func (w *archiveWriter) closePart() error {
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.buffer.Flush(), w.file.Sync(), w.file.Close())
	w.manifest.Parts[len(w.manifest.Parts)-1].SHA256 = w.sum.Sum(nil)
	w.file = nil
	return err
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
