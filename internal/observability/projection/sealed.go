package projection

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// sealedMark begins the sealed part of an encoded record. Within texts its quotes are escaped, so that it is nowhere else.
var sealedMark = []byte(`"sealed":{"key":"`)

// SealingKey gives the id of the key that seals an encoded record, "" where nothing is sealed. It does not decode the
// record: whoever looks for the records of few keys among many need not open the others.
func SealingKey(content []byte) string {
	at := bytes.LastIndex(content, sealedMark)
	if at < 0 {
		return ""
	}
	rest := content[at+len(sealedMark):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return ""
	}
	return string(rest[:end])
}

// sealedBlocks adds to blocks which keys seal the entries, and gives them in order, each once.
func sealedBlocks(entries []signalbox.Entry, blocks []signalbox.SealedBlock) []signalbox.SealedBlock {
	last := signalbox.SealedBlock{}
	for i := range entries {
		b := signalbox.SealedBlock{Key: SealingKey(entries[i].Content), Block: entries[i].Index / signalbox.SealedBlockSize}
		if b.Key != "" && b != last {
			blocks, last = append(blocks, b), b
		}
	}
	slices.SortFunc(blocks, func(a, b signalbox.SealedBlock) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.Block, b.Block))
	})
	return slices.Compact(blocks)
}

// appendSealed notes a call's row by its place too, which is that of its intent: the row can be sealed by the key of the
// outcome, and is found by this when that key is destroyed.
func appendSealed(blocks []signalbox.SealedBlock, c *callState) []signalbox.SealedBlock {
	if !c.changed || c.view.SealedBy == "" {
		return blocks
	}
	return append(blocks, signalbox.SealedBlock{Key: c.view.SealedBy, Block: c.view.First() / signalbox.SealedBlockSize})
}
