package registry

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// Kinds of what a search finds.
const (
	KindTool  = "tool"
	KindAgent = "agent"
)

// Entry is what a search looks at.
type Entry struct {
	Kind  string
	ID    string   // "server.tool", or the agent's.
	Names []string // What it is called besides.
	Text  string   // What is said of it.
}

// How well an entry fits, best first.
const (
	rankExact  = iota // The words are one of its names.
	rankPrefix        // One of its names begins with them.
	rankName          // Each of them begins a word of its names.
	rankText          // Each of them is somewhere in its names, or in what is said of it.
	rankNone
)

// Hit is an entry that was found.
type Hit struct {
	Entry
	Rank int // 0 is best.
}

// Place is where a hit stands in the order of all hits.
type Place struct {
	Rank     int
	Kind, ID string
}

// Place gives where the hit stands.
func (h Hit) Place() Place { return Place{h.Rank, h.Kind, h.ID} }

// Compare orders places: what fits best first, of that agents before tools, then by id.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Rank, q.Rank), cmp.Compare(p.Kind, q.Kind), cmp.Compare(p.ID, q.ID))
}

// Search gives the entries that fit, best first. Case does not matter. Words without a letter or digit find nothing.
func Search(words string, entries []Entry) []Hit {
	whole := strings.ToLower(strings.TrimSpace(words))
	parts := split(words)
	var hits []Hit
	for _, e := range entries {
		if rank := e.rank(whole, parts); rank < rankNone {
			hits = append(hits, Hit{e, rank})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int { return a.Place().Compare(b.Place()) })
	return hits
}

func (e Entry) rank(whole string, words []string) int {
	if len(words) == 0 {
		return rankNone
	}
	best, said := rankNone, strings.ToLower(e.Text)
	var parts []string
	for _, name := range append([]string{e.ID}, e.Names...) {
		lower := strings.ToLower(name)
		switch {
		case lower == whole:
			return rankExact
		case strings.HasPrefix(lower, whole):
			best = rankPrefix
		}
		parts, said = append(parts, split(name)...), said+"\n"+lower
	}
	begins := func(word string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.HasPrefix(part, word) })
	}
	switch {
	case best < rankNone:
		return best
	case all(words, begins):
		return rankName
	case all(words, func(word string) bool { return strings.Contains(said, word) }):
		return rankText
	}
	return rankNone
}

func all(words []string, holds func(string) bool) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !holds(word) })
}

// split gives the words of a text in lower case. A capital letter behind a small one begins a word: readFile has two.
func split(text string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
		}
		word = nil
	}
	for _, r := range text {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N) {
			end()
			continue
		}
		if unicode.IsUpper(r) && len(word) > 0 && unicode.IsLower(word[len(word)-1]) {
			end()
		}
		word = append(word, r)
	}
	end()
	return words
}
