package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// PostgreSQL refuses text that is no UTF-8 or holds a NUL, and index entries beyond a third of a page. Such text must
// not stop the projections for good: it is stored as something that can be.
const (
	maxText  = 384 // Bytes; the six texts of a rollup's key together fit into an index entry.
	keptText = 320 // Of a longer text; what follows is a digest of all of it, so that two stay two.
	digest   = 16
)

// clean gives text as it is stored and looked for. Nearly all text is clean already.
func clean(s string) string {
	if len(s) <= maxText && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	valid := strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(valid) <= maxText {
		return valid
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(valid[:keptText], "") + "…" + hex.EncodeToString(sum[:digest])
}

// cleanAll cleans each of a filter's values; nil stays nil.
func cleanAll(values []string) []string {
	if values == nil {
		return nil
	}
	return list(values, func(s *string) string { return clean(*s) })
}

// list gives what f makes of each item.
func list[T, V any](items []T, f func(*T) V) []V {
	all := make([]V, len(items))
	for i := range items {
		all[i] = f(&items[i])
	}
	return all
}

// unnestOf is the table of as many parameters as there are types, each an array of that type.
func unnestOf(types ...string) string {
	all := make([]string, len(types))
	for i, t := range types {
		all[i] = "$" + strconv.Itoa(i+1) + "::" + t + "[]"
	}
	return "unnest(" + strings.Join(all, ", ") + ")"
}

// conditions gathers what a query's rows must be, with its parameters.
type conditions struct {
	terms []string
	args  []any
}

// and adds a condition, in which each ? stands for one of the values.
func (w *conditions) and(term string, values ...any) {
	for _, v := range values {
		term = strings.Replace(term, "?", w.arg(v), 1)
	}
	w.terms = append(w.terms, term)
}

// arg adds a parameter and gives its name.
func (w *conditions) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

// in restricts to values; nil does not restrict, and none matches nothing.
func (w *conditions) in(column string, values []string) {
	if values != nil {
		w.and(column+" = ANY (?)", cleanAll(values))
	}
}

func (w *conditions) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}
