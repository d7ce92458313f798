// Package harness runs the real binary for tests: it builds it (or takes the one that SIGNALBOX_BIN names), starts
// instances of it on free ports with databases of their own, and asks them through their HTTP API.
//
// # Use
//
// A test package calls [Main] from its TestMain. [Start] gives a running instance that is stopped at the end of the test;
// [Run] runs any other command to its end. An [Instance] offers requests ([Instance.Send]), the control API ([Instance.Get]),
// the record of a call ([Instance.Call]) and the whole log ([Instance.Log]).
//
// # Waiting
//
// Nothing here measures time. What may take a while is asked again until it is so, or until [Patience] is over, which is
// long enough for a busy machine: a test fails by it only if the thing never happens.
package harness
