package json

import (
	"fmt"
	"slices"
)

// Member is one name and value of an object.
type Member struct {
	// Name is the name with escapes resolved.
	Name string
	// NameSpan is where the name lies, quotes included.
	NameSpan Span
	// Value is the value.
	Value Node
}

// Members are the members of one object, in the order of the document.
type Members struct {
	object Node
	list   []Member
}

// members reads the object n. All names of the object share one string, and its members one allocation.
func members(n Node) Members {
	var nameSpace [256]byte
	var endSpace [16]int
	var listSpace [16]Member
	names, ends, list := nameSpace[:0], endSpace[:0], listSpace[:0]
	for i := skipSpace(n.doc, n.Start+1); n.doc[i] != '}'; {
		name := Span{i, skipString(n.doc, i)}
		start := skipSpace(n.doc, skipSpace(n.doc, name.End)+1) // Over the colon.
		end := skipValue(n.doc, start)
		names = append(names, unquoted(n.doc[name.Start:name.End])...)
		ends = append(ends, len(names))
		list = append(list, Member{NameSpan: name, Value: Node{doc: n.doc, Span: Span{start, end}}})
		i = skipComma(n.doc, end)
	}
	all, at := string(names), 0
	for i, end := range ends {
		list[i].Name = all[at:end]
		at = end
	}
	return Members{object: n, list: slices.Clone(list)}
}

// Get returns the value of the member with exactly this name, or the zero Node.
func (m Members) Get(name string) Node {
	if i := m.index(name); i >= 0 {
		return m.list[i].Value
	}
	return Node{}
}

// Has reports whether there is a member with exactly this name.
func (m Members) Has(name string) bool { return m.index(name) >= 0 }

// All returns the members; the caller must not change the slice.
func (m Members) All() []Member { return m.list }

// Len returns the number of members.
func (m Members) Len() int { return len(m.list) }

// Node returns the object itself.
func (m Members) Node() Node { return m.object }

func (m Members) index(name string) int {
	for i := range m.list {
		if m.list[i].Name == name {
			return i
		}
	}
	return -1
}

// Names is a set of names that a caller interprets, built once by [NewNames].
type Names struct{ folded map[string]string }

// NewNames returns the set of the names.
func NewNames(names ...string) Names {
	n := Names{folded: make(map[string]string, len(names))}
	for _, name := range names {
		n.folded[foldString(name)] = name
	}
	return n
}

// Has reports whether name is in the set, in exactly this spelling.
func (n Names) Has(name string) bool {
	exact, ok := n.folded[foldString(name)]
	return ok && exact == name
}

// Known returns a *[SyntaxError] if a member has the name of one of the set in another spelling. Such a member would
// be passed on as unknown, and a server that matches names without regard to case would obey it.
func (m Members) Known(names Names) error {
	for _, member := range m.list {
		if exact, ok := names.folded[foldString(member.Name)]; ok && exact != member.Name {
			return &SyntaxError{
				Offset: int64(member.NameSpan.Start),
				Reason: fmt.Sprintf("name %q must be written %q", member.Name, exact),
			}
		}
	}
	return nil
}

// Unknown returns the first member that is not in the set, or false.
func (m Members) Unknown(names Names) (Member, bool) {
	for _, member := range m.list {
		if !names.Has(member.Name) {
			return member, true
		}
	}
	return Member{}, false
}
