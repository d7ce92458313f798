package upstream

import (
	"log/slog"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

func TestMain(m *testing.M) { upstreamtest.Main(m) }

func child(id, role string, env ...string) Config {
	command, own := upstreamtest.Child(role, env...)
	return Config{ID: id, Command: command, Env: own}
}

func newServers(t *testing.T, list ...Config) *Servers {
	t.Helper()
	s, err := New(Options{Servers: list, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
