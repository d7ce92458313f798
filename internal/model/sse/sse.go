// Package sse reads and writes server-sent events as the model APIs use them.
//
// # Format
//
// A stream is UTF-8 text of blocks, each ended by an empty line. The lines of a block are fields ("event: name",
// "data: text") or comments (": text"); lines end with LF, CR or CRLF, mixed at will; one byte order mark may come
// first. The data of a block is its data lines joined with LF.
//
// # Invariants
//
//   - Joining the Raw bytes of all events gives the input, byte for byte. What nobody edits is passed on as it came.
//   - A block that is not ended by an empty line is no event: a stream that stops there is broken, and the reader
//     says [io.ErrUnexpectedEOF], never [io.EOF].
//   - A block larger than [MaxEventBytes], NUL bytes and invalid UTF-8 are errors; memory stays bounded.
//   - An event is handed out as soon as its last byte has arrived, without waiting for what follows.
package sse

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// MaxEventBytes bounds one event with its field names and line ends. Images come back as base64 in one event, which
// makes a few mebibytes; nothing sane is larger.
const MaxEventBytes = 4 << 20

// The faults of a stream beside [io.ErrUnexpectedEOF]. After one of them the reader is done.
var (
	ErrTooLarge    = fmt.Errorf("sse: an event is larger than %d bytes", MaxEventBytes)
	ErrInvalidUTF8 = errors.New("sse: an event is not valid UTF-8")
	ErrNUL         = errors.New("sse: an event contains a NUL byte")
)

// Event is one block. It owns its bytes.
type Event struct {
	// Name is the value of the last event field, "" where there is none.
	Name string
	// Data is the data lines joined with LF. Nil means that the block has no data line: a comment, a heartbeat, an
	// empty line. An empty data line gives an empty slice.
	Data []byte
	// Raw is the block as it came, with comments, unknown fields and the empty line that ends it.
	Raw []byte
}

// Append writes an event with the name (none if empty) and the data, which may have several lines, to dst.
func Append(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, oneLine(name)...)
		dst = append(dst, '\n')
	}
	for {
		line, rest, more := cutLine(data)
		dst = append(dst, "data: "...)
		dst = append(dst, line...)
		dst = append(dst, '\n')
		if !more {
			return append(dst, '\n')
		}
		data = rest
	}
}

// AppendComment writes a block that readers ignore, which keeps a connection from looking idle.
func AppendComment(dst []byte, text string) []byte {
	dst = append(dst, ": "...)
	dst = append(dst, oneLine(text)...)
	return append(dst, '\n', '\n')
}

// oneLine replaces what would end the line.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}

// cutLine splits data at its first line end. More is false where there is none.
func cutLine(data []byte) (line, rest []byte, more bool) {
	i := bytes.IndexByte(data, '\n')
	if r := bytes.IndexByte(data[:max(i, 0)], '\r'); r >= 0 {
		i = r
	} else if i < 0 {
		i = bytes.IndexByte(data, '\r')
	}
	if i < 0 {
		return data, nil, false
	}
	end := i + 1
	if data[i] == '\r' && end < len(data) && data[end] == '\n' {
		end++
	}
	return data[:i], data[end:], true
}
