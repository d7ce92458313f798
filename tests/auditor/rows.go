package auditor

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// row is a record as it is stored.
type row struct {
	seq, time          int64
	typ, tenant, call  string
	content, sum, leaf []byte
}

func readRows(db *sql.DB) ([]row, error) {
	rows, err := db.Query("SELECT seq, time, type, tenant, call, content, digest, leaf FROM audit_records ORDER BY seq")
	if err != nil {
		return nil, err
	}
	defer rows.Close() // rows.Err has what matters.
	var all []row
	for rows.Next() {
		var x row
		if err := rows.Scan(&x.seq, &x.time, &x.typ, &x.tenant, &x.call, &x.content, &x.sum, &x.leaf); err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, rows.Err()
}

type hash = [sha256.Size]byte

// checkRows recomputes each leaf, and gives those of the tree that the rows make: a missing record is a leaf of zeros.
func (r *Report) checkRows(rows []row) []hash {
	var leaves []hash
	for i := range rows {
		x := &rows[i]
		switch next := int64(len(leaves)); {
		case x.seq < next:
			r.found(x.seq, "the index is there twice")
			continue
		case x.seq-next > 1<<20:
			r.found(next, "everything from here to %d is missing", x.seq-1)
			return leaves
		default:
			for next < x.seq {
				r.found(next, "the record is missing")
				leaves = append(leaves, hash{})
				next++
			}
		}
		leaf := sha256.Sum256(append([]byte{0}, header(x)...))
		if !bytes.Equal(leaf[:], x.leaf) {
			r.found(x.seq, "its columns do not make its leaf")
		}
		if !utf8.ValidString(x.typ + x.tenant + x.call) {
			r.found(x.seq, "its columns are not UTF-8")
		}
		leaves = append(leaves, leaf)
		r.checkContent(x, rows)
	}
	return leaves
}

// header is what a leaf commits to: JSON in the canonical form of RFC 8785.
func header(x *row) []byte {
	sum := x.sum
	if x.content != nil {
		s := sha256.Sum256(x.content)
		sum = s[:]
	}
	at := time.UnixMicro(x.time).UTC().Format("2006-01-02T15:04:05.000000Z")
	return fmt.Appendf(nil, `{"call":%s,"content":"%s","index":%d,"tenant":%s,"time":"%s","type":%s,"v":1}`,
		quote(x.call), base64.StdEncoding.EncodeToString(sum), x.seq, quote(x.tenant), at, quote(x.typ))
}

// quote writes a JSON string with the escapes of RFC 8785, section 3.2.2.2.
func quote(s string) string {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch escaped, ok := short[c]; {
		case ok:
			b.WriteString(escaped)
		case c < ' ':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// content is what an auditor looks at in a record's content.
type content struct {
	Who struct {
		Tenant string `json:"tenant_id"`
	} `json:"who"`
	What struct {
		Action string            `json:"action"`
		Detail map[string]string `json:"detail"`
	} `json:"what"`
}

func (r *Report) checkContent(x *row, rows []row) {
	if x.content == nil {
		if len(x.sum) != sha256.Size {
			r.found(x.seq, "its content is gone, and so is its digest")
		} else if !evidence(x, rows) {
			r.found(x.seq, "its content is gone, and no record says why")
		}
		return
	}
	var c content
	if err := json.Unmarshal(x.content, &c); err != nil {
		r.found(x.seq, "its content is no record: %v", err)
	} else if c.Who.Tenant != x.tenant {
		r.found(x.seq, "its content is of another tenant than its column")
	}
	if x.sum != nil {
		r.found(x.seq, "it has a digest although its content is there")
	}
}

// evidence reports whether a later record tells of the destruction of this one's content.
func evidence(x *row, rows []row) bool {
	for i := range rows {
		var c content
		if rows[i].seq <= x.seq || rows[i].typ != "admin" || json.Unmarshal(rows[i].content, &c) != nil ||
			c.What.Action != "content_destroyed" || c.What.Detail["tenant"] != x.tenant {
			continue
		}
		from, _ := strconv.ParseInt(c.What.Detail["from"], 10, 64)
		to, _ := strconv.ParseInt(c.What.Detail["to"], 10, 64)
		if from <= x.seq && x.seq < to {
			return true
		}
	}
	return false
}

// checkCalls follows each call from its intent to its one outcome.
func (r *Report) checkCalls(rows []row) {
	const open, ended = 1, 2
	state := map[string]int{}
	for i := range rows {
		x := &rows[i]
		id := x.call
		switch {
		case x.typ == "admin" && id == "":
		case x.typ == "intent" && state[id] == 0:
			state[id] = open
		case x.typ == "attempt" && state[id] == open:
		case x.typ == "outcome" && state[id] != ended && id != "":
			state[id] = ended
		default:
			r.found(x.seq, "a record of type %q of call %q has no place here", x.typ, id)
		}
	}
}
