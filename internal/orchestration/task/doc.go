// Package task makes calls later, in place of their callers, once people have agreed to them.
//
// # Concepts
//
// A task ([signalbox.Task]) is one call that waits for one approval. It is opened for a caller who need not stay
// ([Keeper.Open]); he asks what it came to ([Keeper.Get]), or ends it ([Keeper.Cancel]). When the approval is given,
// [Keeper.Run] makes the call, in whichever process is the first to claim the task: as the same caller, with the same bytes,
// through all the stations, which judge it anew.
//
// A call that was made may become a task of its server: then the server works on it, and here is kept whose it is and what the
// server calls it ([Keeper.Accept]), and noted when it has ended ([Keeper.Finish]). What it came to is the server's to say. One
// that has not ended when it expires has failed.
//
// [Decide] says what becomes of a task by an event, and [Next] what is to be done about one. Both are pure: all rules are in
// them.
//
// # Format
//
// A task is opened by an admin record. That its call is under way is written with the call's intent, in the transaction that
// uses up the approval; what the call came to with its outcome. Where a task ends without a call, that is an admin record.
// A server's task is opened by the outcome of its call; its end is an admin record.
//
// What is about people (user, request, result, error) is sealed under the key of the call's data subject, with
//
//	"task\n" tenant "\n" id
//
// authenticated. Once a task is final its request is not kept any more, but its result.
//
// # Invariants
//
//   - A task is durable before anybody is told of it, and final before its result is.
//   - Its call is made at most once: it is begun only by who holds the task's claim and has read that it waits; with the
//     intent it stops to wait. Whoever finds one that runs, and can claim it, knows that nobody makes the call any more: it
//     failed, and what the tool has done is not known.
//   - Only its own approval admits its call; a call that people have to be asked about anew fails.
//   - A task is told of to nobody but who made it: same tenant, key, agent, user, and server.
//   - For one approval there is one task that has not ended.
package task
