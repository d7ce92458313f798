package signalbox

import (
	"fmt"
	"log/slog"
)

// Bearer is the token of an identity provider that a call came with in place of an API key. Printed in any way it is
// "[token]": the token itself goes to nobody but the token endpoint that exchanges it for another one.
type Bearer struct {
	// The token lies behind a pointer because fmt does not call methods on unexported fields.
	token *string
	key   func() (Key, error)
}

// NewBearer makes a bearer of a token that was verified. Key says for whom it stands, as of now; it is safe for concurrent
// use and fast, because every call asks it again.
func NewBearer(token string, key func() (Key, error)) *Bearer { return &Bearer{&token, key} }

// Key gives for whom the token stands, in the shape of an API key, or why it stands for nobody any more: it has expired, or
// the configuration has no place for it. Errors are of code unauthenticated or forbidden.
func (b *Bearer) Key() (Key, error) { return b.key() }

// Reveal gives the token. It must never be sent to whom the call is sent.
func (b *Bearer) Reveal() string { return *b.token }

// String never gives the token.
func (b *Bearer) String() string { return "[token]" }

// Format prints the same for every verb and flag.
func (b *Bearer) Format(f fmt.State, _ rune) { fmt.Fprint(f, b.String()) }

// MarshalText covers JSON, YAML and everything else that encodes text.
func (b *Bearer) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// LogValue covers slog.
func (b *Bearer) LogValue() slog.Value { return slog.StringValue(b.String()) }
