// Package registry describes the MCP servers that a caller may reach, for whoever looks for servers before connecting to
// one: as server cards, as an AI catalog, and as a registry of server.json documents; and it ranks what a search has found.
//
// # Concepts
//
// A [Site] is one instance as it is reached from outside. What it describes is always itself: each server's remote is the
// site's own endpoint of that server ("/mcp/{id}"), since that is where a caller gets to. What lies behind, be it an address,
// a header or a command, is not known here and can not leak. Whoever asks hands in the [Server]s that may be known to the
// caller; they are all that is described. The joint endpoint ("/mcp") is the server [Joint].
//
// # Format
//
// A name is "namespace/id". The namespace is the host of the site's address with its labels turned round
// (https://box.example.com: com.example.box); an IP address stays as it is, with "-" for ":". Where the address has a path,
// that stands before the id, with dots for slashes. The joint endpoint's id has a character that no server's id has.
//
//   - Server cards: the draft of SEP-2127, schema v1 ([Card]).
//   - AI catalog: version 1.0, an entry for each card ([Catalog]).
//   - Registry: the answers of the registry API v0.1, with server.json of 2025-12-11 ([List], [Answer]).
//
// # Invariants
//
//   - Everything here is a function of its arguments: no clock, no network, no state.
//   - Lists are ordered by name, and a cursor leads on to the names behind it, whatever has changed meanwhile.
package registry
