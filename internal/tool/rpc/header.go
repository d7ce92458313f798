package rpc

import (
	"encoding/base64"
	"strings"
)

// EncodeName writes a name as the protocol wants it in a header.
func EncodeName(name string) string {
	plain := !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
	if plain && strings.TrimSpace(name) == name && !strings.HasPrefix(name, "=?base64?") {
		return name
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(name)) + "?="
}

// DecodeName reads a header that may hold any text.
func DecodeName(value string) (string, bool) {
	encoded, ok := strings.CutPrefix(value, "=?base64?")
	if !ok {
		return value, value != ""
	}
	encoded, ok = strings.CutSuffix(encoded, "?=")
	data, err := base64.StdEncoding.DecodeString(encoded)
	return string(data), ok && err == nil
}
