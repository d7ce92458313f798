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
//   - [Sessions] are the console's logins, each tied to a key or to a person of an identity provider. They are kept in the
//     store, known to all replicas, and end by expiry, log-out, revocation, or with their key. Package people knows whom
//     identity providers vouch for.
//   - [Station] is the station itself: it holds the claims of a call against what its key is bound to, and takes its
//     places in the process and in the ledger.
//
// # What is refused where
//
// The Door returns an error only where there is no valid key; nobody is to blame then, so it is counted and not
// recorded. Every other fault of a request is put into [signalbox.Call.Invalid], and the Station refuses it with just
// that error: the call has a caller, and the log gets its outcome.
//
// # Room
//
// The process takes a bounded number of calls at once. Limits of requests and of concurrency are accounts of the ledger,
// like budgets: the Station opens the call's tab there, and gives its places back when the answer has ended or is closed.
// A brake refuses the calls of a halted run, and ends those under way.
//
// # Invariants
//
//   - A secret is never kept, logged or put into an error.
//   - A header narrows what a key is bound to and never widens it.
//   - A place under a limit is given back exactly once, after a panic too.
//   - A person is known by a session, for the control API and the console only, or by a token of his identity provider. Calls
//     are made with API keys, and at the MCP endpoints with tokens of clients that are configured. What a token stands for is
//     asked again at the station, from the configuration in force: budgets, permissions, approvals and revocation hold for it
//     as for a key.
//   - All memory is bounded, by constants of this package or by the number of keys that exist.
package gate
