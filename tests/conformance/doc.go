// Package conformance runs the protocol's own conformance suite through the gateway.
//
// Behind the gateway stands the everything-server of the official Go SDK, once as a server of the newest version and once as
// one of the older versions. Before it stands a hop that adds a key: the suite has none to send, and there is no anonymous
// mode. The suite's frozen sets of requirements, one for each era of the protocol, must pass as a whole; of the scenarios that
// the suite itself does not score those about headers must pass, and others, such as tasks, are not looked at.
//
// In other scenarios the suite plays the server, and looks at how the gateway calls it: which headers it sends, and of which tools it
// makes no use.
package conformance
