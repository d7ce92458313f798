// Package taskserver is an MCP server of 2026-07-28 that makes tasks of calls, as the extension io.modelcontextprotocol/tasks
// has them. The official SDK has no tasks yet, so that it speaks the protocol itself.
//
// Its tools are those that the protocol's conformance suite wants of a server with tasks:
//
//   - greet answers at once.
//   - slow_compute takes as long as its argument "seconds" says; with 0 it answers at once.
//   - failing_job makes a task that ends with a failure of the tool, protocol_error_job one that fails. Both want a caller who knows
//     tasks.
//   - confirm_delete asks its caller one question while it works, multi_input two.
//   - test_tool_with_task asks its caller something first, and makes a task then.
//
// What it has seen is counted here, whatever Signalbox says.
package taskserver
