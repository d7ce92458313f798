// Package ledger decides whether a call can be paid, and books what it came to. It is where budgets hold.
//
// # Concepts
//
//   - An account is one owner's amount of one unit in one window ([signalbox.Account]). Each replica has a share of it,
//     drawn from the [Vault] durably and in advance; within its share a replica decides in memory.
//   - A call claims amounts in several accounts, all of them or none. A claim is held, becomes durable with the call's
//     intent, and is settled with its outcome. Between the two, what is held counts in full.
//   - The book (book, account, tally, ask) is the decider: a deterministic state machine without clock, I/O and
//     goroutines. [Ledger] is the adapter around it: one mutex, one goroutine that draws shares in batches, timers.
//
// # What happens to an ask
//
//	fits in every account          → held at once
//	an account is not known yet,
//	or its share is too small      → waits for a draw
//	others hold what it needs      → waits in the accounts' queues, at most Options.Wait, then rate_limited
//	settled amounts leave no room  → budget_exhausted at once
//	the share can not be drawn     → unavailable
//
// Limits of requests and concurrency do not wait for what others hold; they refuse at once with rate_limited. A money,
// token or step account refuses for good only when settled amounts alone, of all replicas, leave no room: what is held
// may come back.
//
// A call is served in its turn. Those who wait are ordered by start-time fair queueing over tenant and agent (see fair),
// and wait in the queue of each account that they are short of. Nobody takes room of an account past somebody who waits
// there. Where it has room a waiting call lets others pass, so that one that waits for its own small budget does not stop
// its whole tenant; its wait is bounded in any case.
//
// # States of a claim
//
// A claim has three amounts: booked (held by durable records), settle and hold (what the next record settles and keeps
// held). What counts is max(booked, settle + hold): until the record that changes it is durable, the old state counts as
// well as the new one. A replacement of an attempt by another one therefore needs room only for what it adds.
//
// # Drawing
//
// Alone ([Options.Whole]) a replica has all there is, and only reads what was used before. Else it draws at least what the first in a queue is missing and
// at most a slice, an eighth of what is left, which grows while slices are used up: a hot account is no hot row, and near
// the cap nobody keeps what others need. Draws of many accounts share one transaction, and one draw of an account is
// under way at a time; what is needed meanwhile adds up. Room is given back when another replica wants it and no call
// here is about to use it, when an account has been idle for [IdleAfter], and when the ledger is closed. A replica whose
// own calls wait, because a draw could not give enough, gives back what it has free: else two could wait for each other,
// each with too little. Draws that gave nothing are repeated every tenth of a second while calls wait.
//
// What others have settled is known as of the last draw. It can only grow, so that a refusal for good is never wrong; a
// reconciliation that lowers it counts from [Ledger.Refresh] on.
//
// # Invariants
//
//   - In a hard account settled + held of this process never exceed what it was granted, nor, with those of all other
//     replicas as last known, the cap; an overrun (billed above the bound) is the one exception, and closes the account.
//   - What is held stays held until a record that ends it is durable. Of a call whose last record is lost, everything
//     that durable records hold stays held.
//   - Nothing is held in an account whose share is not known.
//   - Amounts are bounded by [MaxAmount]; no sum wraps.
//   - Memory is bounded by the calls under way and [MaxIdle] accounts.
package ledger
