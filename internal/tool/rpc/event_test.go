package rpc

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzEvents reads streams to their end: it must end, and give no empty event.
func FuzzEvents(f *testing.F) {
	for _, s := range []string{"data: a\n\n", "data:a\ndata:b\r\n\r\n", ": c\n\ndata\n\n", "event: x\nid: 1\n\n", "data: cut", "\n\n\n", "\xef\xbb\xbfdata: a\r\rdata: b\r\n\n", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		events := NewEvents(iotest.OneByteReader(bytes.NewReader(stream)))
		for total := 0; ; {
			data, err := events.Next()
			if err != nil {
				return
			}
			if total += len(data); len(data) == 0 || total > len(stream) {
				t.Fatalf("got %q out of %q", data, stream)
			}
		}
	})
}

func TestEvents(t *testing.T) {
	cases := []struct{ name, stream, want, err string }{
		{"one line", "data: a\n\n", "a", ""},
		{"no space", "data:a\n\n", "a", ""},
		{"two lines", "data: a\ndata: b\n\n", "a\nb", ""},
		{"carriage returns", "data: a\r\n\r\n", "a", ""},
		{"what means nothing", ": hi\nevent: message\nid: 7\nretry: 5\ndata: a\n\n", "a", ""},
		{"carriage returns alone", "data: a\rdata: b\r\r", "a\nb", ""},
		{"line ends of all kinds", "event: message\rdata: a\r\ndata: b\n\r\n", "a\nb", ""},
		{"mark of byte order", "\xef\xbb\xbfdata: a\n\n", "a", ""},
		{"mark of byte order within", "data: \xef\xbb\xbfa\n\n", "\xef\xbb\xbfa", ""},
		{"comments and events for keeping alive", ": ping\n\n:\r\rid: 1\nretry: 500\ndata:\n\nevent: ping\ndata: 12:00\n\ndata: a\n\n", "a", ""},
		{"empty event before", "data:\n\ndata: a\n\n", "a", ""},
		{"end in an event", "data: a\n", "", "EOF"},
		{"end in a line", "data: a", "", "unexpected EOF"},
		{"endless line", "data: " + strings.Repeat("x", MaxMessage+10), "", "larger than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := NewEvents(strings.NewReader(c.stream)).Next()
			if c.err == "" && (err != nil || string(got) != c.want) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

// An event is there as soon as its last line end has begun: a server that then says nothing more has answered.
func TestAnEventDoesNotWaitForWhatFollows(t *testing.T) {
	for name, stream := range map[string]string{"CR": "data: a\r\r", "CRLF, half of it": "data: a\r\n\r", "LF": "data: a\n\n"} {
		t.Run(name, func(t *testing.T) {
			r, w := io.Pipe()
			defer w.Close()
			go io.WriteString(w, stream)
			if got, err := NewEvents(r).Next(); err != nil || string(got) != "a" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// Where the network cuts a stream means nothing, also within a letter.
func TestEventsInPieces(t *testing.T) {
	const stream = "data: 선로\r\ndata: 🚦\r\n\r\ndata: b\r\r"
	events := NewEvents(iotest.OneByteReader(strings.NewReader(stream)))
	for _, want := range []string{"선로\n🚦", "b"} {
		if got, err := events.Next(); err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, err := events.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v at the end", err)
	}
}
