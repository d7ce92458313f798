// Package approval lets risky calls wait until people have decided about exactly these calls.
//
// # Concepts
//
// An approval ([signalbox.Approval]) is a question about one canonical call ([Hash]): who calls what, with which
// arguments, under which rules. It is pending until it is approved, denied, expired, stale or withdrawn; what it is then
// is final. An approved one admits one later presentation of the same call, within a time, and executes nothing by itself.
//
// [Decide] says what becomes of an approval by an event. It is pure: all rules are in it. [Keeper] does the rest, for one
// process: its station ([Keeper.Station]) asks and admits, [Keeper.Vote] and [Keeper.Withdraw] take decisions, and
// [Keeper.Sweep] ends what nobody decides.
//
// # Format
//
// Every change is an admin record in the tenant, with the change itself ([signalbox.PutApproval]) as an effect of the same
// transaction; its resource is the approval, its run and trace are those of the call that asked. The use of an approval is
// an effect of the call's own intent, together with the hold of its money.
//
// What is about people (user, arguments, resources) is sealed under the key of the call's data subject, with
//
//	"approval\n" tenant "\n" id "\n" hash in hex
//
// authenticated, so that the arguments of one approval can not be shown as another's.
//
// # Invariants
//
//   - A call is admitted only by an approval of its tenant and hash that is approved, in time, and unused; the approval is
//     used up in the transaction of the call's intent. A call that is refused before that, by the ledger say, leaves it.
//   - An approval is changed only by who holds its claim, by what he has read while he held it. So replicas that do not
//     know of each other change it one after the other.
//   - For one hash there is one pending approval; it is made under a claim of the hash.
//   - A call that was denied asks nobody again for a while.
//   - Whoever asked never decides: not by the same key, not as the same user, not with a key of the agent.
//   - Nobody's approval counts twice. Keys and links without a user count as one person together.
//   - No claim outlives its call or its process. The store drops those of a process that is gone, once that can commit
//     nothing any more.
package approval
