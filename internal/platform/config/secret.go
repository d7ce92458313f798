package config

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// What is printed instead of a secret.
const (
	hiddenSecret = "[secret]"
	noSecret     = "[none]"
)

// Secret is a value that must not be seen: an API key, a header, a variable of a child process. Printed in any way (fmt
// with any verb, slog, JSON, YAML) it is "[secret]", or "[none]" if there is none. [Secret.Reveal] gives the value.
//
// The value lies behind a pointer because fmt does not call methods on unexported fields: a structure that holds a
// Secret in such a field prints an address.
type Secret struct{ value *string }

// NewSecret wraps a value. An empty value is no secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal gives the value, "" if there is none. Hand it to what needs it; do not keep it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal compares in a time that does not depend on where the values differ.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// String never gives the value.
func (s Secret) String() string {
	if s.IsZero() {
		return noSecret
	}
	return hiddenSecret
}

// Format prints the same for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText covers JSON, YAML and everything else that encodes text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue covers slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
