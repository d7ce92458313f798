package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// maxExportLine bounds a line of an export, in bytes: the largest content, once as it is and once in base64, and its proof.
const maxExportLine = 4 * MaxContent

// ExportChecks say what [VerifyExport] checks against.
type ExportChecks struct {
	Verifier string                                          // The log's public key, or keys one a line.
	Saved    []byte                                          // A checkpoint that was kept elsewhere; nil if there is none.
	Decode   func(signalbox.Entry) (signalbox.Record, error) // Opens what is sealed; nil leaves that part unchecked.
}

// ExportReport is what [VerifyExport] found.
type ExportReport struct {
	Records    int64           `json:"records"`
	Checkpoint Checkpoint      `json:"checkpoint"`
	Filter     Filter          `json:"filter"`
	Sealed     int64           `json:"sealed"` // Records whose opened personal part was not compared with the sealed one.
	Findings   []ExportFinding `json:"findings"`
	More       int64           `json:"more,omitzero"` // Findings that are not listed.
}

// OK reports whether nothing was found.
func (r ExportReport) OK() bool { return len(r.Findings) == 0 && r.More == 0 }

// ExportFinding is one thing that does not fit.
type ExportFinding struct {
	Line  int64  `json:"line"`  // From 1; 0 where it is about the whole.
	Index int64  `json:"index"` // The record; -1 where none can be named.
	What  string `json:"what"`
}

// VerifyExport checks an export without the log: that it is whole, that its checkpoint is signed, that every record is in
// the signed log at its index, and that the content that people read is the one that was recorded. Errors are of code
// invalid where nothing can be checked: a truncated export, or one that another key has signed.
//
// What it can not show is that a filter left out nothing: only an export of everything, whose tree it recomputes, shows
// that.
func VerifyExport(ctx context.Context, in io.ReadSeeker, o ExportChecks) (ExportReport, error) {
	v := &exportVerifier{ExportChecks: o, sum: sha256.New(), last: -1, whole: true}
	v.report.Findings = []ExportFinding{}
	end, err := exportEnd(in)
	if err != nil {
		return v.report, err
	}
	v.end = end
	v.report.Filter = end.Filter
	if v.report.Checkpoint, err = OpenCheckpoint([]byte(end.Checkpoint), o.Verifier); err != nil {
		return v.report, err
	}
	if o.Saved != nil {
		c, err := OpenCheckpoint(o.Saved, o.Verifier)
		if err != nil {
			return v.report, err
		}
		v.saved = &c
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return v.report, err
	}
	if err := v.lines(ctx, in); err != nil {
		return v.report, err
	}
	v.finish()
	return v.report, nil
}

// exportEnd reads the last line.
func exportEnd(in io.ReadSeeker) (ExportEnd, error) {
	size, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return ExportEnd{}, err
	}
	if _, err := in.Seek(max(size-1<<16, 0), io.SeekStart); err != nil {
		return ExportEnd{}, err
	}
	tail, err := io.ReadAll(in)
	if err != nil {
		return ExportEnd{}, err
	}
	text, whole := bytes.CutSuffix(tail, []byte("\n"))
	var last exportLast
	if !whole || json.UnmarshalKnown(text[bytes.LastIndexByte(text, '\n')+1:], &last) != nil || last.End.Checkpoint == "" {
		return ExportEnd{}, badExport("it is truncated: its last line is not the one with the checkpoint and the totals")
	}
	return last.End, nil
}

func badExport(format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The export can not be used: %s.", fmt.Sprintf(format, args...)).
		WithField("export").WithRemedy("Use the whole file as `signalbox audit export` wrote it, with --format jsonl.")
}

type exportVerifier struct {
	ExportChecks
	report ExportReport
	end    ExportEnd
	saved  *Checkpoint
	sum    hash.Hash
	line   int64
	last   int64 // Index of the record before.
	tree   Tree  // As long as whole is true.
	own    []bool
	whole  bool // The records so far are all that the log began with.
	kept   bool // The saved checkpoint was compared.
}

func (v *exportVerifier) found(index int64, format string, args ...any) {
	if len(v.report.Findings) >= MaxFindings {
		v.report.More++
		return
	}
	v.report.Findings = append(v.report.Findings, ExportFinding{v.line, index, fmt.Sprintf(format, args...)})
}

// lines checks all lines but the last, which is known to be the end.
func (v *exportVerifier) lines(ctx context.Context, in io.Reader) error {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 0, 1<<16), maxExportLine)
	s.Split(splitLines)
	var before []byte
	for s.Scan() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if before != nil {
			v.line++
			v.sum.Write(before)
			v.record(before)
		}
		before = append(before[:0], s.Bytes()...)
	}
	if s.Err() != nil {
		return badExport("line %d: %v", v.line+2, s.Err())
	}
	return nil
}

// splitLines keeps line feeds, which the sum is of too.
func splitLines(data []byte, _ bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	return 0, nil, nil
}

func (v *exportVerifier) record(line []byte) {
	var l ExportLine
	if err := json.UnmarshalKnown(line, &l); err != nil {
		v.whole = false
		v.found(-1, "It is not a record of an export: %v.", err)
		return
	}
	v.report.Records++
	if l.Index <= v.last {
		v.found(l.Index, "It comes after record %d: a line was moved or is there twice.", v.last)
	}
	v.whole = v.whole && l.Index == v.last+1
	v.last = l.Index
	e := signalbox.Entry{Index: l.Index, Time: l.Time, Type: l.Type, Tenant: l.Tenant, Call: l.Call, Content: l.Raw}
	if len(l.Digest) == len(e.Digest) && l.Raw == nil {
		e.Digest = [32]byte(l.Digest)
	}
	v.proof(&l, e)
	v.content(&l, e)
}

func (v *exportVerifier) proof(l *ExportLine, e signalbox.Entry) {
	leaf, err := Leaf(e)
	c := v.report.Checkpoint
	switch {
	case err != nil:
		v.found(l.Index, "Its header can not be what was written: %v.", err)
	case l.Index >= c.Size || tlog.CheckRecord(l.Proof, c.Size, c.Root, l.Index, leaf) != nil:
		v.found(l.Index, "Its proof does not lead to the root of the checkpoint: its header, its content_raw or the proof was changed.")
	}
	if !v.whole {
		return
	}
	_, v.own = v.tree.add(leaf, nil, v.own)
	if v.saved != nil && v.tree.Size() == v.saved.Size {
		v.compare(v.tree.Root())
	}
}

func (v *exportVerifier) compare(root tlog.Hash) {
	v.kept = true
	if root != v.saved.Root {
		v.found(-1, "The saved checkpoint, of size %d, has another root: it is of another history.", v.saved.Size)
	}
}

// finish checks what is about the whole.
func (v *exportVerifier) finish() {
	v.line = 0
	if v.report.Records != v.end.Records {
		v.found(-1, "It has %d records, its last line says %d: lines were removed or added.", v.report.Records, v.end.Records)
	}
	if hex.EncodeToString(v.sum.Sum(nil)) != v.end.SHA256 {
		v.found(-1, "Its lines are not those that its last line was written for: a line was changed, removed or added.")
	}
	if v.end.Filter.All() && (!v.whole || v.tree.Root() != v.report.Checkpoint.Root) {
		v.found(-1, "It says that it holds the whole log, but its records do not give the root of its checkpoint: some are missing or were changed.")
	}
	switch {
	case v.saved == nil || v.kept:
	case v.saved.Size == v.report.Checkpoint.Size:
		v.compare(v.report.Checkpoint.Root)
	case v.saved.Size > 0:
		v.found(-1, "The saved checkpoint, of size %d, can not be compared: that takes an export of the whole log of at least that size, or a checkpoint of size %d.",
			v.saved.Size, v.report.Checkpoint.Size)
	}
}
