// Package idempotency lets a caller make a call of a tool at most once, however often he sends it.
//
// # Concepts
//
// A caller who sends an idempotency key with a call can send the call again when he does not know what became of it: within a
// time, one key makes at most one call. A key belongs to who sends it (tenant, API key or identity, user); another's key
// is another one, be it the same text. [Slot] names both together, and [Hash] what is asked for.
//
// The use of a key ([signalbox.Idempotency]) is written with the intent of the call that it makes, and what the call came to
// with its outcome. [Next] says what is to be done when a key is presented, [Decide] what becomes of its use by an event, and
// [Came] what the end of the call means for it. All three are pure: the rules are in them. [Keeper.Station] does the rest.
//
// # What a presentation comes to
//
//   - The key is free: the call goes on to the next station. It uses the key with its intent, so that a call which is
//     refused before that (an approval is missing, a budget is used up) leaves the key free.
//   - The call that used the key is under way: conflict, with a time to come back.
//   - It has ended, and asked for the same: its result or error is given again, and no call is made.
//   - It has ended, and its result is too large to be kept, or was erased with its subject, or it was cancelled, or nobody
//     knows how it ended: conflict. The call is not made again.
//   - The key was used to ask for something else: conflict.
//
// A call that its server has said not to have carried out, that was never sent, or that was answered with a question
// frees its key again.
//
// # Format
//
// What a call came to is sealed under the key of its data subject, with
//
//	"idempotency\n" tenant "\n" slot in hex
//
// authenticated. Neither the idempotency key nor the arguments are kept, only digests; that of the arguments can not be
// guessed by who does not know the key.
//
// # Invariants
//
//   - A key is used by a call only under the claim of its slot, which is held until the outcome is durable. Whoever has the
//     claim and reads that a call is under way knows that nobody makes it any more: how it ended is not known.
//   - A presentation passes the stations before this one: who may not make the call any more is not told what it came to.
//   - What is given again is given to who has used the key, and for the same request, alone.
package idempotency
