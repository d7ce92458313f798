// Package mcp serves MCP servers to the clients of agents, every act as a governed call.
//
// # Concepts
//
// Each configured server is an upstream: a Streamable HTTP endpoint, or a child process that speaks over its standard
// input and output, or a REST API whose OpenAPI document stands for one. [Servers] holds them all. A caller reaches the server "files" under /mcp/files through the
// [Handler], and all servers together under /mcp. What acts on a server is a [signalbox.Call] of kind tool and passes the
// stations like any other: tools/call under the tool's name, resources/read, prompts/get and completion/complete under
// their methods' names. Servers is the [call.Backend] that sends it, and knows which tools exist ([Servers.Resolve]).
//
// # Both sides
//
// Towards callers we speak all versions from 2024-11-05 to 2026-07-28, from the bytes that they sent. A message that names
// its version in _meta is a modern one and stands by itself. All others are legacy ones: they need no session, but a caller
// who has declared that servers may ask him something gets one ([MaxSessions]).
//
// Towards upstreams we speak JSON-RPC ourselves. The SDK's client decodes results into structs, which loses members it
// does not know, turns large integers into floats and refuses contents of new types; and over HTTP a call that is
// cancelled while its answer is being read breaks the connection for all calls that share it. Ours sends and returns the
// bytes as they are, and calls share nothing but the session's id.
//
// # Format
//
// The answer of a call is one terminal part: the result object as the upstream wrote it, with isError where a tool failed.
// It goes out as a JSON message, or as the last of a stream of events where something was said before. A JSON-RPC error is an error of the call. Our refusals are JSON-RPC errors whose data holds
// code, message, remedy, field and request_id.
//
// # Lists and names
//
// A list shows what the policy shows to whoever asks ([FilterLists]). It decides nothing. Where the policy hides all of a
// server's tools, the list says so in its _meta, as [MetaPolicy]. A tool has one name, which is the server's, and no other
// spelling of it is one. What a server says of a tool (annotations) goes to the stations as a candidate's Annotations, and
// nothing here believes it; the hash of the whole entry is the candidate's Schema, so that an approval does not outlive a
// tool that its server has changed.
//
// Under /mcp tools and prompts have joint names, "server__name", closed by a hash where they are none that model APIs allow
// ([MaxJointName]). Names of one server that are easily taken for each other are not served there. Resources keep their
// URIs, and belong to the one server that lists them among those that the caller may read them from. A list waits for each
// server for [JointListWait]; who is missing is named in its _meta.
//
// # Forms of tools
//
// Each list that was read is shown to [Pins], which keeps in which form a tool may be used. A tool in another form is
// refused and not listed; the list says in its _meta, as [MetaHeld], how many are missing.
//
// # What servers say and ask
//
// What an upstream says while it works goes to the caller who waits: progress under a token of ours, log lines and
// questions in the stream of his request. A question is judged by the stations as an act of the caller's, under its method's
// name. A modern caller is handed it as a result (input_required) and makes his request again; what he gives back for the
// server is bound to him by a code ([SealStates]). A legacy caller is asked in his session. Of changes hears who listens;
// the upstream is listened to as long as somebody does.
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
// A caller of the newest protocol who has declared the extension [ExtensionTasks] is answered with a task instead
// ([KeepTasks]). What keeps tasks makes the call later, from the bytes of its request ([ParseCall]); here its states are told
// in the words of the protocol. The messages tasks/get, tasks/update and tasks/cancel have to be repeated in their headers.
// While a task waits nothing is asked of its caller, so that an update changes nothing.
//
// # Prices
//
// A call costs what is configured for its tool, else for its server. It is paid where it was sent and the server did not
// say that it has not run the tool (JSON-RPC's invalid request, method not found, invalid params; an error status): a tool
// that reports a failure of its own was called. The answer says the cost in X-Signalbox-Cost-Usd.
//
// # Servers that fail
//
// Each server has places: as many calls as Server.MaxCalls may be in flight, and a further one waits for Server.PlaceWait and is
// then turned away. A breaker ([breaker.Breaker]) gives a server that fails in a row a pause in which calls are refused at once;
// then one call is let through as a probe. An answer is no failure, whatever it says; a time-out, a broken connection, a status
// of 5xx, and an answer that is none are. Another breaker, with pauses of its own, stands before attempts to connect. Neither
// knows of other servers, and nobody waits for them but callers of the server.
//
// A child runs under a keeper ([keeper.Start]), which ends all of it with us. One that dies, writes what is no message, answers a
// request that was never made, or floods us ([MaxUnasked]) is ended and started again at the next call; so is one that has
// opened the breaker and then does not even answer a ping. What the caller reads of the reason is in our words.
//
// Nothing is sent twice, with two exceptions. A server over HTTP that answers 404 in a session has forgotten the session, and
// says by it that it has not looked at the request. Then a new session is opened and the request sent in it, once. One that
// answers 401 to a token of ours has not looked at it either: the token is renewed, and the request sent with it, once.
//
// # Credentials
//
// What a server demands is in its configured headers, or an [Authorizer] gives it for each request: of the call's caller, or
// of nobody for the handshake and the list, which all callers share. The caller's own credential is never among them.
//
// # Invariants
//
//   - A tools/call is sent once, and the arguments are the bytes that were checked. One that was answered 401 has reached no
//     tool; it is sent once more if there is a new credential.
//   - An upstream is connected at its first use, by one attempt that everybody who needs it waits for, and never by the
//     goroutine of a caller; nobody waits for another upstream than his own.
//   - A child sees PATH, HOME, LANG, TMPDIR and what is configured for it; it and all its descendants are dead when Close
//     returns, and soon after Signalbox was killed (other systems than Linux: see package keeper).
//   - An unreachable upstream is an error, never an empty list of tools.
//   - An act has a record, also where its message is refused, and goes to the stations at most once for each record.
//   - The id of an answer is that of its request.
//   - What an upstream asks reaches only the caller on whose behalf it works, and only if it is permitted.
//
// # Not built yet
//
// Headers that mirror parameters (x-mcp-header) towards upstreams, tasks of upstreams, questions of legacy upstreams to modern
// callers and of children to anybody, notifications about tasks.
package mcp
