package config

import "github.com/goccy/go-yaml/ast"

// MasterKey says where a master key is. One of the three is set, or none.
type MasterKey struct {
	File    string   `json:"file,omitzero"`
	Env     string   `json:"env,omitzero"`     // Name of a variable.
	Command []string `json:"command,omitzero"` // Program and arguments; what it writes is the key.
}

// IsZero reports whether it names nothing.
func (k MasterKey) IsZero() bool { return k.File == "" && k.Env == "" && len(k.Command) == 0 }

// MasterKeys are the master key and those before it.
type MasterKeys struct {
	Current  MasterKey
	Previous []MasterKey
}

// MasterKeys gives the master keys that are configured.
func (a Audit) MasterKeys() MasterKeys { return MasterKeys{a.MasterKey, a.PreviousMasterKeys} }

// masterKey reads where a master key is: the path of a file, or a mapping.
type masterKey struct{ into *MasterKey }

func masterKeyTable(k *MasterKey) value { return masterKey{k} }

func (v masterKey) table() object {
	return object{fields: []field{
		key("file", "File with the key.", textInto(&v.into.File, singleLine)),
		key("env", "Variable of the environment with the key itself.", textInto(&v.into.Env, aVariable)),
		key("command", "Program and arguments; it writes the key to its standard output.", listOf(&v.into.Command, func(s *string) value {
			return textInto(s, singleLine)
		}).atLeastOne()),
	}, check: func(s seen) {
		switch n := len(s.keys); {
		case n == 0:
			s.r.problem(s.self, "names no key", "give a file, an env or a command")
		case n > 1:
			s.r.problem(s.self, "names several places of one key", "keep one of file, env and command")
		}
	}}
}

func (v masterKey) read(r *reader, n ast.Node, field string) {
	if n.Type() == ast.MappingType {
		v.table().read(r, n, field)
		return
	}
	textInto(&v.into.File, singleLine).read(r, n, field)
}

func (v masterKey) schema() *schemaNode {
	return &schemaNode{AnyOf: []*schemaNode{v.table().schema(), {Type: "string", MinLength: 1}}}
}
