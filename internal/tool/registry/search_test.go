package registry

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var entries = []Entry{
	{Kind: KindTool, ID: "files.read_text_file", Names: []string{"read_text_file", "Read a file"}, Text: "Reads a file and gives its text."},
	{Kind: KindTool, ID: "files.write_file", Names: []string{"write_file"}, Text: "Writes a file. It must not exist."},
	{Kind: KindTool, ID: "books.readFile", Names: []string{"readFile"}},
	{Kind: KindTool, ID: "books.lend", Names: []string{"lend"}, Text: "Lends a book to a reader. 책을 빌려줍니다."},
	{Kind: KindTool, ID: "mail.reader", Names: []string{"reader"}, Text: "Reads mail."},
	{Kind: KindAgent, ID: "reader", Names: []string{"The reader"}, Text: "research"},
}

func TestSearch(t *testing.T) {
	for _, c := range []struct{ name, words, want string }{
		{"exactly its name: agents first", "reader", "reader mail.reader books.lend"},
		{"in another case", "READER", "reader mail.reader books.lend"},
		{"exactly its id", "books.lend", "books.lend"},
		{"the beginning of a name before its words", "read", "reader books.readFile files.read_text_file mail.reader books.lend"},
		{"the beginning of an id", "files.", "files.read_text_file files.write_file"},
		{"words of the name, in any order", "file read", "books.readFile files.read_text_file"},
		{"a word of the description", "exist", "files.write_file"},
		{"words of both", "books reader", "books.lend"},
		{"words of which one is nowhere", "file music", ""},
		{"role of an agent", "research", "reader"},
		{"another script", "책", "books.lend"},
		{"white space", "  lend ", "books.lend"},
		{"no words", " ._-/ ", ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, h := range Search(c.words, entries) {
				got = append(got, h.ID)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), c.want)
			}
		})
	}
}

// What fits better stands before; the order does not depend on that of the entries, and an entry is found by its name.
func TestSearchOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SampledFrom([]string{"read", "file", "read file", "reader", "a", "files.read_text_file"}).Draw(t, "words")
		mixed := rapid.Permutation(entries).Draw(t, "order")
		hits, again := Search(words, entries), Search(words, mixed)
		if len(hits) != len(again) {
			t.Fatalf("%d and %d", len(hits), len(again))
		}
		for i := range hits {
			if hits[i].ID != again[i].ID || i > 0 && hits[i-1].Place().Compare(hits[i].Place()) >= 0 {
				t.Fatalf("place %d: %+v, %+v", i, hits[i], again[i])
			}
		}
		one := rapid.SampledFrom(entries).Draw(t, "entry")
		if found := Search(one.ID, mixed); len(found) == 0 || found[0].Rank != rankExact {
			t.Fatalf("%s does not find itself: %+v", one.ID, found)
		}
	})
}

func TestSplit(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"readFile", "read file"}, {"read_text-file", "read text file"}, {"HTTPServer", "httpserver"}, {"v2 of.it", "v2 of it"}, {"é́x", "é́x"}, {"", ""},
	} {
		if got := strings.Join(split(c.text), " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}
