package openapi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// node is a value of the document. Its members keep their order, and its scalars their spelling.
type node struct {
	raw   json.Value // As it was written; nil for an absent value.
	names []string
	named map[string]*node
	items []*node
}

// absent stands for a value that is not there.
var absent = &node{}

// plant makes the tree of a value.
func plant(n json.Node) *node {
	t := &node{raw: n.Bytes()}
	switch n.Kind() {
	case '{':
		members, _ := n.Object() // It is one.
		t.named = make(map[string]*node, members.Len())
		for _, m := range members.All() {
			t.names = append(t.names, m.Name)
			t.named[m.Name] = plant(m.Value)
		}
	case '[':
		elements, _ := n.Array()
		for _, e := range elements {
			t.items = append(t.items, plant(e))
		}
	}
	return t
}

func (n *node) exists() bool   { return n.raw != nil }
func (n *node) isObject() bool { return n.named != nil }
func (n *node) isList() bool   { return n.exists() && n.raw[0] == '[' }
func (n *node) isTrue() bool   { return string(n.raw) == "true" }

// get gives a member, absent where there is none.
func (n *node) get(name string) *node {
	if m, ok := n.named[name]; ok {
		return m
	}
	return absent
}

// text gives a string, "" where there is none.
func (n *node) text() string {
	var s string
	if !n.exists() || n.raw[0] != '"' || json.Unmarshal(n.raw, &s) != nil {
		return ""
	}
	return s
}

// texts gives the strings of a list.
func (n *node) texts() []string {
	list := make([]string, len(n.items))
	for i, item := range n.items {
		list[i] = item.text()
	}
	return list
}

// maxHops bounds references that lead to references.
const maxHops = 16

// follow gives what a value stands for: itself, or what its $ref leads to. The pointer says where that is.
func (d *document) follow(n *node, at string) (*node, string, error) {
	for range maxHops {
		ref := n.get("$ref")
		if !ref.exists() {
			return n, at, nil
		}
		target, pointer, err := d.resolve(ref.text(), at)
		if err != nil {
			return nil, at, err
		}
		n, at = target, pointer
	}
	return nil, at, fault(at, "refers to a reference that refers to another, and so on without end", "Write it out.")
}

// resolve looks up a reference that stands at a place. Only this document is looked into.
func (d *document) resolve(ref, at string) (*node, string, error) {
	pointer, local := strings.CutPrefix(ref, "#")
	switch {
	case ref == "":
		return nil, at, fault(at, "has a $ref that is no text", "Write it as \"#/components/…\".")
	case !local:
		return nil, at, fault(at, fmt.Sprintf("refers to %q, which is another document; none is ever read or fetched", clip(ref)),
			"Put all parts into one document (a bundler does that).")
	case pointer != "" && pointer[0] != '/':
		return nil, at, fault(at, fmt.Sprintf("refers to the anchor %q", clip(ref)), "Refer by path, as \"#/components/…\".")
	}
	n := d.root
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		n = n.step(unescape(step))
	}
	if !n.exists() || pointer == "" {
		return nil, at, fault(at, fmt.Sprintf("refers to %q, where nothing is", clip(ref)), "Correct the reference.")
	}
	return n, pointer, nil
}

// step goes into a member or element.
func (n *node) step(name string) *node {
	if i, err := strconv.Atoi(name); err == nil && n.isList() && i >= 0 && i < len(n.items) {
		return n.items[i]
	}
	return n.get(name)
}

var (
	pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
	pointerPlain   = strings.NewReplacer("~1", "/", "~0", "~")
)

// under gives the pointer of a member.
func under(at string, names ...string) string {
	for _, name := range names {
		at += "/" + pointerEscapes.Replace(name)
	}
	return at
}

// unescape reads a step of a pointer, which may be percent-encoded as a part of an address.
func unescape(step string) string {
	var b strings.Builder
	for i := 0; i < len(step); i++ {
		if step[i] == '%' && i+2 < len(step) {
			if c, err := strconv.ParseUint(step[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(step[i])
	}
	return pointerPlain.Replace(b.String())
}

// clip shortens what came from outside for an error message.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= 200 {
		return s
	}
	return strings.ToValidUTF8(s[:200], "") + "…"
}
