package audit

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// MaxFindings is how many findings a [Report] lists unless told otherwise; the rest is counted.
const MaxFindings = 100

// MaxUnsigned is how much older than the newest record one may be that no checkpoint covers. Signalbox signs every second;
// where it did not for so long, checkpoints were removed, or it said in its log why it could not sign.
const MaxUnsigned = time.Minute

// maxGap is the largest number of missing records in a row behind which the tree is still followed.
const maxGap = 1 << 20

// Options say what [Verify] checks against.
type Options struct {
	Verifier    string      // The log's public key in the note format. Without it no signature is checked, and the report says so.
	Saved       []byte      // A checkpoint (signed note) that was kept outside; nil if there is none.
	Complete    bool        // No call can be under way (a start has ended the ones of a crash): those without outcome are findings.
	MaxFindings int         // 0 is [MaxFindings].
	Progress    func(int64) // Told the number of entries read now and then; may be nil.
}

// Report is what [Verify] found.
type Report struct {
	Size       int64       `json:"size"` // Entries read, which is the size of the recomputed tree.
	Root       tlog.Hash   `json:"root"` // Recomputed out of the stored columns.
	Tiles      int64       `json:"tiles"`
	Calls      int64       `json:"calls"`               // Calls that have ended.
	Open       int64       `json:"open"`                // Calls with an intent and no outcome.
	Checkpoint *Checkpoint `json:"checkpoint,omitzero"` // The newest stored one, if its signature is good.
	Saved      *Checkpoint `json:"saved,omitzero"`      // The one that was kept outside, if its signature is good.
	Destroyed  int64       `json:"destroyed"`           // Entries whose content was destroyed when their retention was over.
	Unsigned   int64       `json:"unsigned"`            // Entries that no checkpoint covers: nothing shows whether more were cut off.
	Findings   []Finding   `json:"findings"`            // In the order they were found.
	More       int64       `json:"more,omitzero"`       // Findings that are not listed.
}

// OK reports whether nothing was found.
func (r Report) OK() bool { return len(r.Findings) == 0 && r.More == 0 }

// Finding is one thing that does not fit.
type Finding struct {
	Check Check  `json:"check"`
	Index int64  `json:"index"` // The record it is about; -1 where it is not about one.
	Call  string `json:"call,omitzero"`
	What  string `json:"what"` // One sentence.
}

// Check is the kind of a finding.
type Check string

// The checks.
const (
	CheckSequence  Check = "sequence"  // Indices from 0 without gap or repetition.
	CheckLeaf      Check = "leaf"      // The stored columns give the stored leaf hash.
	CheckContent   Check = "content"   // The content is a record, of the tenant of its column.
	CheckTile      Check = "tile"      // The stored tiles are those of the tree.
	CheckRoot      Check = "root"      // The newest stored checkpoint is one of this log.
	CheckSaved     Check = "saved"     // The checkpoint that was kept outside is one of this log.
	CheckSignature Check = "signature" // The checkpoints are signed by the key.
	CheckDestroyed Check = "destroyed" // A record after it says why content is gone.
	CheckCall      Check = "call"      // Every call has an intent before its attempts and exactly one outcome at its end.
)

// Verify reads the whole log and recomputes everything that is stored beside the records: every leaf out of all columns,
// every tile of every level, and the roots of the newest stored checkpoint and of the saved one. What does not fit is a
// finding; the error is about reading only, and the report is then incomplete.
//
// Reading, hashing and decoding go on at once, on as many cores as there are; what needs the order of the log is done by
// one goroutine in that order. The records that wait between them are bounded, so that memory does not grow with the log.
func Verify(ctx context.Context, src LogSource, opts Options) (Report, error) {
	if opts.MaxFindings == 0 {
		opts.MaxFindings = MaxFindings
	}
	v := &verifier{ctx: ctx, src: src, opts: opts, roots: map[int64]tlog.Hash{}, calls: newCalls()}
	v.report.Findings = []Finding{}
	if err := v.readCheckpoints(); err != nil {
		return v.report, err
	}
	if err := v.read(); err != nil {
		return v.report, err
	}
	return v.report, v.finish()
}

type verifier struct {
	ctx    context.Context //nolint:containedctx // Of the one call of Verify that this is the state of.
	src    LogSource
	opts   Options
	report Report
	tree   Tree
	own    []bool
	ahead  []tileRun           // The stored tiles of each level that were read and are not compared yet.
	roots  map[int64]tlog.Hash // The sizes at which a root is wanted, and the roots.
	calls  *calls
	gone   Destroyed
	lost   bool      // A gap was too large to follow the tree behind it.
	bare   time.Time // The oldest record that no checkpoint covers.
	newest time.Time
}

func (v *verifier) found(check Check, index int64, call, format string, args ...any) {
	if len(v.report.Findings) >= v.opts.MaxFindings {
		v.report.More++
		return
	}
	v.report.Findings = append(v.report.Findings, Finding{Check: check, Index: index, Call: call, What: fmt.Sprintf(format, args...)})
}

// readCheckpoints opens the checkpoints before the first entry is read: those of a log that grows must not be newer
// than what is compared with them.
func (v *verifier) readCheckpoints() error {
	stored, err := v.src.LatestCheckpoint(v.ctx)
	if err != nil {
		return err
	}
	v.report.Checkpoint = v.open("stored", stored)
	v.report.Saved = v.open("saved", v.opts.Saved)
	if v.opts.Verifier == "" {
		v.found(CheckSignature, -1, "", "No public key was given, so that no signature could be checked.")
	}
	return nil
}

func (v *verifier) open(which string, signed []byte) *Checkpoint {
	if signed == nil || v.opts.Verifier == "" {
		return nil
	}
	c, err := OpenCheckpoint(signed, v.opts.Verifier)
	if err != nil {
		v.found(CheckSignature, -1, "", "The %s checkpoint is not good: %s", which, signalbox.AsError(err).Message)
		return nil
	}
	v.roots[c.Size] = tlog.Hash{}
	if c.Size == 0 {
		v.roots[0] = Tree{}.Root()
	}
	return &c
}

// entry takes the next entry of the log, of which is known what can be without its neighbours.
func (v *verifier) entry(c *checked) error {
	e := &c.entry
	follow, err := v.sequence(e)
	if err != nil {
		return err
	}
	v.calls.record(v, c)
	v.destroyed(c)
	switch {
	case c.leafErr != nil:
		v.found(CheckLeaf, e.Index, e.Call, "Its columns can not be what was written: %v.", c.leafErr)
	case c.leaf != e.Leaf:
		v.found(CheckLeaf, e.Index, e.Call, "Its columns do not give its leaf hash: a column or the leaf was changed.")
	}
	if !follow {
		return nil
	}
	v.age(e)
	v.report.Size++
	if v.opts.Progress != nil && v.report.Size%10_000 == 0 {
		v.opts.Progress(v.report.Size)
	}
	return v.grow(c.leaf)
}

// age keeps the time of the newest record, and of the oldest that no checkpoint covers.
func (v *verifier) age(e *signalbox.Entry) {
	if e.Time.After(v.newest) {
		v.newest = e.Time
	}
	covered := v.report.Checkpoint != nil && e.Index < v.report.Checkpoint.Size
	if !covered && (v.bare.IsZero() || e.Time.Before(v.bare)) {
		v.bare = e.Time
	}
}

// sequence checks the index and reports whether the entry has its place in the tree.
func (v *verifier) sequence(e *signalbox.Entry) (bool, error) {
	gap := e.Index - v.tree.Size()
	switch {
	case v.lost:
		return false, nil
	case e.Index < 0:
		v.found(CheckSequence, e.Index, e.Call, "Its index is negative: it was never written by Signalbox.")
		return false, nil
	case gap < 0:
		v.found(CheckSequence, e.Index, e.Call, "There is more than one record with this index.")
		return false, nil
	case gap == 0:
		return true, nil
	}
	v.found(CheckSequence, v.tree.Size(), "", "%d records are missing, from this index up to %d.", gap, e.Index-1)
	if gap > maxGap {
		v.lost = true
		return false, nil
	}
	for range gap {
		if err := v.grow(tlog.Hash{}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// grow adds a leaf, compares the tiles that it completes and notes the root where it is wanted.
func (v *verifier) grow(leaf tlog.Hash) error {
	// The tree is nobody else's, so that it may be changed in place.
	tiles, own := v.tree.add(leaf, nil, v.own)
	v.own = own
	for _, tile := range tiles {
		if err := v.tile(tile); err != nil {
			return err
		}
	}
	if _, wanted := v.roots[v.tree.Size()]; wanted {
		v.roots[v.tree.Size()] = v.tree.Root()
	}
	return nil
}

func (v *verifier) finish() error {
	v.report.Root = v.tree.Root()
	if err := v.surplusTiles(); err != nil {
		return err
	}
	v.root(CheckRoot, "newest stored", v.report.Checkpoint)
	v.root(CheckSaved, "saved", v.report.Saved)
	v.report.Unsigned = v.tree.Size()
	if c := v.report.Checkpoint; c != nil {
		v.report.Unsigned = max(v.tree.Size()-c.Size, 0)
	}
	if !v.bare.IsZero() && v.newest.Sub(v.bare) > MaxUnsigned {
		v.found(CheckRoot, -1, "", "The last %d records, over more than %v, are in no stored checkpoint: checkpoints were removed, or signing failed.", v.report.Unsigned, MaxUnsigned)
	}
	v.unproven()
	v.calls.finish(v)
	return v.calls.confirm(v)
}

func (v *verifier) root(check Check, which string, c *Checkpoint) {
	size := v.tree.Size()
	switch {
	case c == nil:
	case c.Size > size:
		v.found(check, size, "", "The %s checkpoint is of size %d, but the log ends before this record: records were cut off.", which, c.Size)
	case v.roots[c.Size] != c.Root:
		v.found(check, -1, "", "The %s checkpoint, of size %d, has another root: records before it were changed.", which, c.Size)
	}
}
