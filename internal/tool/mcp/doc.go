// Package mcp serves the tools of MCP servers as governed calls.
//
// # Concepts
//
// Each configured server is an upstream: a Streamable HTTP endpoint, or a child process that speaks over its standard
// input and output, or a REST API whose OpenAPI document stands for one. [Servers] holds them all. A caller reaches the server "files" under /mcp/files through the
// [Handler]; each tools/call becomes a [signalbox.Call] of kind tool and passes the stations like any other. Servers
// is the [call.Backend] that sends it, and knows which tools exist ([Servers.Resolve]).
//
// # Which half is whose
//
// Towards callers the official SDK speaks the protocol, in its stateless form, which serves all protocol versions from
// 2024-11-05 to 2026-07-28. Only tools/list, tools/call and what is about tasks is answered by us, from raw bytes.
//
// Towards upstreams we speak JSON-RPC ourselves. The SDK's client decodes results into structs, which loses members it
// does not know, turns large integers into floats and refuses contents of new types; and over HTTP a call that is
// cancelled while its answer is being read breaks the connection for all calls that share it. Ours sends and returns the
// bytes as they are, and calls share nothing but the session's id.
//
// # Format
//
// The answer of a call is one terminal part: the result object of tools/call as the upstream wrote it, with isError
// where the tool failed. A JSON-RPC error is an error of the call. Our refusals are JSON-RPC errors whose data holds
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
// # Forms of tools
//
// Each list that was read is shown to [Pins], which keeps in which form a tool may be used. A tool in another form is
// refused and not listed; the list says in its _meta, as [MetaHeld], how many are missing.
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
// in the words of the protocol. The messages tasks/get, tasks/update and tasks/cancel are answered by us, before the SDK, and
// have to be repeated in their headers. Nothing is ever asked of a caller, so that an update changes nothing.
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
//   - A tools/call has a record, also where the SDK refused it, and goes to the stations at most once for each record.
//   - The id of an answer is that of its request: ids that the SDK can not keep are refused.
//
// # Not built yet
//
// Resources, prompts, completion, subscriptions and with them notifications about tasks, progress of upstreams, results of
// upstreams that ask for input or start a task, and headers that mirror parameters (x-mcp-header) towards upstreams.
package mcp
