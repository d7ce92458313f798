// Package json is the one door through which Signalbox reads and writes JSON.
//
// A gateway decides on bytes that somebody else will parse again. When two parsers can read one document in two
// ways, a decision on the one reading says nothing about the other. This package therefore gives every accepted
// document a single meaning, and lets callers change a document without touching the bytes they did not mean to
// change.
//
// # Concepts
//
//   - [Check] looks at a whole document once and refuses what has more than one reading: names that occur twice
//     in an object (also when they differ only by case, because many decoders match names without regard to case),
//     invalid UTF-8, lone surrogates, a byte order mark, anything after the document, and nesting deeper than
//     [MaxDepth].
//   - [Parse] is Check that returns the root [Node]. A Node is a value inside of a checked document: the document
//     and two offsets. [Node.Object] and [Node.Array] step into it without looking at the bytes in depth again.
//   - [Object] and [Array] are Parse followed by one step, for callers that hold loose bytes.
//   - [Members.Known] refuses members that fold to a name the caller interprets but are spelt differently:
//     {"Model": …} would be unknown to us and known to a lenient server.
//   - [Editor] splices changes into a document by span. Whatever no edit names comes out byte for byte as it went in.
//   - [Unmarshal], [Marshal] and [Canonical] are for documents of our own.
//
// # Invariants
//
//   - No accepted document contains two names in one object that are equal under simple Unicode case folding,
//     unless [Limits.CaseVariants] asks for exact comparison.
//   - The result of an [Editor] is a valid document, and its unedited spans are byte-identical.
//   - [Canonical] maps two documents to the same bytes only if they are the same JSON value, numbers compared as
//     decimals. RFC 8785 alone does not give that: it rounds numbers to binary64.
//   - [Unmarshal] replaces its target; it never merges into what was there before.
//
// Nil slices and nil maps are written as [] and {}. Members that a struct does not name are dropped by Unmarshal;
// a struct keeps them only with a field of type [Value] tagged `json:",embed"`. The tags "inline" and "unknown" of
// older drafts are ignored by the library without a word: do not use them.
package json
