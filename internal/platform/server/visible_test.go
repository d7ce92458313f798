package server

import "testing"

func TestVisible(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain":                {"a b\n\tc: 1", "a b\n\tc: 1"},
		"invisible":            {"a\u200bb", "a⟨U+200B⟩b"},
		"turned around":        {"a\u202eb", "a⟨U+202E⟩b"},
		"another space":        {"a\u00a0b", "a⟨U+00A0⟩b"},
		"a letter in a word":   {"to p\u0430ypal.com", "to p\u0430⟨U+0430⟩ypal.com"},
		"a word of twins":      {"to \u0440\u0430", "to \u0440⟨U+0440⟩\u0430⟨U+0430⟩"},
		"a word of its own":    {"to \u043c\u0438\u0440", "to \u043c\u0438\u0440"},
		"no Latin at all":      {"\u0440\u0430", "\u0440\u0430"},
		"Korean beside Latin":  {"\ubcf4\uace0\uc11c.md", "\ubcf4\uace0\uc11c.md"},
		"nothing":              {"", ""},
		"bytes that are wrong": {"a\xffb", "a\ufffdb"},
	} {
		if got := visible(c.text); got != c.want {
			t.Errorf("%s: %q is shown as %q, want %q", name, c.text, got, c.want)
		}
	}
}
