package upstream

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

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
