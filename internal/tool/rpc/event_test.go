package rpc

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// FuzzNextEvent reads streams to their end: it must end, and give no empty event.
func FuzzNextEvent(f *testing.F) {
	for _, s := range []string{"data: a\n\n", "data:a\ndata:b\r\n\r\n", ": c\n\ndata\n\n", "event: x\nid: 1\n\n", "data: cut", "\n\n\n", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(stream), 16)
		for total := 0; ; {
			data, err := NextEvent(r)
			if err != nil {
				return
			}
			if total += len(data); len(data) == 0 || total > len(stream) {
				t.Fatalf("got %q out of %q", data, stream)
			}
		}
	})
}

func TestNextEvent(t *testing.T) {
	cases := []struct{ name, stream, want, err string }{
		{"one line", "data: a\n\n", "a", ""},
		{"no space", "data:a\n\n", "a", ""},
		{"two lines", "data: a\ndata: b\n\n", "a\nb", ""},
		{"carriage returns", "data: a\r\n\r\n", "a", ""},
		{"what means nothing", ": hi\nevent: message\nid: 7\nretry: 5\ndata: a\n\n", "a", ""},
		{"empty event before", "data:\n\ndata: a\n\n", "a", ""},
		{"end in an event", "data: a\n", "", "EOF"},
		{"end in a line", "data: a", "", "unexpected EOF"},
		{"endless line", "data: " + strings.Repeat("x", MaxMessage+10), "", "larger than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := NextEvent(bufio.NewReader(strings.NewReader(c.stream)))
			if c.err == "" && (err != nil || string(got) != c.want) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}
