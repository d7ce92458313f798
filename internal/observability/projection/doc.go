// Package projection turns the log into what people look at: lists of calls and runs, totals by the hour, latencies, and
// the values that filters offer.
//
// # Concepts
//
// A [Projector] reads the log behind a cursor, in batches. [Fold] says, without any I/O, what a batch changes; the store
// applies the changes and moves the cursor in one transaction. So a crash at any moment leaves projections that agree
// with their cursor, and any way of cutting the log into batches gives the same tables. Intent and outcome of a call
// that meet in one batch become one write.
//
// # Rules of the fold
//
//   - A call is listed from its first record on. Its first outcome counts; whatever the log says of it later does not.
//   - Totals count calls that have ended, in the hour in which they came in. A call counts once, under the model and
//     provider that it ended with; tokens and cost count under those of the attempt that they belong to.
//   - A run is listed from its opening on, or from its first call.
//   - A correction of a call's cost (cost_reconciled) changes the totals of the hour in which the call came in, those of its
//     run, and the call's row where that is still kept.
//   - Names that the caller made up (an unknown model) are in the call's row and nowhere else: totals and facets have
//     the names of what was attempted, and of tools that were found and whose calls were refused then.
//   - The latency of a call of a tool counts twice: among all calls of its tenant, and among those of the tool.
//   - A record that can not be decoded changes nothing, and is counted ([Status]). One whose content was destroyed changes
//     nothing either.
//   - An erasure removes what the rows of calls say of that data subject, and what rows that come later say that were
//     sealed by a destroyed key. A rebuild, which can not read it any more, gives the same rows.
//   - Which keys seal which records is noted by blocks of records, so that all about one subject is found by its keys.
//
// # Sketches
//
// Latencies are kept as DDSketch bins of one per cent relative accuracy. A stored sketch is the version byte 1, the
// number of zeros, and for each bin in ascending order the distance to the bin before and the count, all as varints:
// one distribution has one encoding.
package projection
