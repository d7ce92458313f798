// Package store holds what all stores share: the one writer of the log, and the cursors and bounds of lists.
//
// # Group commit
//
// Records are encoded in the goroutine that appends them, wait in one bounded queue, and are written in batches: while
// one batch is being made durable, the next one gathers. A batch is one transaction and one disk sync, however many
// records it holds. The effects of a record are written in the same transaction as the record. After a large batch the
// writer waits a moment before the next one: a call then waits a little longer, and costs less.
//
// # Back-pressure
//
// The queue is bounded by entries and by bytes, counted from acceptance to the end of the commit. An append that finds
// no room is refused at once with code unavailable; what was accepted is never dropped. The last quarter of the queue
// is kept for records that end calls, so that new calls are refused before those under way are hurt.
//
// # Ledger
//
// What the stores do with shares of accounts is decided here, as pure functions: what a draw gives ([Standing.Draw]), what
// a batch comes to in each share ([Gather]), which identities a list of accounts covers ([AccountRanges]) and which
// accounts can be forgotten ([Forgettable]). The stores read, ask and write.
//
// # Documents
//
// Approvals, grants, incidents, sessions and pins of tools are kept as JSON beside the columns that they are looked for by; all stores write
// the same documents ([EncodeApproval] and its like). Approvals and incidents are listed in the order in which they were first
// stored, and what replaces one keeps its place, so that a cursor is a number. Names of people are in clear in votes, grants,
// incidents and sessions, and an erasure, which knows its subject by a hash only, does not find them; what an approval's
// arguments say of people is sealed, and removed with the subject's keys.
//
// # Failures
//
// A commit that failed for certain fails exactly the entries of its batch: the log's tree does not advance, and the
// next batch is tried anew. One that takes longer than [SlowCommit] closes the gate ([Writer.Closed]) until it is done. A
// commit of which nobody can say whether it is durable ([ErrUncertain]) ends the writer: what a disk has said about an
// unsynced page can not be believed a second time. [Writer.Fatal] then has the reason, and the process is to stop.
package store
