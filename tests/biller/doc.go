// Package biller is a model provider and a tool server for tests that keep books: what a provider would bill is on
// record here, call by call, to be compared with what Signalbox has settled.
//
// # What it bills
//
// The worst case that a provider may: everything it has decided to say is billed when it begins to say it, whether or
// not anybody stays to hear it. Refusals (an error status) are free. Orders are found by the caller's X-Request-Id, which
// Signalbox hands on.
//
// # How it is told what to do
//
// By words of the prompt, so that nothing but the request itself chooses: "out=40" bills and says 40 tokens. A word with
// the name of a model and a full stop before it ("one.status=500") holds for that model only. See [Wish].
package biller
