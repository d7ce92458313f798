// Package held keeps calls open whose callers are asked for something meanwhile, and come back with the answer in another
// request.
//
// # Concepts
//
// A call runs in a goroutine of its own ([Calls.Begin]). Somebody waits for it ([Call.Wait]) until it has ended, or until
// what it uses asks its caller something ([Call.Ask]). Then who waited is handed the questions and a ticket, and leaves; the call is
// held. Whoever brings the ticket back with answers takes the call up again ([Calls.Resume]), and waits for what comes next.
// Who waits at the moment is the call's listener ([Call.Listener]): what is said meanwhile is said to nobody else.
//
// # Format
//
// A ticket is "holder.call.turn": this process, the call, and how often its questions were handed out. It proves nothing and
// is bound to nobody. That is the work of who hands it out.
//
// # Invariants
//
//   - A ticket takes a call up once. One that brings malformed answers takes up nothing, and can be brought again.
//   - A call is held for at most [For] without its caller. Then it is cancelled, and ends as one that nobody has answered.
//   - Held calls are bounded for each key and each server, together with calls that wait and end with their requests
//     ([Calls.Occupy]). The question beyond is refused, and its call goes on.
//   - A call that has ended while nobody waited keeps its result for its caller for as long as it would have been held.
//   - No call and no goroutine outlives [Calls.Close].
package held
