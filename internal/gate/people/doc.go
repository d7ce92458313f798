// Package people knows whom identity providers (OpenID Connect) vouch for.
//
// # Concepts
//
//   - A [Provider] is one identity provider as the operator has configured it. What it says of itself (discovery) is read
//     when it is needed first, and tried again when that fails: a provider that is down delays nobody but its own people.
//   - [People.Begin] and [People.Finish] are the two ends of a login: the code flow with PKCE (S256). What the second needs
//     of the first is in a cookie, sealed by a key that all replicas have.
//   - [People.Bearer] takes a signed token (JWT) that a program presents to the control API.
//   - Claims become a tenant, a team and one of the six roles as the provider's configuration says; somebody for whom that
//     gives no tenant or no role is refused.
//   - [People.Key] gives a person the shape of an API key: its id is "person:", the provider's id, ":", and the subject.
//     It opens the control API and the console.
//   - [People.Caller] takes a token with which an agent calls the MCP endpoints, as a resource server does (RFC 9728, RFC
//     8707). Its client ([Client]) is the agent: a program that people use, whose person the token stands for, or one that
//     works by itself, with the id "client:", the provider's id, ":", and its own. [People.Resource] and [People.Challenge]
//     tell clients where to get one.
//
// # What is checked of a token
//
// The algorithm is one of [Algorithms], all of them asymmetric; the signature is that of a key that the provider publishes
// now; the issuer is exactly the provider's; the audience is ours; it has a subject; it has not expired and is valid
// already, give or take [Skew]; it is no token of another kind (logout, security event) and is not bound to a key that its
// bearer would have to prove. At a login the nonce must be the one that was sent, too.
//
// # Invariants
//
//   - No token, code, secret or claim is put into an error's message.
//   - What comes from a provider is bounded, in bytes and in time, and no redirect of it is followed.
//   - Keys are fetched at most every [KeysInterval], whatever tokens are presented.
package people
