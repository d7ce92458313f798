package mcp

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// FuzzParseRequest holds what is accepted against a second look: it is one object, and the arguments are in it byte for
// byte.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1}}}`,
		`{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","_meta":{"traceparent":"00-x"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`[{"jsonrpc":"2.0"}]`, `{"jsonrpc":"2.0","id":1,"result":{}}`, `{}`, ``, `{"jsonrpc":"2.0","id":1,"method":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseRequest(body)
		if err != nil {
			if err.Message == "" || err.Remedy == "" || err.Field == "" {
				t.Errorf("got %+v", err)
			}
			return
		}
		if json.Check(body, json.Limits{}) != nil {
			t.Error("a body with two readings was accepted")
		}
		if r.method != methodCallTool {
			return
		}
		if r.name == "" || r.id == nil {
			t.Errorf("got %+v", r)
		}
		if string(r.arguments) != "{}" && !bytes.Contains(body, r.arguments) {
			t.Errorf("arguments %s are not those of the body", r.arguments)
		}
	})
}

// FuzzNextEvent reads streams to their end: it must end, and give no empty event.
func FuzzNextEvent(f *testing.F) {
	for _, s := range []string{"data: a\n\n", "data:a\ndata:b\r\n\r\n", ": c\n\ndata\n\n", "event: x\nid: 1\n\n", "data: cut", "\n\n\n", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(stream), 16)
		for total := 0; ; {
			data, err := nextEvent(r)
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
			got, err := nextEvent(bufio.NewReader(strings.NewReader(c.stream)))
			if c.err == "" && (err != nil || string(got) != c.want) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

func TestStandardErrorIsLoggedWithinItsBounds(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		io.WriteString(w, "first\r\n"+strings.Repeat("x", 10*MaxStderrLine)+"\n"+strings.Repeat("more\n", 10*MaxStderrLines)+"last without an end")
		w.Close()
	}()
	var out bytes.Buffer
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	logLines(r, slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != MaxStderrLines || !strings.Contains(lines[0], "text=first") {
		t.Errorf("got %d lines, the first is %s", len(lines), lines[0])
	}
	for _, line := range lines {
		if len(line) > MaxStderrLine+200 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}
