// Package auditor checks a stored log as an outsider would who has read docs/audit.md and knows nothing else of Signalbox.
// It shares no code with the product: hashes, signatures, JSON and the tree are made here anew from the standard library,
// so that a mistake in the product's own verifier does not hide in its test.
//
// It reads an SQLite file, a public key, and perhaps a checkpoint that was kept elsewhere, and says which record does not
// fit. It is slow and simple, and holds the whole log in memory.
package auditor

import (
	"database/sql"
	"fmt"

	_ "modernc.org/sqlite" // Reads the file.
)

// Finding is one thing that does not fit; Index is -1 where it is not about one record.
type Finding struct {
	Index   int64
	Problem string
}

// Report is what was found. Unsigned counts the records behind the newest checkpoint, for which nothing vouches yet.
type Report struct {
	Records  int64
	Unsigned int64
	Findings []Finding
}

func (r *Report) found(index int64, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{index, fmt.Sprintf(format, args...)})
}

// Check reads the file. The error is about reading only.
func Check(file, publicKey string, saved []byte) (Report, error) {
	var r Report
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		return r, err
	}
	defer db.Close() // It was only read.
	rows, err := readRows(db)
	if err != nil {
		return r, err
	}
	key, err := parseKey(publicKey)
	if err != nil {
		return r, err
	}
	leaves := r.checkRows(rows)
	r.Records = int64(len(leaves))
	r.checkCalls(rows)
	if err := r.checkTiles(db, leaves); err != nil {
		return r, err
	}
	newest, err := newestCheckpoint(db)
	if err != nil {
		return r, err
	}
	r.Unsigned = r.Records
	if newest != nil {
		r.Unsigned -= r.checkpoint("newest stored", key, newest, leaves)
	}
	if saved != nil {
		r.checkpoint("saved", key, saved, leaves)
	}
	return r, nil
}
