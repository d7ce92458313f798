package guard

import "strings"

// Shorter texts can have no secret in them.
const (
	minSecretName = 6  // "pwd=ab".
	minBareSecret = 20 // Of letters and digits alone: "AKIA" and 16 more.
)

// Secret reports whether a name has a secret in it: an API key, a token, a password behind its name, the user part of a
// URL. It is for names and ids, which are kept as they are or not at all: other than in free text, personal data is no
// reason to refuse one (a user's id may be an address), nor are words like "session:" or "key:" in front of a value, of
// which ids are made. It costs about a microsecond, and
// for most names much less.
func (*Masker) Secret(name string) bool {
	if len(name) < minSecretName || len(name) < minBareSecret && !strings.ContainsAny(name, "-_.+:= ") {
		return false
	}
	t := fold(name).text
	has := look(t)
	if (has.colon || has.equals) && (len(findURLUsers(nil, t)) > 0 || assignsSecret(t)) {
		return true
	}
	return has.joint && (len(findTokens(nil, t)) > 0 || len(findPEM(nil, t)) > 0) || len(findBareTokens(nil, t, &has)) > 0
}

// assignsSecret reports whether something is assigned to a name that only secrets have.
func assignsSecret(t string) bool {
	for i := 0; i < len(t); i++ {
		sign := strings.IndexAny(t[i:], ":=")
		if sign < 0 {
			return false
		}
		i += sign
		if _, strong := nameBefore(t, i); !strong {
			continue
		}
		if from, to := valueAfter(t, i+1); strongValue(t[from:to]) {
			return true
		}
	}
	return false
}
