package sse_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox/internal/model/sse"
)

// readAll reads a stream to its end and returns events and the error that ended it.
func readAll(r io.Reader) ([]sse.Event, error) {
	var all []sse.Event
	reader := sse.NewReader(r)
	for {
		e, err := reader.Next()
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
}

// texts writes the events with data as "name|data".
func texts(events []sse.Event) string {
	var list []string
	for _, e := range events {
		if e.Data != nil {
			list = append(list, e.Name+"|"+string(e.Data))
		}
	}
	return strings.Join(list, ";")
}

func raws(events []sse.Event) string {
	var b strings.Builder
	for _, e := range events {
		b.Write(e.Raw)
	}
	return b.String()
}

func TestReader(t *testing.T) {
	tests := []struct {
		name, in, want string
		err            error
	}{
		{"LF", "data: a\n\ndata: b\n\n", "|a;|b", io.EOF},
		{"CRLF", "event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", "x|a;|b", io.EOF},
		{"CR", "event: x\rdata: a\r\rdata: b\r\r", "x|a;|b", io.EOF},
		{"mixed", "data: a\r\n\ndata: b\r\r\ndata: c\n\r\n", "|a;|b;|c", io.EOF},
		{"byte order mark", "\xef\xbb\xbfdata: a\n\n", "|a", io.EOF},
		{"only a byte order mark", "\xef\xbb\xbf", "", io.EOF},
		{"half a byte order mark", "\xef\xbb", "", io.ErrUnexpectedEOF},
		{"comment and heartbeat", ": hi\n\n:\n\n\n\ndata: a\n\n", "|a", io.EOF},
		{"several lines", "data: a\ndata:\ndata: b\n\n", "|a\n\nb", io.EOF},
		{"no space, two spaces", "data:a\n\ndata:  b\n\n", "|a;| b", io.EOF},
		{"field without colon", "data\n\n", "|", io.EOF},
		{"unknown fields", "id: 7\nretry: 9\nfoo: bar\ndata: a\n\n", "|a", io.EOF},
		{"name without data", "event: x\n\n", "", io.EOF},
		{"last name wins", "event: x\nevent: y\ndata: a\n\n", "y|a", io.EOF},
		{"empty", "", "", io.EOF},
		{"end in mid line", "data: a\n\ndata: b", "|a", io.ErrUnexpectedEOF},
		{"end in mid event", "data: a\n\ndata: b\n", "|a", io.ErrUnexpectedEOF},
		{"end after a lone CR", "data: a\r", "", io.ErrUnexpectedEOF},
		{"NUL", "data: a\n\ndata: \x00\n\n", "|a", sse.ErrNUL},
		{"NUL in a comment", ": \x00\n\n", "", sse.ErrNUL},
		{"invalid UTF-8", "data: \xff\n\n", "", sse.ErrInvalidUTF8},
		{"cut UTF-8", "data: \xed\x95\n\n", "", sse.ErrInvalidUTF8},
		{"Korean", "data: 한국\n\n", "|한국", io.EOF},
	}
	for _, tt := range tests {
		for _, one := range []bool{false, true} {
			name := tt.name
			src := io.Reader(strings.NewReader(tt.in))
			if one {
				name, src = name+" byte by byte", iotest.OneByteReader(src)
			}
			t.Run(name, func(t *testing.T) {
				events, err := readAll(src)
				if got := texts(events); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if !errors.Is(err, tt.err) {
					t.Errorf("got error %v, want %v", err, tt.err)
				}
				if errors.Is(err, io.EOF) && raws(events) != tt.in {
					t.Errorf("raw bytes %q, want the input %q", raws(events), tt.in)
				}
			})
		}
	}
}

func TestReaderLimit(t *testing.T) {
	line := "data: " + strings.Repeat("x", sse.MaxEventBytes-len("data: \n\n"))
	tests := []struct {
		name string
		src  io.Reader
		n    int
		err  error
	}{
		{"at the limit", strings.NewReader(line + "\n\n"), 1, io.EOF},
		{"above the limit", strings.NewReader(line + "x\n\n"), 0, sse.ErrTooLarge},
		{"endless line", endless("x"), 0, sse.ErrTooLarge},
		{"endless event", endless("data: x\n"), 0, sse.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := readAll(tt.src)
			if len(events) != tt.n || !errors.Is(err, tt.err) {
				t.Errorf("got %d events, %v, want %d, %v", len(events), err, tt.n, tt.err)
			}
		})
	}
}

// endless repeats its text for ever.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

func TestReaderKeepsErrors(t *testing.T) {
	broken := errors.New("connection reset")
	r := sse.NewReader(io.MultiReader(strings.NewReader("data: a\n\ndata"), iotest.ErrReader(broken)))
	if e, err := r.Next(); err != nil || string(e.Data) != "a" {
		t.Fatalf("got %q, %v, want the event before the fault", e.Data, err)
	}
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	}
}

// TestReaderDoesNotWait sees each event as soon as its last byte is there, also when that is a CR.
func TestReaderDoesNotWait(t *testing.T) {
	for _, end := range []string{"\n", "\r", "\r\n"} {
		in, out := io.Pipe()
		r := sse.NewReader(in)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 3 {
				_, _ = io.WriteString(out, "data: a"+end+end) // The pipe fails only after the test did.
			}
			_ = out.Close()
		}()
		for i := range 3 {
			if e, err := r.Next(); err != nil || string(e.Data) != "a" {
				t.Fatalf("event %d with %q: got %q, %v", i, end, e.Data, err)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want EOF", err)
		}
		<-done
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z:한 \n]{0,20}`)
		var stream []byte
		var want []string
		for range rapid.IntRange(0, 5).Draw(t, "events") {
			if rapid.Bool().Draw(t, "comment") {
				stream = sse.AppendComment(stream, text.Draw(t, "text"))
			}
			name := rapid.SampledFrom([]string{"", "ping", "message_start"}).Draw(t, "name")
			data := text.Draw(t, "data")
			stream = sse.Append(stream, name, []byte(data))
			want = append(want, name+"|"+data)
		}
		end := rapid.SampledFrom([]string{"\n", "\r", "\r\n"}).Draw(t, "end")
		stream = bytes.ReplaceAll(stream, []byte("\n"), []byte(end))
		size := rapid.IntRange(1, 50).Draw(t, "chunk")
		events, err := readAll(&chunks{data: stream, size: size})
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if got := texts(events); got != strings.Join(want, ";") {
			t.Fatalf("got %q, want %q", got, want)
		}
		if raws(events) != string(stream) {
			t.Fatalf("raw bytes %q, want %q", raws(events), stream)
		}
	})
}

// chunks gives its data in pieces of one size.
type chunks struct {
	data []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

// FuzzReader reads the same bytes whole and byte by byte: both must see the same events and the same end, and the raw
// bytes must be the input.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"data: a\n\n", "\xef\xbb\xbf: c\r\n\r\nevent: x\rdata: y\r\r", "data\n\n\n\n", "\r\n", "data: \x00\n\n", "\xef\xbb",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, errWhole := readAll(bytes.NewReader(in))
		single, errSingle := readAll(iotest.OneByteReader(bytes.NewReader(in)))
		if texts(whole) != texts(single) || !errors.Is(errSingle, errWhole) {
			t.Fatalf("whole %q %v, byte by byte %q %v", texts(whole), errWhole, texts(single), errSingle)
		}
		for _, events := range [][]sse.Event{whole, single} {
			raw := raws(events)
			if !strings.HasPrefix(string(in), raw) || errors.Is(errWhole, io.EOF) && raw != string(in) {
				t.Fatalf("raw bytes %q of input %q", raw, in)
			}
		}
	})
}

func TestReadySaysWhetherAnEventHasArrived(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\n\r\n", "\r\r"} {
		event := "data: x" + end
		r := sse.NewReader(strings.NewReader(event + event + "data: y"))
		if r.Ready() {
			t.Errorf("%q: ready before anything was read", end)
		}
		for i, want := range []bool{true, false} {
			if _, err := r.Next(); err != nil {
				t.Fatalf("%q: event %d: %v", end, i, err)
			}
			if got := r.Ready(); got != want {
				t.Errorf("%q: ready after event %d: %v, want %v", end, i, got, want)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: the half event ends with %v", end, err)
		}
	}
}
