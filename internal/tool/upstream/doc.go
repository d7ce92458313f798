// Package upstream sends governed calls to tool servers.
//
// # Concepts
//
// Each configured server is an upstream: a Streamable HTTP endpoint (configured, or named by a card), or a child process that speaks over its standard
// input and output, or a REST API whose OpenAPI document stands for one. [Servers] is the set of those of one configuration. It is the [call.Backend]
// that sends what the stations have let pass, and knows which tools exist ([Servers.Resolve]). What acts on a server is a
// [signalbox.Call] of kind tool: tools/call under the tool's name, resources/read, prompts/get and completion/complete under
// their methods' names.
//
// A [Server] is one of them and the session with it, which everybody who calls it shares. Its lists are kept for a moment
// and read by one attempt that all who need them wait for. Who asks for a list itself gets none that is older than the server
// allows ([ForCaller]); what a call needs of it is believed for longer.
//
// When the configuration changes, another set comes in place of the one in force (Options.Before). A server whose connection is
// configured alike is in both, with its child, session, lists, places and breakers, and ends with the last set that it is in. What
// its calls cost is the set's.
//
// # Format
//
// We speak JSON-RPC ourselves, in the version 2026-07-28 where the server knows it, else in an older one. The SDK's client
// decodes results into structs, which loses members it does not know, turns large integers into floats and refuses contents
// of new types; and over HTTP a call that is cancelled while its answer is being read breaks the connection for all calls
// that share it. Ours sends and returns the bytes as they are, and calls share nothing but the session's id. The answer of a
// call is one terminal part: the result object as the server wrote it, with isError where a tool failed. A JSON-RPC error is
// an error of the call.
//
// # Names
//
// A tool has one name, which is the server's, and no other spelling of it is one. What a server says of a tool (annotations)
// goes to the stations as a candidate's Annotations, and nothing here believes it; the hash of the whole entry is the
// candidate's Schema, so that an approval does not outlive a tool that its server has changed. Where servers are joined,
// tools and prompts have joint names ([JointNames]): "server__name", closed by a hash where they are none that model APIs
// allow ([MaxJointName]).
//
// # Forms of tools
//
// Each list that was read is shown to [Pins], which keeps in which form a tool may be used. A tool in another form is
// refused and left out by [Server.Usable].
//
// # What servers say of themselves
//
// What a server can do and how it is to be used it says in the handshake ([Server.Declared], [Server.Instructions]). A modern one is
// asked again, as for its lists. Instructions are shown to [Pins] as if they were a tool, once for each time that they are heard.
//
// # What servers say and ask
//
// What a server says while it works goes to the [Caller] who waits, whom the context of the call carries: progress under a
// token of ours, log lines, and questions of legacy servers. While one is open the limit of the call stands still. Who that is, whether
// he may be asked and how he is told, is not known here. A question belongs to the call in whose stream it comes; a child has one call at a time
// where it may ask (Config.Asks), and is ended with a call that it leaves unanswered. Of changes hears who watches ([Server.Watch]); the server is listened to as long as somebody does.
//
// # Tasks
//
// A server may make a task of a call, where it was told that its caller knows tasks, or wants one ([Terms]). The caller is
// told ([Caller]), and the server is asked about it by [Server.AboutTask]. A task of an older version lives in one session. A child
// that may ask makes none of that version: what it asks for a task would be taken for a question of the call that it works on by then.
//
// # Prices
//
// A call costs what is configured for its tool, else for its server; an act of another method costs what is configured for
// that method, and else nothing. It is paid where it was sent and the server did not
// say that it has not run the tool (JSON-RPC's invalid request, method not found, invalid params; an error status): a tool
// that reports a failure of its own was called.
//
// # Servers that fail
//
// Each server has places: as many calls as Config.MaxCalls may be in flight, and a further one waits for Config.PlaceWait and is
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
//   - A server is connected at its first use, by one attempt that everybody who needs it waits for, and never by the
//     goroutine of a caller; nobody waits for another server than his own.
//   - A child sees PATH, HOME, LANG, TMPDIR and what is configured for it; it and all its descendants are dead when Close
//     returns, and soon after Signalbox was killed (other systems than Linux: see package keeper).
//   - An unreachable server is an error, never an empty list of tools.
//   - What a server asks reaches only the caller on whose behalf it works. What can not be told whose it is reaches nobody.
//   - Headers that repeat arguments are written from the arguments that were checked.
//
// # Not built yet
//
// Questions that a legacy server asks outside of a call's stream.
package upstream
