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
	guest Guest
	key   func() (Key, error)
}

// Guest is for whom a token stood, without the token. A call of his that people have agreed to can be made with it when he
// is not there any more.
type Guest struct {
	Provider string `json:"provider"` // The id of the identity provider in the configuration.
	Client   string `json:"client"`   // The OAuth client that the token was made for.
	Person   Person `json:"person"`   // As the claims said; issuer and subject only, where the client works by itself.
}

// NewBearer makes a bearer of a token that was verified; "" is that of a guest whose token is gone. Key says for whom it
// stands, as of now; it is safe for concurrent use and fast, because every call asks it again.
func NewBearer(token string, guest Guest, key func() (Key, error)) *Bearer {
	return &Bearer{&token, guest, key}
}

// Guest gives for whom the token stood when it was presented.
func (b *Bearer) Guest() Guest { return b.guest }

// Key gives for whom the token stands, in the shape of an API key, or why it stands for nobody any more: it has expired, or
// the configuration has no place for it. Errors are of code unauthenticated or forbidden.
func (b *Bearer) Key() (Key, error) { return b.key() }

// Reveal gives the token, "" where it is gone. It must never be sent to whom the call is sent.
func (b *Bearer) Reveal() string { return *b.token }

// String never gives the token.
func (b *Bearer) String() string { return "[token]" }

// Format prints the same for every verb and flag.
func (b *Bearer) Format(f fmt.State, _ rune) { fmt.Fprint(f, b.String()) }

// MarshalText covers JSON, YAML and everything else that encodes text.
func (b *Bearer) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// LogValue covers slog.
func (b *Bearer) LogValue() slog.Value { return slog.StringValue(b.String()) }
