package audit

import (
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// An archive is a directory that holds a closed range of the log, for ever and without the database: part files and a
// manifest. A part has one JSON object per line for one record, in the order of the log:
//
//	{"index":…,"time":"…","type":"…","tenant":"…","call":"…","content":base64,"leaf":base64}
//
// where a destroyed content is replaced by "digest". Content is what the database holds, so that what it says about people
// is encrypted, and an erasure reaches archives too. The manifest, written last, names the parts with their SHA-256, the
// range, and a signed checkpoint whose size is the range's end. The proof of the range is its "edge": the hashes of the
// tree to the left of it that no full tile held. With them and the leaves anybody computes the checkpoint's root, so that
// neither a record nor the edge can be changed unnoticed; archives that follow each other prove each other's place.
const (
	ArchiveFormat   = "signalbox archive"
	ArchiveVersion  = 1
	ArchiveManifest = "manifest.json"
	// MaxArchivePart is how many records a part has at most, and maxPartBytes about how many bytes.
	MaxArchivePart = 10_000
	maxPartBytes   = 64 << 20
	maxManifest    = 64 << 20
)

// Manifest says what an archive holds.
type Manifest struct {
	Format     string        `json:"format"`
	Version    int           `json:"version"`
	Origin     string        `json:"origin"` // The log's name.
	Created    time.Time     `json:"created"`
	First      int64         `json:"first"` // Index of the first record.
	End        int64         `json:"end"`   // Index after the last, which is the checkpoint's size.
	Destroyed  int64         `json:"destroyed"`
	Parts      []ArchivePart `json:"parts"`
	Edge       [][][]byte    `json:"edge"`       // By level of tiles, lowest first: the hashes to the left of the range.
	Checkpoint string        `json:"checkpoint"` // Signed note.
}

// ArchivePart is one file.
type ArchivePart struct {
	File    string `json:"file"`
	First   int64  `json:"first"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
	SHA256  []byte `json:"sha256"`
}

// archived is a line of a part.
type archived struct {
	Index   int64                `json:"index"`
	Time    time.Time            `json:"time"`
	Type    signalbox.RecordType `json:"type"`
	Tenant  string               `json:"tenant"`
	Call    string               `json:"call"`
	Content []byte               `json:"content,omitzero"`
	Digest  []byte               `json:"digest,omitzero"`
	Leaf    []byte               `json:"leaf"`
}

func archiveLine(e signalbox.Entry) ([]byte, error) {
	line := archived{Index: e.Index, Time: e.Time, Type: e.Type, Tenant: e.Tenant, Call: e.Call, Content: e.Content, Leaf: e.Leaf[:]}
	if e.Destroyed() {
		line.Digest = e.Digest[:]
	}
	b, err := json.Marshal(line)
	return append(b, '\n'), err
}

// entry reads a line back, and checks all of it but the leaf.
func (a *archived) entry() (e signalbox.Entry, err error) {
	if len(a.Leaf) != tlog.HashSize || len(a.Digest) != 0 && len(a.Digest) != tlog.HashSize {
		return e, fmt.Errorf("a hash does not have %d bytes", tlog.HashSize)
	}
	e = signalbox.Entry{
		Index: a.Index, Time: a.Time.UTC(), Type: a.Type, Tenant: a.Tenant, Call: a.Call, Content: a.Content, Leaf: [32]byte(a.Leaf),
	}
	if len(a.Digest) != 0 {
		if a.Content != nil {
			return e, fmt.Errorf("it has a content and a digest")
		}
		e.Digest = [32]byte(a.Digest)
	}
	return e, nil
}

// treeOf is the tree to the left of the range.
func (m *Manifest) treeOf() (Tree, error) {
	t := Tree{size: m.First}
	for level := 0; level < len(m.Edge); level++ {
		hashes := make([]tlog.Hash, len(m.Edge[level]))
		for i, h := range m.Edge[level] {
			if len(h) != tlog.HashSize {
				return Tree{}, fmt.Errorf("a hash of its edge does not have %d bytes", tlog.HashSize)
			}
			hashes[i] = tlog.Hash(h)
		}
		t.edge = append(t.edge, hashes)
	}
	for level := 0; level < len(t.edge) || m.First>>(TileHeight*level) > 0; level++ {
		if level >= len(t.edge) || int64(len(t.edge[level])) != m.First>>(TileHeight*level)%TileWidth {
			return Tree{}, fmt.Errorf("its edge is not that of a tree with %d records", m.First)
		}
	}
	return t, nil
}

func edgeOf(t Tree) [][][]byte {
	edge := make([][][]byte, len(t.edge))
	for level, hashes := range t.edge {
		edge[level] = [][]byte{}
		for _, h := range hashes {
			edge[level] = append(edge[level], h[:])
		}
	}
	return edge
}

func badArchive(where, format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The archive %s can not be used: %s.", where, fmt.Sprintf(format, args...)).
		WithField("archive").WithRemedy("Take another copy of the archive; nothing was changed.")
}
