// Package conformance runs the protocol's own conformance suite through the gateway.
//
// Behind the gateway stands the everything-server of the official Go SDK, once as a server of the newest version and once as
// one of the older versions. Before it stands a hop that adds a key: the suite has none to send, and there is no anonymous
// mode. The suite's frozen sets of requirements, one for each era of the protocol, must pass as a whole; scenarios that the
// suite itself does not score, such as tasks, are not looked at.
package conformance
