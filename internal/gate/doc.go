// Package gate is the first station of a call: it says who is calling, whether the request is sane, and whether there
// is room for it.
//
// # Concepts
//
//   - A [Keyring] knows every API key by the SHA-256 of its secret. An [Issuer] makes and revokes keys; the record of the
//     act and the key itself are written in one transaction.
//   - A [Door] stands before the protocol adapters. It turns an HTTP request into a [signalbox.Call] with a caller, ids,
//     a span and claims, and reads the body within its limits. Nothing is read of the body of a request without a
//     valid key.
//   - [Refusals] counts what came without a valid key, by source and minute, so that nobody can flood the log.
//   - [Sessions] are the console's logins, each tied to a key.
//   - [Station] is the station itself: it holds the claims of a call against what its key is bound to, and takes its
//     place under the limits of its key and tenant and of the process.
//
// # What is refused where
//
// The Door returns an error only where there is no valid key; nobody is to blame then, so it is counted and not
// recorded. Every other fault of a request is put into [signalbox.Call.Invalid], and the Station refuses it with just
// that error: the call has a caller, and the log gets its outcome.
//
// # Limits
//
// A limit of requests counts calls in fixed windows aligned to the clock in UTC (a minute begins at second 0). Fixed
// windows admit up to twice the limit around a boundary; in return a caller can predict them, and they need one counter.
// A limit of concurrent calls has no window: a call holds its place until its answer has ended or is closed. A call
// takes all its places or none. A refused call counts in no window. Counters live in memory: they are this process's, and
// start from zero with it.
//
// # Invariants
//
//   - A secret is never kept, logged or put into an error.
//   - A header narrows what a key is bound to and never widens it.
//   - A place under a limit is given back exactly once, after a panic too.
//   - All memory is bounded, by constants of this package or by the number of keys that exist.
package gate
