// Package audit makes the log tamper-evident: it gives every entry its place in a Merkle tree, signs the tree's roots,
// proves what is in it and verifies a whole stored log.
//
// # Concepts
//
// The log is the sequence of [signalbox.Entry] values. An entry's leaf data is the canonical JSON of its header, which
// names the SHA-256 of the entry's content (see [LeafData]); its leaf hash is the RFC 6962 hash of that. The tree is the
// one of the Go checksum database and of C2SP tlog-tiles: 256 hashes of one level make a tile, a full tile is written
// once and never again. [Tree] is the pure part: the size and the hashes that no full tile holds yet.
//
// [Sequencer] is what the one writer of the log uses: Encode on the caller's side, Sequence before the transaction,
// Committed after it. [Publisher] signs the root as a C2SP checkpoint once the tree has grown. [Verify] reads a whole
// log and reports what does not fit. [Prove] and [ProveConsistency] answer with proofs that other people's code checks.
// [Handler] serves checkpoint and tiles over HTTP.
//
// # Invariants
//
//   - A leaf commits to every stored column of its entry. No two different entries have the same leaf data.
//   - Tiles and leaves hold hashes only; nothing of a record's content can be read from them.
//   - A checkpoint is signed only for entries that are durable, and never one that contradicts the newest stored one.
//   - Whoever kept one checkpoint notices a rewritten log: the root at its size can not be made up again.
//
// What no tree can show: records newer than the newest signed checkpoint (at most a second's worth) that somebody cuts
// off together with everything that knew of them. [Report] says how many entries no signature covers yet.
package audit
