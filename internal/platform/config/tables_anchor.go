package config

import (
	"encoding/base64"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// keySource reads where a signing key is: the path of a file, or a mapping that names a file or a variable.
type keySource struct{ into *KeySource }

func (v keySource) table() object {
	return object{fields: []field{
		key("file", "File with the key.", textInto(&v.into.File, singleLine)),
		key("env", "Variable of the environment with the key itself.", textInto(&v.into.Env, aVariable)),
	}, check: func(s seen) {
		switch {
		case s.has("file") && s.has("env"):
			s.problem("env", "stands beside file", "keep one of the two")
		case !s.has("file") && !s.has("env"):
			s.r.problem(s.self, "names no key", "give a file or an env")
		}
	}}
}

func (v keySource) read(r *reader, n ast.Node, field string) {
	if n.Type() == ast.MappingType {
		v.table().read(r, n, field)
		return
	}
	textInto(&v.into.File, singleLine).read(r, n, field)
}

func (v keySource) schema() *schemaNode {
	return &schemaNode{AnyOf: []*schemaNode{v.table().schema(), {Type: "string", MinLength: 1}}}
}

// aVariable is the name of an environment variable that holds a secret. What is no name is not shown: it may be the secret
// itself.
var aVariable = rule{pattern: variableName.String(), check: func(r *reader, text, _ string, where place) {
	if !variableName.MatchString(text) {
		r.problem(where, "is not the name of a variable", "write its name alone, without $")
	}
}}

func anchorTable(a *Anchor) value {
	return object{fields: []field{
		key("file", "File that each checkpoint is appended to.", textInto(&a.File, singleLine)),
		key("webhook", "Where each checkpoint is posted, signed like an alert.", endpoint{into: &a.Webhook, query: true, private: true}),
		key("secret", "What posts to the webhook are signed with: at least 16 characters, or whsec_ and 24 to 64 bytes in base64.", secret{into: &a.Secret, least: MinSecret}),
		key("witness", "Submission prefix of a C2SP witness, without add-checkpoint.", endpoint{into: &a.Witness, private: true}),
		key("key", "Public key of the witness for Ed25519 cosignatures.", textInto(&a.Key, witnessKey)),
	}, check: func(s seen) { checkAnchor(s, a) }}
}

func checkAnchor(s seen, a *Anchor) {
	kinds := 0
	for _, name := range []string{"file", "webhook", "witness"} {
		if s.has(name) {
			kinds++
		}
	}
	if kinds != 1 {
		s.r.problem(s.self, "must be one of file, webhook and witness", "write one entry for each place")
		return
	}
	if s.has("webhook") {
		if !s.has("secret") {
			s.problem("secret", "is missing", "give what the receiver verifies with")
		} else if !goodSigningKey(a.Secret.Reveal()) {
			s.problem("secret", "begins with whsec_ and is not followed by 24 to 64 bytes in base64", "copy it whole, or use another text")
		}
	} else {
		s.refuse("belongs to a webhook", "secret")
	}
	if !s.has("witness") {
		s.refuse("belongs to a witness", "key")
	} else if !s.has("key") {
		s.problem("key", "is missing", "give the witness's public key, as who runs it publishes it")
	}
}

// Of a public key for Ed25519 cosignatures: its type, and the bytes of the type and the key.
const (
	cosignatureType = 4
	cosignatureLen  = 1 + 32
)

// witnessKey is a public key in the note format, of the type that cosigns.
var witnessKey = rule{check: func(r *reader, text, shown string, where place) {
	parts := strings.SplitN(text, "+", 3) // The third may have a plus.
	if len(parts) == 3 && parts[0] != "" && len(parts[1]) == 8 {
		if raw, err := base64.StdEncoding.DecodeString(parts[2]); err == nil && len(raw) == cosignatureLen && raw[0] == cosignatureType {
			return
		}
	}
	r.problem(where, shown+" is not a public key for Ed25519 cosignatures (name+hash+data)", "copy it whole from who runs the witness")
}}
