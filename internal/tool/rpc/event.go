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

// NextEvent gives the data of the next event that has any. Event names, ids and comments mean nothing to us. An event
// that the end cuts off is none.
func NextEvent(r *bufio.Reader) ([]byte, error) {
	var data []byte
	seen := false
	for {
		line, err := ReadLine(r, MaxMessage-len(data))
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			if len(data) > 0 {
				return data, nil
			}
			seen = false
			continue
		}
		value, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue
		}
		if seen {
			data = append(data, '\n')
		}
		data, seen = append(data, bytes.TrimPrefix(value, []byte(" "))...), true
	}
}

// ReadLine reads a line without its end, of at most the given length.
func ReadLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		if len(line)+len(piece) > limit+2 {
			return nil, fmt.Errorf("a message is larger than %d bytes", MaxMessage)
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
