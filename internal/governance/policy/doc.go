// Package policy decides whether an agent may make a call, how risky the call is, and who must agree to it first.
//
// A [Policy] is compiled once from all that decides: permissions of agents, what tools are declared to do, rules in the
// language of Cedar, rules about risk, and tiers of approval. [Policy.Decide] is a function of the policy and one
// [Request]: it reads no clock, no network and no database. [Station] puts it into the way of calls.
//
// # What a call does
//
// A call of a tool is a list of accesses, each an operation on a resource. They follow from the declared mapping of
// the tool and the arguments of the call: the values of the named arguments are the resources, brought into one form
// first (see [Path], [URL] and [Name]); of an operation of an HTTP API it is the path of the request, as it is sent. A tool without a mapping does what its server's annotations say if the
// server is trusted, and else writes to a resource without a name. What can be read in two ways is refused, not guessed.
//
// # Who permits it
//
// Every access must be permitted; what nothing permits is denied. Each permission of an agent is a permit in Cedar; its
// globs are matched here, because Cedar's own patterns know no segments, and Cedar is told which permissions' globs
// matched. The operator's own Cedar files are evaluated with them: their permits add, and their forbids win. A rule that
// can not be evaluated denies the call: Cedar by itself would skip it, a forbid too. Calls of models by agents
// whose models are not restricted skip Cedar where there are no such files; the result is the same.
//
// A break-glass grant stands in for a permission that is missing, never against a forbid.
//
// # Globs
//
// A "*" matches within a segment of a path, "**" across segments, and a bare "*" everything. Ids of tools and names of
// models are one segment, whatever they contain. A resource without a name is covered by the bare "*" alone.
//
// # Risk and approval
//
// Reading and calling models is of low risk, writing of medium, deleting of high. Rules in CEL raise it and never
// lower it; one that can not be evaluated counts as true. The risk gives the tier, the first approval rule that fits
// replaces the tier, an agent with requires_approval has one approver for everything but models whatever those rules say, and a
// write or deletion of high risk keeps at least one approver whatever is relaxed.
//
// # Invariants
//
//   - An error or a panic means no.
//   - The order of permissions and Cedar files changes no decision.
//   - The version is a hash of the text of all that decides: the same text decides alike.
package policy
