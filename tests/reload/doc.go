// Package reload changes the configuration of the real binary while MCP servers are in use.
//
// The promise under test: a server whose connection is configured as before goes on as it is, with the state that its process
// has in memory, its session, its tasks and its pauses, and what its calls cost now is what the file says now. A server that was
// changed is a new one, a call that is under way at the old one ends there, and what is not in force any more leaves nothing
// behind. A file that is wrong changes nothing.
package reload
