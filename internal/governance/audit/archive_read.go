package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// ArchiveReport is what archives hold that are good.
type ArchiveReport struct {
	Origin     string    `json:"origin"`
	First      int64     `json:"first"`
	End        int64     `json:"end"`
	Parts      int       `json:"parts"`
	Root       tlog.Hash `json:"root"`      // Of the last checkpoint, recomputed out of the records.
	Destroyed  int64     `json:"destroyed"` // Records whose content was destroyed before they were archived.
	Unproven   int64     `json:"unproven"`  // Of them, those whose destruction no record in these archives explains: it may come later in the log.
	Checkpoint []byte    `json:"checkpoint"`
}

// VerifyArchives checks archives that follow each other: each file against its manifest, each record against its leaf, and
// the leaves against the signed checkpoints. What does not fit is an error of code invalid, which names the file and the
// record.
func VerifyArchives(ctx context.Context, verifier string, dirs ...string) (ArchiveReport, error) {
	return readArchives(ctx, verifier, dirs, func(signalbox.Batch) error { return nil })
}

// RestoreArchives writes what archives hold into an empty log, whose first record is theirs: they begin with the log's
// first record. All of them are verified before anything is written. What is restored is the log; keys, budgets and the
// keys of data subjects are not in it.
func RestoreArchives(ctx context.Context, verifier string, into interface {
	Commit(ctx context.Context, b signalbox.Batch) error
	CheckpointStore
}, dirs ...string,
) (ArchiveReport, error) {
	report, err := VerifyArchives(ctx, verifier, dirs...)
	if err != nil {
		return report, err
	}
	if report.First != 0 {
		return report, badArchive(dirs[0], "it begins with record %d, and a database begins with record 0", report.First)
	}
	if report, err = readArchives(ctx, verifier, dirs, func(b signalbox.Batch) error { return into.Commit(ctx, b) }); err != nil {
		return report, err
	}
	return report, into.PutCheckpoint(ctx, report.Checkpoint)
}

func readArchives(ctx context.Context, verifier string, dirs []string, take func(signalbox.Batch) error) (ArchiveReport, error) {
	var all ArchiveReport
	var gone Destroyed
	if len(dirs) == 0 {
		return all, badArchive("", "none was named")
	}
	for i, dir := range dirs {
		r := &archiveReader{ctx: ctx, dir: dir, take: take, gone: &gone}
		if err := r.open(verifier); err != nil {
			return all, err
		}
		if m := &r.manifest; i == 0 {
			all.Origin, all.First = m.Origin, m.First
		} else if m.First != all.End || r.tree.Root() != all.Root {
			return all, badArchive(dir, "it begins with record %d, and does not continue the one before, which ends before record %d", m.First, all.End)
		}
		if err := r.read(); err != nil {
			return all, err
		}
		all.End, all.Root, all.Checkpoint = r.manifest.End, r.tree.Root(), []byte(r.manifest.Checkpoint)
		all.Parts += len(r.manifest.Parts)
		all.Destroyed += r.destroyed
	}
	for range gone.Unproven() {
		all.Unproven++
	}
	return all, nil
}

type archiveReader struct {
	ctx        context.Context //nolint:containedctx // Of the one call that this is the state of.
	dir        string
	manifest   Manifest
	checkpoint Checkpoint
	tree       Tree
	take       func(signalbox.Batch) error
	gone       *Destroyed
	destroyed  int64
}

// open reads the manifest and looks that all parts are there.
func (r *archiveReader) open(verifier string) error {
	b, err := readBounded(filepath.Join(r.dir, ArchiveManifest), maxManifest)
	if err != nil {
		return badArchive(r.dir, "its %s can not be read: %v", ArchiveManifest, err)
	}
	if err := json.UnmarshalKnown(b, &r.manifest); err != nil {
		return badArchive(r.dir, "its %s is not one: %v", ArchiveManifest, err)
	}
	m := &r.manifest
	if m.Format != ArchiveFormat || m.Version != ArchiveVersion {
		return badArchive(r.dir, "its format is %q, version %d; this program knows %q, version %d", m.Format, m.Version, ArchiveFormat, ArchiveVersion)
	}
	if r.checkpoint, err = OpenCheckpoint([]byte(m.Checkpoint), verifier); err != nil {
		return badArchive(r.dir, "it is of another log, or its manifest was changed: %s", signalbox.AsError(err).Message)
	}
	if m.First < 0 || m.End <= m.First || r.checkpoint.Size != m.End || r.checkpoint.Origin != m.Origin {
		return badArchive(r.dir, "its manifest names records %d to %d of %q, its checkpoint the first %d of %q", m.First, m.End-1, m.Origin, r.checkpoint.Size, r.checkpoint.Origin)
	}
	if r.tree, err = m.treeOf(); err != nil {
		return badArchive(r.dir, "%v", err)
	}
	return r.parts()
}

// parts checks that the parts are whole by their sizes and cover the range.
func (r *archiveReader) parts() error {
	next := r.manifest.First
	for _, p := range r.manifest.Parts {
		if p.First != next || p.Records < 1 || p.Records > MaxArchivePart || p.File != filepath.Base(p.File) {
			return badArchive(r.dir, "its manifest does not name a part that begins with record %d", next)
		}
		next += p.Records
		info, err := os.Stat(filepath.Join(r.dir, p.File))
		switch {
		case errors.Is(err, os.ErrNotExist):
			return badArchive(r.dir, "its part %s, with records %d to %d, is missing", p.File, p.First, next-1)
		case err != nil:
			return badArchive(r.dir, "its part %s can not be read: %v", p.File, err)
		case info.Size() != p.Bytes:
			return badArchive(r.dir, "its part %s has %d bytes instead of %d: it was cut off or changed", p.File, info.Size(), p.Bytes)
		}
	}
	if next != r.manifest.End {
		return badArchive(r.dir, "its parts end before record %d, its range before record %d", next, r.manifest.End)
	}
	return nil
}

// read checks all records, and gives them on part by part.
func (r *archiveReader) read() error {
	var own []bool
	for _, p := range r.manifest.Parts {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		entries, err := r.part(p)
		if err != nil {
			return err
		}
		b := signalbox.Batch{Entries: entries}
		for i := range entries {
			b.Tiles, own = r.tree.add(entries[i].Leaf, b.Tiles, own)
		}
		if err := r.take(b); err != nil {
			return err
		}
	}
	if r.tree.Root() != r.checkpoint.Root {
		return badArchive(r.dir, "its records do not give the root of its checkpoint: records, their leaves or the manifest's edge were changed")
	}
	return nil
}

func (r *archiveReader) part(p ArchivePart) ([]signalbox.Entry, error) {
	b, err := readBounded(filepath.Join(r.dir, p.File), p.Bytes)
	if err != nil {
		return nil, badArchive(r.dir, "its part %s can not be read: %v", p.File, err)
	}
	if sum := sha256.Sum256(b); !bytes.Equal(sum[:], p.SHA256) {
		return nil, badArchive(r.dir, "its part %s has the SHA-256 %s, its manifest says %s: it was changed", p.File, hex.EncodeToString(sum[:]), hex.EncodeToString(p.SHA256))
	}
	entries := make([]signalbox.Entry, 0, p.Records)
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	for lines.Scan() {
		e, err := r.line(lines.Bytes(), p.First+int64(len(entries)))
		if err != nil {
			return nil, badArchive(r.dir, "record %d in its part %s: %v", p.First+int64(len(entries)), p.File, err)
		}
		entries = append(entries, e)
	}
	if int64(len(entries)) != p.Records {
		return nil, badArchive(r.dir, "its part %s has %d records instead of %d", p.File, len(entries), p.Records)
	}
	return entries, nil
}

func (r *archiveReader) line(line []byte, index int64) (e signalbox.Entry, err error) {
	var a archived
	if err := json.UnmarshalKnown(line, &a); err != nil {
		return e, err
	}
	if e, err = a.entry(); err != nil {
		return e, err
	}
	leaf, err := Leaf(e)
	switch {
	case err != nil:
		return e, err
	case e.Index != index:
		return e, errors.New("it has another index")
	case leaf != e.Leaf:
		return e, errors.New("it does not give its leaf hash: it or the hash was changed")
	}
	if err := r.gone.Entry(e); err != nil {
		return e, err
	}
	if e.Destroyed() {
		r.destroyed++
	}
	if e.Type != signalbox.RecordAdmin || e.Destroyed() {
		return e, nil
	}
	record, err := Decode(e)
	if err != nil {
		return e, errors.New("its content is not a record")
	}
	return e, r.gone.Record(e.Index, &record)
}

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = errors.New("it is larger than it may be")
	}
	return b, err
}
