// Package signalbox holds the domain of the Signalbox control plane: its nouns, its rules about them, and its error
// codes. It does no I/O, reads no clock and imports nothing else of this module.
//
// # Concepts
//
// Whatever an agent does is a [Call] of one of five kinds. Every call passes the same stations in the same order
// (package internal/call), is served by one of its [Candidate]s in one or more [Attempt]s, and ends in exactly one
// [Outcome]. What happened is written to one log as [Record]s: an intent before anything leaves the process, an
// outcome after it. Every list, trace and total that a person sees is a projection of that log.
//
// # Units
//
// Money is [Money], integer nano-dollars. Times are UTC. Durations in records are integer milliseconds. Tokens are
// counted as the provider bills them; [Usage] says what includes what.
//
// # Errors
//
// Every error that leaves a layer is an [*Error] with one of the codes of this package; [CodeOf] gives [CodeInternal]
// for any other error, and its text is then not shown to callers.
package signalbox
