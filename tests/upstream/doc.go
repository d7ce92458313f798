// Package upstream is a model provider for tests: a real HTTP server that speaks OpenAI's chat completions and
// Anthropic's messages as the providers do, remembers what it was sent, and breaks in every way that providers break.
//
// # What it answers
//
// POST …/chat/completions and POST …/messages, unary and as a stream. The text is always [Text]; a request with tools is
// answered by a call of the first of them, unless it brings a tool's result along. Usage is [Input] tokens of which
// [CacheRead] came from the cache, and one output token for each word, and it is in an OpenAI stream only if it was
// asked for, as at the provider.
//
// # How it is made to fail
//
// By the model's name, so that nothing but the request itself chooses: "fault-" and the name of one of [Faults]. The model
// [Long] answers so slowly that a test can go away in the middle.
//
// # What it remembers
//
// Each request with its header and body, how much of the answer was sent, what a provider would bill for it, and
// whether the client went away before the end. Requests are found by their X-Request-Id.
package upstream
