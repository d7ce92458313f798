package audit

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
)

// scan reads back what [text] has written: members in their order and texts without escapes, at less than half the cost of a
// reader of any JSON. Every outcome is read once, by the projections. At anything else it gives up, and the caller takes
// the other reader. All texts of a record share one piece of memory.
type scan struct {
	s     string // What is not read yet.
	first bool   // The next member is the first of its object.
	odd   bool   // It has given up.
	spare *spare // Nil but where nobody wants the record.
}

// scanRecord reads a record; false where that has to be left to another reader.
func scanRecord(content []byte, r *signalbox.Record) bool {
	s := scan{s: string(content)}
	s.record(r)
	return !s.odd && s.s == ""
}

// literal reads exactly that text.
func (s *scan) literal(text string) {
	if !s.skip(text) {
		s.odd = true
	}
}

func (s *scan) skip(text string) bool {
	rest, ok := strings.CutPrefix(s.s, text)
	s.s = rest
	return ok
}

func (s *scan) open() {
	s.literal("{")
	s.first = true
}

func (s *scan) close() {
	s.literal("}")
	s.first = false
}

// member reports whether the member comes next, and reads its name.
func (s *scan) member(name string) bool {
	rest := s.s
	if !s.first {
		if rest == "" || rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
	// The first letter tells most names apart.
	if len(rest) < len(name)+3 || rest[1] != name[0] || rest[0] != '"' || rest[1:1+len(name)] != name || rest[1+len(name):3+len(name)] != `":` {
		return false
	}
	s.s, s.first = rest[len(name)+3:], false
	return true
}

// must reads the name of a member that is never left out.
func (s *scan) must(name string) {
	if !s.member(name) {
		s.odd = true
	}
}

// object reports whether an object comes next under that name, and opens it.
func (s *scan) object(name string) bool {
	if !s.member(name) {
		return false
	}
	s.open()
	return true
}

func (s *scan) quoted() string {
	s.literal(`"`)
	end := strings.IndexByte(s.s, '"')
	if end < 0 {
		s.odd = true
		return ""
	}
	text := s.s[:end]
	s.s = s.s[end+1:]
	plain, ascii := plainBytes(text)
	s.odd = s.odd || !plain || !ascii && !utf8.ValidString(text)
	return text
}

// word reads a text that is never left out, and maybe one that may be.
func word[T ~string](s *scan, name string, into *T) {
	s.must(name)
	*into = T(s.quoted())
}

func maybe[T ~string](s *scan, name string, into *T) {
	if s.member(name) {
		*into = T(s.quoted())
	}
}

func (s *scan) number() int64 {
	end := 0
	for end < len(s.s) && (s.s[end] >= '0' && s.s[end] <= '9' || end == 0 && s.s[0] == '-') {
		end++
	}
	digits := strings.TrimPrefix(s.s[:end], "-")
	n, err := strconv.ParseInt(s.s[:end], 10, 64)
	s.odd = s.odd || err != nil || digits[0] == '0' && end > 1
	s.s = s.s[end:]
	return n
}

func (s *scan) integer(name string, into *int64) {
	s.must(name)
	*into = s.number()
}

func (s *scan) count(name string, into *int64) {
	if s.member(name) {
		*into = s.number()
	}
}

func (s *scan) small(n int64) int {
	s.odd = s.odd || int64(int(n)) != n
	return int(n)
}

func (s *scan) flag(name string, into *bool) {
	if s.member(name) {
		s.literal("true")
		*into = true
	}
}

// time reads a time in UTC as it is written, and no other form of it.
func (s *scan) time(name string, into *time.Time) {
	s.must(name)
	t, ok := parseTime(s.quoted())
	s.odd = s.odd || !ok
	*into = t
}

// strict64 has one spelling of each text of bytes.
var strict64 = base64.StdEncoding.Strict()

// bytes reads base64.
func (s *scan) bytes(name string, into *[]byte) {
	s.must(name)
	b, err := strict64.AppendDecode(s.spare.buffer(), []byte(s.quoted()))
	s.odd = s.odd || err != nil
	s.spare.keep(b)
	*into = b
}

func (s *scan) amount() signalbox.Money {
	m, err := signalbox.ParseMoney(s.quoted())
	s.odd = s.odd || err != nil
	return m
}

func (s *scan) money(name string, into *signalbox.Money) {
	s.must(name)
	*into = s.amount()
}

func (s *scan) price(name string, into **signalbox.Money) {
	if s.member(name) {
		m := s.spare.money()
		*m = s.amount()
		*into = m
	}
}

// list reads an array of objects under that name, with room for some at first.
func list[T any](s *scan, name string, room int, into *[]T, element func(*T)) {
	if !s.member(name) {
		return
	}
	s.literal("[")
	if cap(*into) == 0 { // Otherwise it is a spare one.
		*into = make([]T, 0, room)
	}
	for !s.odd && !s.skip("]") {
		if len(*into) > 0 {
			s.literal(",")
		}
		*into = append(*into, *new(T))
		s.open()
		element(&(*into)[len(*into)-1])
		s.close()
	}
	s.first = false
}
