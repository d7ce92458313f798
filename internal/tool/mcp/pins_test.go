package mcp

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// testPins holds one tool, and takes no list while it fails.
type testPins struct {
	mu    sync.Mutex
	held  string
	fails error
	seen  int
	forms map[[32]byte]bool
}

func (p *testPins) Seen(_ context.Context, server string, entries []json.Value) ([][32]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	var forms [][32]byte
	for _, e := range entries {
		form := sha256.Sum256(e)
		p.forms[form] = true
		forms = append(forms, form)
	}
	if server != "files" {
		return nil, errors.New("another server")
	}
	return forms, p.fails
}

func (p *testPins) Refused(server, tool string, form [32]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.forms[form] || server != "files" {
		return errors.New("a form that was never seen")
	}
	if tool == p.held {
		return signalbox.Errorf(signalbox.CodeFrozen, "The tool has changed.").WithRemedy("Review it.")
	}
	return nil
}

func (p *testPins) set(held string, fails error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held, p.fails = held, fails
}

func pinned(t *testing.T) (s *upstream.Servers, pins *testPins) {
	t.Helper()
	pins = &testPins{forms: map[[32]byte]bool{}}
	s, err := upstream.New(upstream.Options{
		Servers: []upstream.Config{{ID: "files", URL: upstreamtest.OverHTTP(t, true)}}, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now, Pins: pins,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, pins
}

func TestHeldTool(t *testing.T) {
	s, pins := pinned(t)
	url, log := gateway(t, s, nil, FilterLists(narrowed, func(c signalbox.Caller, _, tool string, _ *signalbox.Annotations) (bool, string) {
		return c.Agent == "all" || tool != "wipe", "a rule"
	}, nil, nil))
	call := func(tool string) string {
		_, body := send(t, url+"files", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{}}}`)
		return string(body)
	}
	list := func(agent string) string {
		_, body := send(t, url+"files", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`, "X-Signalbox-Run", agent)
		return string(body)
	}
	if body := call("wipe"); !strings.Contains(body, "wiped") {
		t.Errorf("got %s", body)
	}
	if body := list("all"); !strings.Contains(body, `"wipe"`) || strings.Contains(body, MetaHeld) {
		t.Errorf("the list is %s", body)
	}
	pins.set("wipe", nil)
	if body := call("wipe"); !strings.Contains(body, `"frozen"`) || !strings.Contains(body, "The tool has changed. Review it.") {
		t.Errorf("got %s", body)
	}
	if body := call("echo"); !strings.Contains(body, `"content"`) {
		t.Errorf("another tool: %s", body)
	}
	if body := list("all"); strings.Contains(body, `"wipe"`) || !strings.Contains(body, `"`+MetaHeld+`":1`) || !strings.Contains(body, `"echo"`) {
		t.Errorf("the list is %s", body)
	}
	if body := list("some"); strings.Contains(body, MetaHeld) {
		t.Errorf("who may not see a tool hears that it is held: %s", body)
	}
	records := log.all()
	r := records[len(records)-3] // The two records of the call of echo are behind it.
	if len(records) != 5 || r.Outcome != signalbox.OutcomeDenied || r.Error.Code != signalbox.CodeFrozen || r.Stations.Attempt != signalbox.StatusNotRun {
		t.Errorf("%d records, of the held tool %+v", len(records), r)
	}
	if r.Stations.Resolve != signalbox.StatusPassed || r.What.ToolName != "files.wipe" {
		t.Errorf("the call of a held tool counts under none: %+v of %q", r.Stations, r.What.ToolName)
	}
	if pins.seen != 1 {
		t.Errorf("the pins were shown %d lists", pins.seen)
	}
}

// A list that the pins could not take is not used, and asked for again.
func TestListThatCanNotBePinned(t *testing.T) {
	s, pins := pinned(t)
	u, err := s.Find("files")
	if err != nil {
		t.Fatal(err)
	}
	pins.set("", signalbox.Errorf(signalbox.CodeUnavailable, "The log is full.").WithRemedy("Retry."))
	for range 2 {
		_, err := u.Tools(t.Context())
		upstreamtest.WantCode(t, err, signalbox.CodeUnavailable)
	}
	pins.set("", nil)
	if _, err := u.Tools(t.Context()); err != nil || pins.seen != 3 {
		t.Errorf("after %d lists: %v", pins.seen, err)
	}
}
