package audit

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// text writes records as JSON, byte for byte as [json.Marshal] does, at a quarter of its cost: two records are written in
// every call. What it does not know how to write (broken text, times that are no UTC, details of admin records) it gives
// up, and the caller takes [json.Marshal].
type text struct {
	b   []byte
	odd bool // It has given up.
}

var texts = sync.Pool{New: func() any { return &text{b: make([]byte, 0, 4096)} }}

// maxKept bounds what a buffer may have grown to that is used again.
const maxKept = 64 << 10

// plainText gives the JSON of a record; false where that has to be left to [json.Marshal].
func plainText(r *signalbox.Record) ([]byte, bool) {
	w, _ := texts.Get().(*text)
	w.b, w.odd = w.b[:0], false
	w.record(r)
	out, ok := bytes.Clone(w.b), !w.odd
	if cap(w.b) <= maxKept {
		texts.Put(w)
	}
	return out, ok
}

// open begins an object, and close ends it.
func (w *text) open()  { w.b = append(w.b, '{') }
func (w *text) close() { w.b = append(w.b, '}') }

// name begins a member. Names have no character that is escaped.
func (w *text) name(name string) {
	w.next()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// next separates what follows from what stands before it in the same object or array.
func (w *text) next() {
	if c := w.b[len(w.b)-1]; c != '{' && c != '[' {
		w.b = append(w.b, ',')
	}
}

// quote writes a string. Most hold nothing that is escaped.
func (w *text) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			w.odd = w.odd || !utf8.ValidString(s)
			w.b = json.AppendQuote(w.b, s)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

// str writes a member; optional leaves it out where it is empty.
func (w *text) str(name, s string) {
	w.name(name)
	w.quote(s)
}

func (w *text) optional(name, s string) {
	if s != "" {
		w.str(name, s)
	}
}

func (w *text) integer(name string, n int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *text) count(name string, n int64) {
	if n != 0 {
		w.integer(name, n)
	}
}

func (w *text) pointed(name string, n *int64) {
	if n != nil {
		w.integer(name, *n)
	}
}

func (w *text) flag(name string, on bool) {
	if on {
		w.name(name)
		w.b = append(w.b, "true"...)
	}
}

func (w *text) time(name string, t time.Time) {
	if t.Location() != time.UTC || t.Year() < 0 || t.Year() > 9999 {
		w.odd = true
		return
	}
	w.name(name)
	w.b = append(w.b, '"')
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

// bytes writes them in base64.
func (w *text) bytes(name string, data []byte) {
	w.name(name)
	w.b = append(w.b, '"')
	w.b = base64.StdEncoding.AppendEncode(w.b, data)
	w.b = append(w.b, '"')
}

func (w *text) money(name string, m signalbox.Money) {
	w.name(name)
	w.b = append(w.b, '"')
	w.b, _ = m.AppendText(w.b) // It never fails.
	w.b = append(w.b, '"')
}

func (w *text) price(name string, m *signalbox.Money) {
	if m != nil {
		w.money(name, *m)
	}
}

func (w *text) usage(name string, u *signalbox.Usage) {
	if u == nil {
		return
	}
	w.name(name)
	w.open()
	w.integer("input", u.Input)
	w.integer("output", u.Output)
	w.count("cache_read", u.CacheRead)
	w.count("cache_write", u.CacheWrite)
	w.count("cache_write_1h", u.CacheWrite1h)
	w.count("reasoning", u.Reasoning)
	w.close()
}

func (w *text) rates(name string, r *signalbox.Rates) {
	if r == nil {
		return
	}
	w.name(name)
	w.open()
	w.money("input", r.Input)
	w.money("output", r.Output)
	w.price("cache_read", r.CacheRead)
	w.price("cache_write", r.CacheWrite)
	w.price("cache_write_1h", r.CacheWrite1h)
	if r.PerCall != 0 {
		w.money("per_call", r.PerCall)
	}
	w.close()
}
