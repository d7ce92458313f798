package pin

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxFlags is how many flags are kept of one form.
const MaxFlags = 20

// maxQuoted is how many characters a flag quotes.
const maxQuoted = 120

// Names knows the tools that there are besides the one that is looked at. The zero value knows none.
type Names struct {
	alike map[string][]string // Ids of tools, by the skeleton of their name.
	bare  map[string][]string // Ids of tools whose name alone says which one is meant, by that name in lower case.
	ids   map[string]string   // Their servers, by both spellings of their ids in lower case.
}

// NewNames makes the names of tools, by their servers.
func NewNames(tools map[string][]string) Names {
	n := Names{alike: map[string][]string{}, bare: map[string][]string{}, ids: map[string]string{}}
	for server, list := range tools {
		for _, tool := range list {
			n.add(server, tool)
		}
	}
	return n
}

func (n Names) add(server, tool string) {
	id, lower := server+"."+tool, strings.ToLower(tool)
	key := Skeleton(tool)
	n.alike[key] = append(n.alike[key], id)
	if distinctive(tool) {
		n.bare[lower] = append(n.bare[lower], id)
	}
	n.ids[server+"."+lower], n.ids[server+"__"+lower] = server, server
}

// distinctive reports whether a name is no word that a description could use by itself.
func distinctive(name string) bool {
	if utf8.RuneCountInString(name) < 6 {
		return false
	}
	return strings.ContainsAny(name, "_-") || strings.ContainsFunc(name[1:], unicode.IsUpper)
}

// inspection gathers the flags of one form.
type inspection struct {
	server string
	tool   string
	names  Names
	flags  []signalbox.ToolFlag
}

// Inspect finds what is suspicious about a tool that a server lists. It reads every name and every text in the
// definition, since models are given all of it. It is a pure function, and linear in the size of the definition.
func Inspect(server string, l Listed, names Names) []signalbox.ToolFlag {
	if len(l.Definition) > MaxDefinition {
		return nil
	}
	root, err := json.Parse([]byte(l.Definition), json.Limits{MaxDepth: MaxDepth, CaseVariants: true})
	if err != nil {
		return nil
	}
	i := &inspection{server: server, tool: l.Tool, names: names}
	i.name()
	i.value(root, "")
	return i.flags
}

func (i *inspection) flag(kind signalbox.FlagKind, where, format string, args ...any) {
	if len(i.flags) < MaxFlags {
		i.flags = append(i.flags, signalbox.ToolFlag{Kind: kind, Where: Visible(where), Text: fmt.Sprintf(format, args...)})
	}
}

// name compares the tool's name with those of all others.
func (i *inspection) name() {
	if mixed(i.tool) {
		i.flag(signalbox.FlagMixedScript, "/name", "has letters of several scripts")
	}
	for _, id := range i.names.alike[Skeleton(i.tool)] {
		if _, other, _ := strings.Cut(id, "."); other != i.tool {
			i.flag(signalbox.FlagLookAlike, "/name", "can be taken for %s", quoted(id))
		}
	}
}

// value inspects a value and everything in it.
func (i *inspection) value(n json.Node, where string) {
	if text, err := n.Text(); err == nil {
		i.text(text, where)
		return
	}
	if list, err := n.Array(); err == nil {
		for at, item := range list {
			i.value(item, where+"/"+strconv.Itoa(at))
		}
		return
	}
	object, err := n.Object()
	if err != nil {
		return
	}
	for _, m := range object.All() {
		inner := where + "/" + escape(m.Name)
		i.key(m, inner)
		i.value(m.Value, inner)
	}
}

// key inspects the name of a member. Those below the definition's own members are the server's.
func (i *inspection) key(m json.Member, where string) {
	i.hidden(m.Name, where)
	i.patterns(m.Name, where)
	if mixed(m.Name) {
		i.flag(signalbox.FlagMixedScript, where, "has letters of several scripts")
	}
	if to, remote := leadsOut(m); remote {
		i.flag(signalbox.FlagRemoteRef, where, "refers to %s, which is not a part of the schema", quoted(to))
	}
}

func (i *inspection) text(text, where string) {
	i.hidden(text, where)
	i.patterns(text, where)
	for _, run := range encoded.FindAllString(text, -1) {
		if isEncoded(run) {
			i.flag(signalbox.FlagEncoded, where, "has %d characters that may be encoded text", len(run))
			break
		}
	}
	i.others(text, where)
}

func (i *inspection) patterns(text, where string) {
	short, found := plain(text), map[signalbox.FlagKind]bool{}
	for _, p := range patterns {
		if found[p.kind] {
			continue
		}
		if words := p.found.FindString(short); words != "" {
			found[p.kind] = true
			i.flag(p.kind, where, "%s: %s", p.what, quoted(words))
		}
	}
}

// hidden finds characters that are not seen. Those that join other characters are found only where they join none.
func (i *inspection) hidden(text, where string) {
	n, first, before := 0, rune(0), rune(' ')
	for _, r := range text {
		joins := (r == 0x200C || r == 0x200D) && before > unicode.MaxLatin1
		if (unseen(r) || isTag(r)) && !joins && r != '\r' && !unicode.Is(unicode.Zs, r) {
			if n == 0 {
				first = r
			}
			n++
		}
		before = r
	}
	if n > 0 {
		i.flag(signalbox.FlagHidden, where, "has %d characters that people do not see, the first is U+%04X", n, first)
	}
}

// isTag reports whether a character is one of those by which ASCII can be written without being seen: tags, and the
// selectors of variants that no font has.
func isTag(r rune) bool { return 0xE0000 <= r && r <= 0xE0FFF }

// words are what may be a name of a tool.
var words = regexp.MustCompile(`[A-Za-z0-9_][A-Za-z0-9_.-]*[A-Za-z0-9_]`)

// others finds names of other servers' tools.
func (i *inspection) others(text, where string) {
	told := map[string]bool{}
	for _, word := range words.FindAllString(text, -1) {
		lower := strings.ToLower(word)
		if told[lower] || lower == strings.ToLower(i.tool) {
			continue
		}
		told[lower] = true
		if server, found := i.names.ids[lower]; found && server != i.server {
			i.flag(signalbox.FlagOtherTool, where, "speaks of %s, a tool of the server %s", quoted(word), server)
			continue
		}
		i.bare(lower, where)
	}
}

// bare finds a name that other servers have and this one has not.
func (i *inspection) bare(word, where string) {
	other := ""
	for _, id := range i.names.bare[word] {
		server, _, _ := strings.Cut(id, ".")
		if server == i.server {
			return
		}
		other = server
	}
	if other != "" {
		i.flag(signalbox.FlagOtherTool, where, "speaks of %s, a tool of the server %s", quoted(word), other)
	}
}

// quoted is what was found, for people.
func quoted(text string) string { return strconv.Quote(shorten(Visible(text), maxQuoted)) }
