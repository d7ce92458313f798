package guard

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// secretive logs itself as an address.
type secretive struct{}

func (secretive) LogValue() slog.Value { return slog.StringValue("alice@example.com") }

func TestHandlerMasksWhatIsLogged(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(NewHandler(slog.NewTextHandler(&b, &slog.HandlerOptions{
		Level: slog.LevelInfo,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	log = log.With("user", "bob@example.com").WithGroup("call")
	log.Info("mail from alice@example.com", "text", "call 010-1234-5678", "n", 4111111111111111, "took", time.Second,
		"err", errors.New("dial postgres://u:p@db"), "api_key", "short", "headers", map[string]string{"x": "a@example.com"},
		slog.Group("deep", "mail", "c@example.com"), "lazy", secretive{}, "none", nil, "authorization", 7)
	want := `level=INFO msg="mail from [email]" user=[email] call.text="call [phone]" call.n=4111111111111111 call.took=1s ` +
		`call.err="dial postgres://[secret]@db" call.api_key=[secret] call.headers=map[x:[email]] call.deep.mail=[email] ` +
		`call.lazy=[email] call.none=<nil> call.authorization=[secret]` + "\n"
	if got := b.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestHandlerKeepsTheLevel(t *testing.T) {
	h := NewHandler(slog.NewTextHandler(&strings.Builder{}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if h.Enabled(context.Background(), slog.LevelInfo) || !h.Enabled(context.Background(), slog.LevelWarn) {
		t.Error("the level of the next handler is not asked for")
	}
}
