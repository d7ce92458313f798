package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// MaxProof bounds the bytes of a file that [ParseProof] reads.
const MaxProof = 1 << 20

const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	maxHashes   = 63 // Of a proof; no tree is higher.
)

// Proof shows that a log holds a record: a C2SP tlog-proof. Anybody can check it with the log's public key, without asking
// the log.
type Proof struct {
	Index      int64
	Hashes     tlog.RecordProof
	Checkpoint []byte // A signed note; its tree is the one that the hashes lead to.
	LeafData   []byte // What the leaf hash is made of, the extra data of the format; nil where the file has none.
}

// ProveRecord gives the proof of a record under the newest stored checkpoint. A record that the log does not have, or that
// no checkpoint covers yet, is an error of code not_found.
func ProveRecord(ctx context.Context, src LogSource, index int64) (Proof, error) {
	signed, c, err := newestCheckpoint(ctx, src)
	if err != nil {
		return Proof{}, err
	}
	hashes, err := Prove(ctx, src, c.Size, index)
	if err != nil {
		return Proof{}, err
	}
	p := Proof{Index: index, Hashes: hashes, Checkpoint: signed}
	for e, err := range src.Entries(ctx, index) {
		if err != nil {
			return Proof{}, err
		}
		if p.LeafData, err = LeafData(e); err != nil || e.Index != index {
			return Proof{}, damaged("record %d is missing or can not be what was written", index)
		}
		break
	}
	if tlog.CheckRecord(p.Hashes, c.Size, c.Root, index, tlog.RecordHash(p.LeafData)) != nil {
		return Proof{}, damaged("record %d does not lead to the root of the newest checkpoint", index)
	}
	return p, nil
}

// newestCheckpoint gives the newest stored checkpoint; not_found where there is none.
func newestCheckpoint(ctx context.Context, src LogSource) ([]byte, Checkpoint, error) {
	signed, err := src.LatestCheckpoint(ctx)
	if err != nil {
		return nil, Checkpoint{}, err
	}
	if signed == nil {
		return nil, Checkpoint{}, signalbox.Errorf(signalbox.CodeNotFound, "No checkpoint has been signed yet.").
			WithRemedy("Ask again a second after the first record.")
	}
	c, err := readCheckpoint(signed)
	if err != nil {
		return nil, c, damaged("the newest checkpoint can not be read")
	}
	return signed, c, nil
}

// Marshal gives the proof as a file.
func (p Proof) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	if p.LeafData != nil {
		fmt.Fprintf(&b, "extra %s\n", base64.StdEncoding.EncodeToString(p.LeafData))
	}
	fmt.Fprintf(&b, "index %d\n", p.Index)
	for _, h := range p.Hashes {
		b.WriteString(h.String() + "\n")
	}
	b.WriteByte('\n')
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// ParseProof reads what [Proof.Marshal] writes, and proofs of other programs in the same format. Errors are of code invalid
// and name the line.
func ParseProof(file []byte) (Proof, error) {
	head, checkpoint, whole := strings.Cut(string(file), "\n\n")
	lines := strings.Split(head, "\n")
	switch {
	case len(file) > MaxProof:
		return Proof{}, badProof("it has more than %d bytes", MaxProof)
	case lines[0] != proofHeader:
		return Proof{}, badProof("line 1 is not %q", proofHeader)
	case !whole || checkpoint == "":
		return Proof{}, badProof("it ends before the checkpoint, which follows an empty line")
	}
	p := Proof{Checkpoint: []byte(checkpoint)}
	n := 1
	if extra, ok := strings.CutPrefix(lineAt(lines, n), "extra "); ok {
		var err error
		if p.LeafData, err = base64.StdEncoding.Strict().DecodeString(extra); err != nil {
			return Proof{}, badProof("line %d is not base64 after \"extra \"", n+1)
		}
		n++
	}
	text, ok := strings.CutPrefix(lineAt(lines, n), "index ")
	index, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || index < 0 || strconv.FormatInt(index, 10) != text {
		return Proof{}, badProof("line %d is not \"index \" and a number", n+1)
	}
	p.Index = index
	return p, p.parseHashes(lines, n+1)
}

func (p *Proof) parseHashes(lines []string, n int) error {
	if len(lines)-n > maxHashes {
		return badProof("it has more than %d hashes", maxHashes)
	}
	for ; n < len(lines); n++ {
		h, err := tlog.ParseHash(lines[n])
		if err != nil || h.String() != lines[n] {
			return badProof("line %d is not a hash in base64", n+1)
		}
		p.Hashes = append(p.Hashes, h)
	}
	return nil
}

func lineAt(lines []string, n int) string {
	if n < len(lines) {
		return lines[n]
	}
	return ""
}

// Check holds the proof against the log's public key (see [OpenCheckpoint]) and the leaf data of the record; nil takes the
// leaf data out of the proof itself. It gives the checkpoint that the record is proven under. Errors are of code invalid and
// say what does not fit.
func (p Proof) Check(verifier string, leafData []byte) (Checkpoint, error) {
	c, err := OpenCheckpoint(p.Checkpoint, verifier)
	if err != nil {
		return c, err
	}
	switch {
	case leafData == nil && p.LeafData == nil:
		return c, badProof("it holds no leaf data, so that the record itself is needed")
	case leafData == nil:
		leafData = p.LeafData
	case p.LeafData != nil && !bytes.Equal(leafData, p.LeafData):
		return c, badProof("it is of another record: its leaf data is %s, the record's is %s", p.LeafData, leafData)
	}
	if p.Index >= c.Size {
		return c, badProof("its index %d is not below the size %d of its checkpoint", p.Index, c.Size)
	}
	if tlog.CheckRecord(p.Hashes, c.Size, c.Root, p.Index, tlog.RecordHash(leafData)) != nil {
		return c, badProof("its hashes do not lead from record %d to the root of its checkpoint", p.Index)
	}
	return c, nil
}

func badProof(format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The proof does not hold: %s.", fmt.Sprintf(format, args...)).
		WithField("proof").WithRemedy("Use a file as `signalbox audit prove` or /audit/proof gave it, and the public key of that log.")
}
