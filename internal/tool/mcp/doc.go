// Package mcp serves MCP servers to the clients of agents, every act as a governed call.
//
// # Concepts
//
// A caller reaches the server "files" under /mcp/files through the [Handler], and all servers together under /mcp. What acts
// on a server is a [signalbox.Call] of kind tool and passes the stations like any other, under the tool's name or, for what
// is no tools/call, the method's. The servers themselves are package upstream's, which sends the call at the end of the
// stations; the Handler asks it for lists and changes.
//
// We speak all versions from 2024-11-05 to 2026-07-28, from the bytes that callers sent. A message that names
// its version in _meta is a modern one and stands by itself. All others are legacy ones: they need no session, but a caller
// who has declared that servers may ask him something gets one ([MaxSessions]).
//
// # Format
//
// The answer of a call goes out as a JSON message, or as the last of a stream of events where something was said before. Our
// refusals are JSON-RPC errors whose data holds code, message, remedy, field and request_id. An answer says what its call
// cost in X-Signalbox-Cost-Usd.
//
// # Handshake
//
// Under /mcp/files the handshake announces what we carry of what that server has declared, and passes its instructions on, to who may use
// something of it and as they are pinned. It waits for the server as a joint list does; where nothing is known, and under /mcp, all that
// we carry is announced. It is no call: nothing is recorded.
//
// # Lists and names
//
// A list shows what the policy shows to whoever asks ([FilterLists]). It decides nothing. Where the policy hides all of a
// server's tools, the list says so in its _meta, as [MetaPolicy]; how many tools are missing because they are held, as
// [MetaHeld].
//
// Under /mcp tools and prompts have joint names. Names of one server that are easily taken for each other are not served
// there. Resources keep their URIs, and belong to the one server that lists them among those that the caller may read them
// from; of a server that does not say, its last list counts. A list asks the servers that concern its caller ([AskFew]) and waits for each for [JointListWait]; who is missing is named
// in its _meta.
//
// A list goes to its caller no older than its server allows, and says how long he may keep it ([upstream.ForCaller]).
//
// # What servers say and ask
//
// What a server says while it works is told to the caller in the stream of his request. A question is judged by the stations
// as an act of the caller's, under its method's name. A modern caller is handed it as a result (input_required) and makes
// his request again; what he gives back is bound to him by a code ([SealStates]). A legacy server waits for it meanwhile: its
// call is held open ([HoldCalls]), and the request that brings the answer goes on with it. A legacy caller is asked in his
// session. Of changes hears who listens, of the servers that concern him. Sessions and open questions outlive the servers of a configuration ([Servers]).
//
// # Waiting for people
//
// A call that the stations refuse because a person must approve it waits for up to [DefaultApprovalWait] ([WaitForApprovals]),
// outside of the stations: it has its record, and holds nothing. A caller who sent a progressToken is answered with a stream
// of events, and hears every [ProgressEvery] that his call waits. When the approval is given, the same bytes are presented
// as a new call, with an id and a record of its own. When nobody decides in time, the answer is an error of code
// approval_required that says "pending" and names the approval; the same call, made again, waits for the same approval.
// A caller who leaves ends the wait and withdraws nothing.
//
// # Tasks
//
// A caller of the newest protocol who has declared the extension [rpc.ExtensionTasks] is answered with a task instead
// ([KeepTasks]). What keeps tasks makes the call later, from the bytes of its request ([ParseCall]); here its states are told
// in the words of the protocol. The messages tasks/get, tasks/update and tasks/cancel have to be repeated in their headers.
// While a task waits nothing is asked of its caller, so that an update changes nothing.
//
// A server may make a task of a call too. It is kept with the call's outcome, under a name of ours; what it has come to its
// server is asked, each time. What the server asks is judged before its caller sees it, and before his answer goes there.
// Callers of 2025-11-25 have words of their own for the tasks of servers of that version. Who listens is told of tasks by
// looking at them ([MaxTaskPoll]).
//
// # Invariants
//
//   - An act has a record, also where its message is refused, and goes to the stations at most once for each record.
//   - The id of an answer is that of its request.
//   - What a server asks reaches the caller only if it is permitted.
//   - A request that answers to a held call goes on with that call, or is refused. It never makes another one.
//
// # Not built yet
//
// Taking up a call that another process holds. Tasks across versions of the protocol.
package mcp
