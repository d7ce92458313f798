// Package rpc is what both sides of the MCP gateway speak: JSON-RPC messages as raw bytes, and the words of the protocol.
//
// # Concepts
//
// A [Message] holds the members of a message as they were written; nothing is decoded that need not be looked at, so that
// unknown members, large integers and contents of new kinds pass unharmed. [Object] writes objects in the same manner,
// member by member. The constants are the protocol's: methods, headers, names in _meta, codes of errors, versions, levels of
// log lines, and what servers may ask of their callers.
//
// # Format
//
// JSON-RPC 2.0, one message each time: a line of a child's output, the body of a request or an answer, or the data of an
// event of a stream ([Events]). A message that names its protocol version in _meta is a modern one and stands by itself;
// all others are legacy ones, of a session that begins with initialize.
//
// # Errors
//
// An [Error] is what the other side has answered. A [CodeError] is the cause of an error of ours for which the protocol
// has a code of its own; for all others [CodeOf] gives one.
//
// # Invariants
//
//   - An object with two equal names is no message: whoever reads it could read something else than we.
//   - A message is at most [MaxMessage] bytes long, and nothing larger is held.
//   - The package knows neither callers nor servers, and does no I/O but reading from a reader that it is given.
//
// # Not built yet
//
// Batches, which no version that we speak has needed.
package rpc
