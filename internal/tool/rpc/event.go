package rpc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxMessage is how many bytes a JSON-RPC message of an upstream may have.
const MaxMessage = 16 << 20

// mark is what some put before a text in UTF-8.
var mark = []byte("\xef\xbb\xbf")

// Events reads a stream of events. It belongs to one goroutine.
type Events struct {
	r       *bufio.Reader
	started bool // A mark of byte order can not come any more.
	half    bool // A CR came last: an LF that follows is its other half.
}

// NewEvents reads the events of a stream.
func NewEvents(r io.Reader) *Events { return &Events{r: bufio.NewReaderSize(r, 16<<10)} }

// Next gives the data of the next message: of the next event that has data and no name, or is called "message". Events of
// other names, ids, times to wait and comments mean nothing to us. An event that the end cuts off is none.
func (e *Events) Next() ([]byte, error) {
	var data []byte
	seen, foreign := false, false
	for {
		line, err := e.line(MaxMessage - len(data))
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			if len(data) > 0 && !foreign {
				return data, nil
			}
			data, seen, foreign = nil, false, false
			continue
		}
		if name, ok := field(line, "event"); ok {
			foreign = len(name) > 0 && string(name) != "message"
		}
		value, ok := field(line, "data")
		if !ok {
			continue
		}
		if seen {
			data = append(data, '\n')
		}
		data, seen = append(data, value...), true
	}
}

// field gives the value of a line that is a field of that name.
func field(line []byte, name string) (value []byte, ok bool) {
	value, ok = bytes.CutPrefix(line, []byte(name+":"))
	return bytes.TrimPrefix(value, []byte(" ")), ok
}

// line reads a line of at most the given length. It ends with CR, LF, or both, and is given as soon as the first of them is
// there: what follows may take its time.
func (e *Events) line(limit int) ([]byte, error) {
	var line []byte
	for {
		if _, err := e.r.Peek(1); err != nil {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		piece, _ := e.r.Peek(e.r.Buffered()) // It is there.
		if e.half && piece[0] == '\n' {
			e.half = false
			_, _ = e.r.Discard(1) // As above.
			continue
		}
		e.half = false
		end := lineEnd(piece)
		if end >= 0 {
			e.half = piece[end] == '\r'
			piece = piece[:end]
		}
		if len(line)+len(piece) > limit {
			return nil, errLarge()
		}
		line = append(line, piece...)
		_, _ = e.r.Discard(len(piece)) // As above.
		if end >= 0 {
			_, _ = e.r.Discard(1) // As above.
			return e.unmarked(line), nil
		}
	}
}

// unmarked takes the mark off the first line.
func (e *Events) unmarked(line []byte) []byte {
	if e.started {
		return line
	}
	e.started = true
	return bytes.TrimPrefix(line, mark)
}

func errLarge() error { return fmt.Errorf("a message is larger than %d bytes", MaxMessage) }

// ReadLine reads a line without its end, of at most the given length.
func ReadLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		if len(line)+len(piece) > limit+2 {
			return nil, errLarge()
		}
		line = append(line, piece...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// lineEnd gives where the first CR or LF is, or -1.
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
