package wire

import (
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
)

// Target is what a request is written for.
type Target struct {
	// Model is the name by which the provider knows the model.
	Model string
	// MaxOutput is the most output tokens the model can give; 0 is unknown.
	MaxOutput int64
	// Limit is the limit of output tokens that is sent, whatever the caller wrote; 0 leaves the caller's own.
	Limit int64
	// OldMaxTokens writes the limit of output tokens as max_tokens for OpenAI backends that do not know
	// max_completion_tokens, unless the caller of OpenAI's format has chosen one of them.
	OldMaxTokens bool
}

// DefaultMaxTokens is the limit of output tokens sent to Anthropic, which demands one, if neither the caller nor the
// [Target] has one.
const DefaultMaxTokens = 4096

// Asked is what the translation of an answer must know of its request.
type Asked struct {
	// Choices is how many answers were asked for; below 1 counts as 1.
	Choices int
	// UsageWanted says that the caller asked for usage in the stream.
	UsageWanted bool
	// Created is when the answer began. Chunks in OpenAI's format carry it where the upstream gave no time.
	Created time.Time
}

// Answer is a whole answer in the caller's format.
type Answer struct {
	Body []byte
	// Report is what the upstream said about the answer; HTTPStatus is left to the caller of this package.
	Report call.Report
	// UsageFault says why Report.Usage is nil. It is empty if there is a usage.
	UsageFault string
}

// Pair translates between a caller's format and a backend's. Pairs have no state and are safe for concurrent use.
type Pair interface {
	// Request writes a request, which has passed the format's parser, for the target. An error is a *signalbox.Error with
	// code invalid that names the field which can not be carried over.
	Request(body []byte, t Target) ([]byte, error)
	// Response reads the body of an answer with status 200. An error is a *signalbox.Error: the upstream's own if the
	// body is an error after all, else code upstream.
	Response(body []byte, a Asked) (Answer, error)
	// Stream begins the translation of one stream.
	Stream(a Asked) Stream
}

// Stream translates the events of one stream. It belongs to one goroutine.
type Stream interface {
	// Feed takes the next event and returns what the caller should get now, which may be nothing. The terminal part is
	// returned on the upstream's own end marker, once; events after it are ignored. An error is a *signalbox.Error: the
	// upstream's own if it sent one inside the stream, or code upstream if the event makes no sense. The stream is
	// broken then.
	Feed(e sse.Event) (call.Part, error)
	// End says whether the stream was complete when the upstream closed it: nil after the terminal part, else a
	// *signalbox.Error with code upstream.
	End() error
	// Report is what is known so far; it is complete after the terminal part.
	Report() call.Report
	// UsageFault says why the report has no usage; empty if it has one.
	UsageFault() string
}

// PairOf returns the pair of a caller's and a backend's format, or false if there is none.
func PairOf(client, backend signalbox.Protocol) (Pair, bool) {
	p, ok := pairs[[2]signalbox.Protocol{client, backend}]
	return p, ok
}

var pairs = map[[2]signalbox.Protocol]Pair{
	{signalbox.ProtocolOpenAIChat, signalbox.ProtocolOpenAIChat}: openAIToOpenAI{},
	{signalbox.ProtocolOpenAIChat, signalbox.ProtocolAnthropic}:  openAIToAnthropic{},
	{signalbox.ProtocolAnthropic, signalbox.ProtocolOpenAIChat}:  anthropicToOpenAI{},
	{signalbox.ProtocolAnthropic, signalbox.ProtocolAnthropic}:   anthropicToAnthropic{},
}
