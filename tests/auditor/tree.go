package auditor

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
)

const width = 256 // Hashes in a tile.

// node is the hash of an inner node of RFC 6962.
func node(left, right hash) hash {
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// root is the tree head of RFC 6962, by its definition.
func root(leaves []hash) hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		return node(root(leaves[:k]), root(leaves[k:]))
	}
}

// checkTiles compares every stored tile with the one that the leaves make. Tiles that are not full are not stored.
func (r *Report) checkTiles(db *sql.DB, leaves []hash) error {
	stored, err := readTiles(db)
	if err != nil {
		return err
	}
	level := leaves
	for l, under := 0, int64(1); len(level) >= width; l, under = l+1, under*width {
		var next []hash
		for n := 0; n+width <= len(level); n += width {
			at := tile{l, int64(n / width)}
			r.checkTile(stored[at], level[n:n+width], int64(n)*under, under)
			delete(stored, at)
			next = append(next, root(level[n:n+width]))
		}
		level = next
	}
	for at := range stored {
		r.found(-1, "tile %d of level %d is of a larger log", at.n, at.level)
	}
	return nil
}

func (r *Report) checkTile(got []byte, want []hash, first, under int64) {
	if len(got) != width*sha256.Size {
		r.found(first, "the tile that begins with this record is missing or has another size")
		return
	}
	for i := range want {
		if !bytes.Equal(got[i*sha256.Size:][:sha256.Size], want[i][:]) {
			r.found(first+int64(i)*under, "the tile over this record has another hash")
		}
	}
}

type tile struct {
	level int
	n     int64
}

func readTiles(db *sql.DB) (map[tile][]byte, error) {
	rows, err := db.Query("SELECT level, n, hashes FROM audit_tiles")
	if err != nil {
		return nil, err
	}
	defer rows.Close() // rows.Err has what matters.
	all := map[tile][]byte{}
	for rows.Next() {
		var at tile
		var hashes []byte
		if err := rows.Scan(&at.level, &at.n, &hashes); err != nil {
			return nil, err
		}
		all[at] = hashes
	}
	return all, rows.Err()
}
