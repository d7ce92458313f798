package pin

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of a difference, for people.
const (
	MaxDiff     = 200 // Lines.
	maxLine     = 500 // Characters of one.
	maxCompared = 1 << 20
)

// Diff says how two definitions differ: lines "- …" of what is gone and "+ …" of what came, each with the place it is at, in
// the order of the definitions. None means that they are equal. What people do not see is written as ⟨U+…⟩. The result
// is cut off after [MaxDiff] lines.
func Diff(before, after string) []string {
	a, b := lines(before), lines(after)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	a, b = a[start:], b[start:]
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	out := compare(a, b)
	if len(out) > MaxDiff {
		more := len(out) - MaxDiff
		out = append(out[:MaxDiff], fmt.Sprintf("… and %d lines more", more))
	}
	return out
}

// compare gives the lines that are not in the longest common sequence of both.
func compare(a, b []string) []string {
	var out []string
	if len(a)*len(b) > maxCompared { // Nobody reads that line by line.
		return append(mark(out, "- ", a), mark(nil, "+ ", b)...)
	}
	common := sequence(a, b)
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = mark(out, "- ", a[i:i+1])
			i++
		default:
			out = mark(out, "+ ", b[j:j+1])
			j++
		}
	}
	return out
}

// sequence gives the length of the longest common sequence of each pair of ends.
func sequence(a, b []string) [][]int {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}

func mark(out []string, sign string, list []string) []string {
	for _, line := range list {
		out = append(out, sign+shorten(Visible(line), maxLine))
	}
	return out
}

// lines writes a definition as one line for each value, and for each line of a text. One that is not kept has none.
func lines(definition string) []string {
	root, err := json.Parse([]byte(definition), json.Limits{CaseVariants: true})
	if err != nil {
		return nil
	}
	var out []string
	walk(root, "", func(where string, n json.Node) {
		if text, err := n.Text(); err == nil {
			for line := range strings.SplitSeq(text, "\n") {
				out = append(out, where+`: "`+line+`"`)
			}
			return
		}
		out = append(out, where+": "+string(n.Bytes()))
	})
	return out
}

// walk visits all values that contain no others, with their JSON pointers, in the order of the document. The document was
// checked, so that nothing in it can fail to be read.
func walk(n json.Node, where string, visit func(where string, n json.Node)) {
	if members, err := n.Object(); err == nil && members.Len() > 0 {
		for _, m := range members.All() {
			walk(m.Value, where+"/"+escape(m.Name), visit)
		}
		return
	}
	if list, err := n.Array(); err == nil && len(list) > 0 {
		for i, item := range list {
			walk(item, fmt.Sprintf("%s/%d", where, i), visit)
		}
		return
	}
	visit(where, n)
}

var pointer = strings.NewReplacer("~", "~0", "/", "~1")

func escape(name string) string { return pointer.Replace(name) }

// Changed names the members of the definition that differ, sorted.
func Changed(before, after string) []string {
	a, b := top(before), top(after)
	var names []string
	for _, name := range members {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	return names
}

// top gives the members of a definition as they are written; none of one that is not kept.
func top(definition string) map[string]string {
	all := map[string]string{}
	found, err := json.Parse([]byte(definition), json.Limits{CaseVariants: true})
	if err != nil {
		return all
	}
	if object, err := found.Object(); err == nil {
		for _, m := range object.All() {
			all[m.Name] = string(m.Value.Bytes())
		}
	}
	return all
}

// Visible writes text so that people see all of it: what has no shape of its own is given by its number.
func Visible(text string) string {
	if !strings.ContainsFunc(text, unseen) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unseen(r) {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unseen reports whether a character is not seen as itself. Line feeds and tabs are what they look like.
func unseen(r rune) bool {
	if r == ' ' || r == '\n' || r == '\t' {
		return false
	}
	return !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) || slices.Contains(fillers, r)
}

// fillers are letters and marks that show nothing.
var fillers = []rune{0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0}

// shorten cuts a text after n characters.
func shorten(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i] + "…"
		}
		n--
	}
	return text
}
