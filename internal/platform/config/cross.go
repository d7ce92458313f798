package config

import (
	"net/textproto"
	"strconv"
)

// secretAt is a static key's secret and where it stands.
type secretAt struct {
	value Secret
	where place
}

func (r *reader) noteSecret(s Secret, where place) {
	if !s.IsZero() {
		r.secrets = append(r.secrets, secretAt{s, where})
	}
}

// crossCheck reports what concerns several sections.
func (r *reader) crossCheck() {
	for name, where := range r.names[aRoute] {
		if model, found := r.names[aModel][name]; found {
			r.problem(where, "a model has the same name, see line "+strconv.Itoa(model.line), "rename one: requests ask for both by name")
		}
	}
	seenAt := map[string]place{}
	for _, s := range r.secrets {
		if first, found := seenAt[s.value.Reveal()]; found {
			r.problem(s.where, "is the secret of another key, see line "+strconv.Itoa(first.line), "give each key its own")
			continue
		}
		seenAt[s.value.Reveal()] = s.where
	}
}

func canonicalHeader(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }
