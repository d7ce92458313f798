// Package sqlite keeps the log and its projections in SQLite files, without cgo.
//
// # Files
//
//   - FILE holds what must not be lost: the log (audit_records, audit_tiles, audit_checkpoints), API keys, the ledger
//     (ledger_accounts, ledger_shares), the runs that were opened with a budget, alerts, brakes and notifications; and what
//     people decide: approvals, break-glass grants, policies that were in force, incidents, sessions. It is in WAL mode
//     with synchronous=FULL: what a commit has returned for survives a power loss.
//     Draws from the ledger have no sync of their own: they survive with the next commit.
//   - FILE.views holds the projections. Everything in it can be rebuilt from the log, so its transactions do not wait
//     for the disk, and they never delay a commit of the log. It may be deleted while the server is stopped.
//   - FILE.lock is locked by the process that serves (flock) and names it.
//
// The directory is made with mode 0700, the files with 0600.
//
// # Handles
//
// Each file has one connection that writes. Reads of the console and the control API have pools of their own, which can
// not write, with a time-out per statement. Checkpoints of the WAL are made by a goroutine, not by commits.
//
// # Claims
//
// Who may change an approval is decided in memory ([DB.Claim]): one process has the file, and a claim is not to outlive it.
//
// # Invariants
//
//   - audit_records has no gaps: a batch that does not continue the log is refused. Triggers refuse UPDATE, DELETE
//     and REPLACE of it, of tiles and of checkpoints, but for content that is destroyed together with a record that says so.
//   - A record, its effects and the tiles it completes are stored together or not at all.
//   - ledger_shares is the sum of the entries of the records, besides what is granted, until an account is forgotten. A
//     batch writes each of its shares once, however many of its records post on it.
//   - A draw is one transaction; where it changes nothing, nothing is written.
//   - A failed sync, and a COMMIT of which nobody knows how it ended, are marked [store.ErrUncertain] and never retried: nothing
//     is written any more. A write that was refused is taken back, and the next one is written over it.
//   - A file of a newer schema is refused before anything is written to it.
package sqlite
