// Package pin keeps what the tools of MCP servers looked like when they were seen first, and holds those that change.
//
// # Concepts
//
// Models choose tools by what their servers say of them. A server that says one thing while it is looked at and another
// one later (a rug pull), or that hides orders to the model in a description (tool poisoning), acts through every agent
// that may use it. So the first sight of a tool pins its form, by itself: name, title, description, schemas and
// annotations ([Read]). A tool whose server lists it in another form is held: it is neither listed nor called, until
// somebody has looked at the difference ([Diff]) and accepted or rejected it.
//
// A server's instructions are pinned with its tools, as the description of one called [Instructions].
//
// What looks suspicious in a form is flagged ([Inspect]). A flag is a hint and no verdict: it may be found in what is
// harmless, and its absence proves nothing. By default a tool that is flagged at first sight is held.
//
// # Parts
//
// [Decide], [Accept] and [Reject] say what becomes of pins, as pure functions. The [Keeper] applies them: it has all pins
// in memory, and writes what changes with a record of the log, under a claim of the server, so that replicas do it one
// after the other, each by what the one before has written.
//
// # Invariants
//
//   - A tool is used only in the form that is pinned, whatever the memory of a replica is behind: the form is compared, not
//     a list of forms that are bad.
//   - A held tool is not used in any form, also not in the one that is pinned.
//   - What is accepted is the form that was looked at: a review names its hash.
//   - What can not be written is not pinned: the list of the server counts as unknown then, and its tools are not called.
//   - Nothing that a schema refers to is ever fetched.
//
// # Bounds
//
// Definitions are kept up to [MaxDefinition] and [MaxDepth]; a tool beyond them is held and can not be accepted. A held
// tool that changes again is recorded at most once in [Rest]. Tools with control characters in their names, or names
// beyond [MaxName], are never used. Pins stay when a tool or its server goes.
package pin
