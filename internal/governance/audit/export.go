package audit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// ExportFormat is how records are written out.
type ExportFormat string

// The formats.
const (
	ExportJSONL ExportFormat = "jsonl" // One [ExportLine] a line with its proof, and an [ExportEnd]; see [VerifyExport].
	ExportOCSF  ExportFormat = "ocsf"  // One event in the shape of OCSF a line, for a SIEM; without proofs.
)

// ExportOptions say what is exported, and how.
type ExportOptions struct {
	Filter Filter
	Format ExportFormat                                    // "" is ExportJSONL.
	Decode func(signalbox.Entry) (signalbox.Record, error) // Opens what is sealed, if it can; nil is [Decode].
}

// Exported is what was written.
type Exported struct {
	Records int64 `json:"records"`
	Size    int64 `json:"size"` // Of the checkpoint: records from this index on are not exported, because nothing proves them yet.
}

// ExportLine is a record in an export.
type ExportLine struct {
	Index   int64                  `json:"index"`
	Time    time.Time              `json:"time"`
	Type    signalbox.RecordType   `json:"type"`
	Tenant  string                 `json:"tenant"`
	Call    string                 `json:"call"`
	State   signalbox.ContentState `json:"state"`                // What of the content could not be read: "", sealed, erased or destroyed.
	Content json.Value             `json:"content"`              // The record, its sealed part opened; null where it was destroyed.
	Raw     []byte                 `json:"content_raw,omitzero"` // Base64 of the stored bytes, which the leaf commits to.
	Digest  []byte                 `json:"digest,omitzero"`      // Base64 of their SHA-256 where they were destroyed.
	Proof   []tlog.Hash            `json:"proof"`                // Base64 each, from the leaf upwards, under the checkpoint of the last line.
}

// ExportEnd is the last line of an export. An export without it is not whole.
type ExportEnd struct {
	Records    int64  `json:"records"`
	Filter     Filter `json:"filter"`
	Checkpoint string `json:"checkpoint"` // A signed note.
	SHA256     string `json:"sha256"`     // Of all lines before this one with their line feeds, in hex.
}

type exportLast struct {
	End ExportEnd `json:"end"`
}

// ExportJob is an export that can be written: the log has a checkpoint, under which everything is proven.
type ExportJob struct {
	src    LogSource
	o      ExportOptions
	signed []byte
	size   int64
}

// NewExport begins an export under the newest checkpoint. The error is of code not_found where there is none.
func NewExport(ctx context.Context, src LogSource, o ExportOptions) (*ExportJob, error) {
	signed, c, err := newestCheckpoint(ctx, src)
	if err != nil {
		return nil, err
	}
	if o.Decode == nil {
		o.Decode = Decode
	}
	return &ExportJob{src, o, signed, c.Size}, nil
}

// Export is [NewExport] and [ExportJob.Write].
func Export(ctx context.Context, src LogSource, out io.Writer, o ExportOptions) (Exported, error) {
	j, err := NewExport(ctx, src, o)
	if err != nil {
		return Exported{}, err
	}
	return j.Write(ctx, out)
}

// Size is that of the checkpoint: no later record is exported.
func (j *ExportJob) Size() int64 { return j.size }

// Write writes the chosen records that the checkpoint covers, in the order of the log and in memory that does not grow
// with it. An error means that what was written is not whole.
func (j *ExportJob) Write(ctx context.Context, out io.Writer) (Exported, error) {
	buffered := bufio.NewWriterSize(out, 1<<16)
	x := &exporter{
		ExportOptions: j.o, out: buffered, sum: sha256.New(), size: j.size, hashes: hashReader(ctx, j.src, j.size), done: Exported{Size: j.size},
	}
	err := x.entries(ctx, j.src)
	if err == nil {
		err = x.end(string(j.signed))
	}
	return x.done, errors.Join(err, buffered.Flush()) // What can be read of a broken one ends where it broke.
}

type exporter struct {
	ExportOptions
	out    io.Writer
	sum    hash.Hash
	size   int64
	hashes tlog.HashReader
	done   Exported
}

func (x *exporter) entries(ctx context.Context, src LogSource) error {
	for e, err := range src.Entries(ctx, 0) {
		if err == nil && e.Index >= x.size {
			return nil
		}
		if err == nil {
			err = x.entry(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) entry(e signalbox.Entry) error {
	if !x.Filter.Header(&e) {
		return nil
	}
	r, err := x.Decode(e)
	if err != nil || !x.Filter.Record(&r) {
		return err
	}
	x.done.Records++
	if x.Format == ExportOCSF {
		return x.write(ocsfEvent(e, &r))
	}
	line, err := exportLine(e, &r)
	if err != nil {
		return err
	}
	if line.Proof, err = tlog.ProveRecord(x.size, e.Index, x.hashes); err != nil {
		return err
	}
	return x.write(line)
}

// exportLine is the line of an entry, but for its proof.
func exportLine(e signalbox.Entry, r *signalbox.Record) (ExportLine, error) {
	line := ExportLine{
		Index: e.Index, Time: e.Time, Type: e.Type, Tenant: e.Tenant, Call: e.Call, State: r.Content,
		Content: json.Value(e.Content), Raw: e.Content, Proof: []tlog.Hash{},
	}
	switch {
	case e.Destroyed():
		line.Content, line.Digest = json.Value("null"), e.Digest[:]
	case r.Sealed != nil:
		opened := *r
		opened.Sealed = nil
		b, err := json.Marshal(&opened)
		if err != nil {
			return line, err
		}
		line.Content = b
	}
	return line, nil
}

func (x *exporter) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	x.sum.Write(b)
	_, err = x.out.Write(b)
	return err
}

func (x *exporter) end(signed string) error {
	if x.Format == ExportOCSF {
		return nil
	}
	return x.write(exportLast{ExportEnd{
		Records: x.done.Records, Filter: x.Filter, Checkpoint: signed, SHA256: hex.EncodeToString(x.sum.Sum(nil)),
	}})
}

// ReadExportEnd says what the last line of an export with proofs says of it. Nothing is checked; [VerifyExport] does.
func ReadExportEnd(line []byte) (Exported, error) {
	var last exportLast
	if err := json.UnmarshalKnown(line, &last); err != nil {
		return Exported{}, badExport("its last line is not the one with the checkpoint and the totals")
	}
	c, err := readCheckpoint([]byte(last.End.Checkpoint))
	return Exported{Records: last.End.Records, Size: c.Size}, err
}
