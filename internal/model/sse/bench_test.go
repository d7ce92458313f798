package sse_test

import (
	"io"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/model/sse"
)

// repeated gives the same bytes again and again.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// BenchmarkNext is the cost of finding one event of 170 bytes and checking its text.
func BenchmarkNext(b *testing.B) {
	var src io.Reader = &repeated{text: "data: " + strings.Repeat("x", 162) + "\n\n"}
	r := sse.NewReader(src)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
