package upstream

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// holding holds one tool.
type holding string

func (holding) Seen(_ context.Context, _ string, entries []json.Value) ([][32]byte, error) {
	return make([][32]byte, len(entries)), nil
}

func (h holding) Refused(_, tool string, _ [32]byte) error {
	if tool == string(h) {
		return errors.New("held")
	}
	return nil
}

// What may be told of tools: of one that is held nothing that its server says.
func TestOffers(t *testing.T) {
	s, err := New(Options{
		Servers: []Config{{ID: "files", URL: upstreamtest.OverHTTP(t, true), ToolPrices: map[string]signalbox.Money{"echo": 5}}},
		Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now, Pins: holding("fail"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	offers, err := s.Offers(t.Context(), "files")
	if err != nil || len(offers) < 5 {
		t.Fatalf("got %v, %v", offers, err)
	}
	for _, o := range offers {
		if (o.Price != nil) != (o.Name == "echo") || o.Held != (o.Name == "fail") {
			t.Errorf("got %+v", o)
		}
		if said := "Test tool " + o.Name; o.Name != "wipe" && (o.Description == said) == o.Held {
			t.Errorf("got %+v", o)
		}
	}
	if last := offers[len(offers)-1]; last.Name != "wipe" || last.Annotations == nil {
		t.Errorf("got %+v", last)
	}
}
