package signalbox_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// No way to print a call shows the token that it came with.
func TestBearerIsNotShown(t *testing.T) {
	const secret = "eyJhbGciOi.canary.canary"
	b := signalbox.NewBearer(secret, signalbox.Guest{Client: "editor"}, func() (signalbox.Key, error) { return signalbox.Key{ID: "person:corp:ann"}, nil })
	call := signalbox.Call{ID: "call_1", Bearer: b}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "bearer", b, "call", call)
	encoded, err := json.Marshal(map[string]any{"bearer": b})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(b), fmt.Sprintf("%+v %#v %q %d", *b, b, b, b), fmt.Sprintf("%+v %#v", call, call), log.String(), string(encoded),
	} {
		if strings.Contains(shown, "canary") {
			t.Errorf("it shows the token: %s", shown)
		}
	}
	if key, err := b.Key(); err != nil || key.ID != "person:corp:ann" || b.Reveal() != secret || b.Guest().Client != "editor" {
		t.Errorf("got %v, %v, %q", key, err, b.Reveal())
	}
}
