// Package mcppeers puts real MCP servers behind the real binary and has real clients use them.
//
// The servers are the packaged ones of the protocol's own projects (filesystem, memory, everything), which speak the older
// versions, one that is packaged for version 2 of the TypeScript SDK, and a small one on the same SDK that speaks the newest
// version and uses more of it. They run as child processes of Signalbox or serve HTTP. The clients are the SDKs for Go and
// TypeScript (both of its versions), the inspector's command line, and requests in the shape in which Claude Code makes them.
//
// # What is compared
//
// Each client does the same steps three times: at the server itself, at /mcp/{server}, and at /mcp. What is permitted must
// come to the same: results, errors of the protocol, progress, notifications and questions. What is not permitted must be
// refused, and be nowhere in what the server was sent, which is written down between Signalbox and each server. All that a
// client has done through Signalbox must be in the log, call by call, with its outcome and its cost.
package mcppeers
