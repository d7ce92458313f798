// Package postgres keeps the log, the ledger and the projections in one PostgreSQL database that replicas share.
//
// # The log
//
// A record has two lives. [DB.Commit] appends it to audit_pending, with its effects, in one transaction of the replica
// that made it: from then on it is durable, with the money. One replica, the leader, takes the pending records in the
// order of their ids, gives them their places in the tree and moves them to audit_records ([DB.Lead]), usually within
// 100 ms. An intent is always placed before the outcome of its call: an outcome's id is drawn after the intent's
// transaction has ended, so the intent has the lower id and is visible to whoever sees the outcome.
//
// # The ledger
//
// ledger_shares has a row for each account and replica. A commit adds what its batch posts to its own replica's rows,
// each once, and touches no row that another replica writes. What is granted changes by [DB.Draw] only, and by
// [DB.ReturnShares] after a fencing: a draw holds the account's row of ledger_accounts while it reads the shares of all
// replicas and decides, so that what the shares take never adds up to more than the cap. Everybody takes locks in one
// order: the replica's row, topics ([DB.Watch]), accounts, shares, each by their texts as bytes.
//
// # Replicas
//
// A process joins under an id that no process had before ([DB.Join]) and says every second that it lives. One that was
// not heard of for [Options.Lease] is fenced by the leader. Every commit holds a share lock on its replica's row, which
// fencing has to wait for, and finds out whether it is fenced: nothing of a fenced replica is ever committed again.
// [ErrFenced] ends the writer, and the process is to stop.
//
// # Claims
//
// Who may change an approval is a row of claims ([DB.Claim]), of one holder at one replica. It is taken from him only once
// his replica is fenced: what he does with it from then on is not committed, and what he did before is visible.
//
// # Leadership
//
// The leader holds a session lock on a connection of its own and does everything that only it may do over that
// connection: where the connection is lost, so is the lock, and nothing it had begun is committed. A leader that holds
// the lock and does nothing for [LeaderPatience] has its connection ended by a follower.
//
// # Projections
//
// [Views] are tables beside the log, folded from it. Moving their cursor takes its row's lock, in the same transaction as
// what it brings: of two that project the same stretch, one is refused. A batch of thousands of records is ten statements,
// each for all rows of its table. These transactions do not wait for the disk, because the log brings back what a crash
// takes. Lists are read off an index in its order, page by page; costs come from totals only. Text that PostgreSQL does
// not take (NUL, what is no UTF-8, very long names) is stored and looked for in a form that it does.
//
// # Connections
//
// The data path has a pool of its own; so have the console's reads, whose statements are cut off after a time-out, and
// membership, which must not wait for either. Pools work with servers, not with poolers that share sessions.
//
// # Invariants
//
//   - audit_records has no gaps. Triggers refuse UPDATE, DELETE and TRUNCATE of it, of tiles and of checkpoints, but for
//     content that is destroyed in the transaction of a record that says so.
//   - A record and its effects are stored together or not at all; so are a stretch of the log and its tiles.
//   - A commit whose connection broke is looked up under a number of its own; it is [store.ErrUncertain] only where the
//     database can not be asked within a bounded time.
//   - Projections never run ahead of audit_records, and those of another log are removed when the database is opened.
//   - A database of a newer schema is refused before anything is written to it.
//   - No password is in an error.
package postgres
