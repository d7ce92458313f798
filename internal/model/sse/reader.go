package sse

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// Sizes of the reader's buffer. It grows to MaxEventBytes for events that need it.
const (
	startBuffer = 8 << 10
	minRead     = 2 << 10
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// Reader reads the events of one stream. It belongs to one goroutine.
type Reader struct {
	src   io.Reader
	store []byte // The whole buffer.
	buf   []byte // The part of store that holds bytes not yet handed out.
	// The state of the search for the end of the block at the start of buf.
	scan int  // Bytes that have been looked at.
	line int  // Where the current line starts.
	body int  // Where the block's own lines start, behind a byte order mark or the LF of the block before.
	half bool // A CR came last: an LF that follows is its other half.
	end  int  // The length of the block at the start of buf, where its end has been found; else 0.

	started bool
	err     error // The end of src, or the fault.
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src}
}

// Next returns the next event, with blocks that carry no data among them. At the end of the stream it returns
// [io.EOF] if the last block was complete and [io.ErrUnexpectedEOF] if not; an error of the source is returned as it
// is. Every call after an error returns the same error.
func (r *Reader) Next() (Event, error) {
	for {
		if r.Ready() {
			return r.take(r.end)
		}
		switch {
		case len(r.buf) > MaxEventBytes:
			r.buf, r.err = nil, ErrTooLarge
			return Event{}, r.err
		case r.err != nil:
			return r.finish()
		}
		r.fill()
	}
}

// Ready reports whether a whole event has arrived already, so that Next will not wait for the source.
func (r *Reader) Ready() bool {
	if r.end == 0 {
		r.end = r.search()
	}
	return r.end > 0
}

// search returns the length of the block at the start of buf, or 0 if its end has not arrived.
func (r *Reader) search() int {
	if !r.start() {
		return 0
	}
	for {
		r.skipHalf()
		i := lineEnd(r.buf[r.scan:])
		if i < 0 {
			r.scan = len(r.buf)
			return 0
		}
		i += r.scan
		empty := i == r.line
		r.scan = i + 1
		r.half = r.buf[i] == '\r'
		if empty {
			r.eatLF()
			return r.scan
		}
		r.line = r.scan
	}
}

// start steps over a byte order mark. It returns false while that can not be told.
func (r *Reader) start() bool {
	if r.started {
		return true
	}
	if len(r.buf) < len(byteOrderMark) && bytes.HasPrefix(byteOrderMark, r.buf) && r.err == nil {
		return false
	}
	r.started = true
	if bytes.HasPrefix(r.buf, byteOrderMark) {
		r.scan, r.line, r.body = len(byteOrderMark), len(byteOrderMark), len(byteOrderMark)
	}
	return true
}

// skipHalf steps over the LF of a CRLF whose CR was seen before. At the very start of buf it belongs to the line end
// of the event handed out last.
func (r *Reader) skipHalf() {
	if !r.half || r.scan >= len(r.buf) {
		return
	}
	r.half = false
	if r.buf[r.scan] == '\n' {
		if r.scan == r.body {
			r.body++
		}
		r.scan++
		r.line = r.scan
	}
}

// eatLF takes the LF of the last line end along if it is here already.
func (r *Reader) eatLF() {
	if r.half && r.scan < len(r.buf) {
		r.half = false
		if r.buf[r.scan] == '\n' {
			r.scan++
		}
	}
}

// take hands out the first n bytes of buf as an event.
func (r *Reader) take(n int) (Event, error) {
	r.end = 0
	if n > MaxEventBytes {
		r.buf, r.err = nil, ErrTooLarge
		return Event{}, r.err
	}
	e, err := parse(bytes.Clone(r.buf[:n]), r.body)
	if err != nil {
		r.buf, r.err = nil, err
		return Event{}, err
	}
	r.buf = r.buf[n:]
	r.scan, r.line, r.body = 0, 0, 0
	return e, nil
}

// finish says how the stream ended once src has no more.
func (r *Reader) finish() (Event, error) {
	rest := r.buf
	r.buf, r.scan, r.line = nil, 0, 0
	switch {
	case !errors.Is(r.err, io.EOF) || len(rest) == 0:
		return Event{}, r.err
	case len(rest) == r.body: // Only the other half of a line end, or a byte order mark.
		r.body = 0
		return Event{Raw: bytes.Clone(rest)}, nil
	}
	r.err = io.ErrUnexpectedEOF
	return Event{}, r.err
}

// fill reads more bytes and keeps the error of the source for later.
func (r *Reader) fill() {
	r.room()
	n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	r.err = err
}

// room makes space for minRead bytes behind buf.
func (r *Reader) room() {
	if cap(r.buf)-len(r.buf) >= minRead {
		return
	}
	if need := len(r.buf) + minRead; len(r.store) < 2*need {
		r.store = make([]byte, max(startBuffer, 2*need))
	}
	n := copy(r.store, r.buf)
	r.buf = r.store[:n]
}

// lineEnd returns the offset of the first CR or LF, or -1.
func lineEnd(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// parse reads the fields of a complete block whose lines start at body.
func parse(raw []byte, body int) (Event, error) {
	if bytes.IndexByte(raw, 0) >= 0 {
		return Event{}, ErrNUL
	}
	if !utf8.Valid(raw) {
		return Event{}, ErrInvalidUTF8
	}
	e := Event{Raw: raw}
	lines := 0
	for rest := raw[body:]; len(rest) > 0; {
		var line []byte
		line, rest, _ = cutLine(rest)
		name, value := field(line)
		switch name {
		case "event":
			e.Name = string(value)
		case "data":
			e.Data = joinData(e.Data, value, lines)
			lines++
		}
	}
	return e, nil
}

// joinData adds a data line. A single line stays a part of the raw bytes.
func joinData(data, line []byte, lines int) []byte {
	if lines == 0 {
		return line[:len(line):len(line)]
	}
	data = append(data[:len(data):len(data)], '\n')
	return append(data, line...)
}

// field splits a line at its colon; one space after the colon does not count. A comment has the empty name.
func field(line []byte) (name string, value []byte) {
	before, after, found := bytes.Cut(line, []byte(":"))
	if !found {
		return string(line), line[len(line):]
	}
	return string(before), bytes.TrimPrefix(after, []byte(" "))
}
