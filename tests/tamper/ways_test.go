package tamper

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
)

// hands has the database in his: he can write whatever he likes, and knows how Signalbox hashes. He has no key.
type hands struct {
	t    *testing.T
	db   *sql.DB
	size int64
}

// open copies the file and takes away what keeps it append-only.
func open(t *testing.T, from, to string) *hands {
	t.Helper()
	replace(t, from, to)
	db, err := sql.Open("sqlite", "file:"+to)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	h := &hands{t: t, db: db}
	h.exec("PRAGMA journal_mode = DELETE")
	h.exec("PRAGMA synchronous = OFF")
	for _, name := range h.triggers() {
		h.exec("DROP TRIGGER " + name)
	}
	return h
}

func (h *hands) triggers() (names []string) {
	h.t.Helper()
	rows, err := h.db.Query("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		h.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			h.t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		h.t.Fatal(err)
	}
	return names
}

func (h *hands) exec(text string, args ...any) {
	h.t.Helper()
	if _, err := h.db.Exec(text, args...); err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
}

func (h *hands) close(t *testing.T) {
	t.Helper()
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// entry reads a record.
func (h *hands) entry(index int64) signalbox.Entry {
	h.t.Helper()
	var e signalbox.Entry
	var micros int64
	var leaf []byte
	row := h.db.QueryRow("SELECT seq, time, type, tenant, call, content, leaf FROM audit_records WHERE seq = ?", index)
	if err := row.Scan(&e.Index, &micros, &e.Type, &e.Tenant, &e.Call, &e.Content, &leaf); err != nil {
		h.t.Fatal(err)
	}
	e.Time, e.Leaf = time.UnixMicro(micros).UTC(), [32]byte(leaf)
	return e
}

// put writes a record with its true leaf hash.
func (h *hands) put(e signalbox.Entry) {
	h.t.Helper()
	leaf, err := audit.Leaf(e)
	if err != nil {
		h.t.Fatal(err)
	}
	h.exec("INSERT OR REPLACE INTO audit_records (seq, time, type, tenant, call, content, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)",
		e.Index, e.Time.UnixMicro(), string(e.Type), e.Tenant, e.Call, e.Content, leaf[:])
}

// aside is an index far behind the log, for records on the move.
const aside = 1_000_000

// move gives the records from an index on other indexes.
func (h *hands) move(from, by int64) {
	h.t.Helper()
	h.exec("UPDATE audit_records SET seq = seq + ? WHERE seq >= ?", aside, from)
	h.exec("UPDATE audit_records SET seq = seq - ? + ? WHERE seq >= ?", aside, by, aside)
}

// rehash makes all leaves and tiles anew, as somebody does who hopes that nobody has kept a checkpoint.
func (h *hands) rehash(from int64) {
	h.t.Helper()
	var leaves [][]byte
	for i := range h.size {
		e := h.entry(i)
		if i >= from {
			h.put(e)
		}
		leaf, err := audit.Leaf(e)
		if err != nil {
			h.t.Fatal(err)
		}
		leaves = append(leaves, leaf[:])
	}
	const width = 256
	for n := 0; (n+1)*width <= len(leaves); n++ {
		var tile []byte
		for _, leaf := range leaves[n*width : (n+1)*width] {
			tile = append(tile, leaf...)
		}
		h.exec("INSERT OR REPLACE INTO audit_tiles (level, n, hashes) VALUES (0, ?, ?)", n, tile)
	}
}

// way is one way to tamper. It gives the records of which one must be named; none where only the log as a whole can be.
type way struct {
	name string
	do   func(h *hands, r *rand.Rand) []int64
}

var ways = []way{
	{"flip a bit", flip},
	{"change a time", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		h.exec("UPDATE audit_records SET time = time + ? WHERE seq = ?", r.Int64N(1e9)+1, i)
		return []int64{i}
	}},
	{"delete a record", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		h.exec("DELETE FROM audit_records WHERE seq = ?", i)
		return []int64{i}
	}},
	{"delete a record and move the others up", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		h.exec("DELETE FROM audit_records WHERE seq = ?", i)
		h.move(i+1, -1)
		return []int64{i, h.size - 1} // The last one: everything behind it fits, and one is missing.
	}},
	{"insert a record", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		e := h.entry(i)
		h.move(i, 1)
		e.Call = "call_forged"
		h.put(e)
		return []int64{i, i + 1}
	}},
	{"append a forged record", func(h *hands, r *rand.Rand) []int64 {
		e := h.entry(r.Int64N(h.size))
		e.Index = h.size
		h.put(e)
		return nil
	}},
	{"swap two records", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size - 1)
		j := i + 1 + r.Int64N(h.size-i-1)
		h.exec("UPDATE audit_records SET seq = ? WHERE seq = ?", aside, i)
		h.exec("UPDATE audit_records SET seq = ? WHERE seq = ?", i, j)
		h.exec("UPDATE audit_records SET seq = ? WHERE seq = ?", j, aside)
		return []int64{i, j}
	}},
	{"truncate", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		h.exec("DELETE FROM audit_records WHERE seq >= ?", i)
		h.exec("DELETE FROM audit_tiles WHERE level = 0 AND (n + 1) * 256 > ?", i)
		if r.IntN(2) == 0 {
			h.exec("DELETE FROM audit_checkpoints")
		}
		return []int64{i}
	}},
	{"duplicate a record over another", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		j := (i + 1 + r.Int64N(h.size-1)) % h.size
		h.exec("DELETE FROM audit_records WHERE seq = ?", j)
		h.exec("INSERT INTO audit_records (seq, time, type, tenant, call, content, leaf) "+
			"SELECT ?, time, type, tenant, call, content, leaf FROM audit_records WHERE seq = ?", j, i)
		return []int64{j}
	}},
	{"replace a record and its leaf", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		e := h.entry(i)
		e.Content = forge(e.Content, r)
		h.put(e)
		if i < h.size/256*256 {
			return []int64{i} // The tile still has the hash.
		}
		return nil
	}},
	{"replace a record and hash everything anew", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		e := h.entry(i)
		e.Content = forge(e.Content, r)
		h.put(e)
		h.rehash(i)
		if r.IntN(2) == 0 {
			h.exec("DELETE FROM audit_checkpoints")
		}
		return nil
	}},
	{"destroy content without evidence", func(h *hands, r *rand.Rand) []int64 {
		i := r.Int64N(h.size)
		sum := sha256.Sum256(h.entry(i).Content)
		h.exec("UPDATE audit_records SET content = NULL, digest = ? WHERE seq = ?", sum[:], i)
		return []int64{i}
	}},
	{"change a tile", func(h *hands, r *rand.Rand) []int64 {
		tile := make([]byte, 256*32)
		if err := h.db.QueryRow("SELECT hashes FROM audit_tiles WHERE level = 0 AND n = 0").Scan(&tile); err != nil {
			h.t.Fatal(err)
		}
		at := r.IntN(len(tile))
		tile[at] ^= 1 << r.IntN(8)
		h.exec("UPDATE audit_tiles SET hashes = ? WHERE level = 0 AND n = 0", tile)
		return []int64{int64(at / 32)}
	}},
	{"change a checkpoint", func(h *hands, r *rand.Rand) []int64 {
		var n int64
		var note []byte
		if err := h.db.QueryRow("SELECT n, note FROM audit_checkpoints ORDER BY n DESC LIMIT 1").Scan(&n, &note); err != nil {
			h.t.Fatal(err)
		}
		note[r.IntN(len(note)-100)] ^= 1 // Its text; a changed signature is tried by the unit tests.
		h.exec("UPDATE audit_checkpoints SET note = ? WHERE n = ?", note, n)
		return nil
	}},
	{"restore an old copy", func(*hands, *rand.Rand) []int64 { return nil }},
}

// flip changes one bit of one column.
func flip(h *hands, r *rand.Rand) []int64 {
	i := r.Int64N(h.size)
	column := []string{"content", "leaf", "type", "tenant", "call"}[r.IntN(5)]
	var value []byte
	if err := h.db.QueryRow(fmt.Sprintf("SELECT %s FROM audit_records WHERE seq = ?", column), i).Scan(&value); err != nil {
		h.t.Fatal(err)
	}
	if len(value) == 0 { // Admin records name no call.
		value = []byte{0}
	}
	value[r.IntN(len(value))] ^= 1 << r.IntN(7)
	if column == "content" || column == "leaf" {
		h.exec(fmt.Sprintf("UPDATE audit_records SET %s = ? WHERE seq = ?", column), value, i)
	} else {
		h.exec(fmt.Sprintf("UPDATE audit_records SET %s = ? WHERE seq = ?", column), string(value), i)
	}
	return []int64{i}
}

// forge changes one digit or letter of a JSON text, so that it may still be one.
func forge(content []byte, r *rand.Rand) []byte {
	forged := append([]byte(nil), content...)
	for {
		at := r.IntN(len(forged))
		if c := forged[at]; c >= '0' && c < '9' || c >= 'a' && c < 'z' {
			forged[at]++
			return forged
		}
	}
}
