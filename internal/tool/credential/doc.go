// Package credential gets the tokens with which Signalbox calls MCP servers that demand one.
//
// # Concepts
//
//   - A [Source] belongs to one server. With [ClientCredentials] there is one token, that of Signalbox itself. With
//     [TokenExchange] (RFC 8693) each caller who came with a token of an identity provider gets one of his own: his token goes
//     to the token endpoint, and what comes back goes to the server. Callers with API keys share the configured subject.
//   - What belongs to no caller (the handshake, the list of tools) is done with the configured subject or, where there is
//     none, as Signalbox itself.
//   - The token endpoint is configured, or found: the server names its authorization server (RFC 9728), which describes itself
//     (RFC 8414, OpenID Connect Discovery).
//
// # Invariants
//
//   - The token of a caller is sent to the token endpoint and to nobody else.
//   - Tokens are asked for with the server as the resource (RFC 8707), unless the configuration says otherwise.
//   - Whoever needs a token that is being fetched waits for that one; nobody waits longer than his context. One that is
//     about to expire is renewed while it is still used.
//   - Secrets go to addresses with TLS, or on this machine, and no redirect is followed. A server that is not on this machine can
//     name no authorization server that is.
//   - No secret and no token is part of an error.
//   - Tokens are kept in memory only, at most [MaxSubjects] of them for one server.
package credential
