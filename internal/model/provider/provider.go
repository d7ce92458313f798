// Package provider sends calls to model providers over HTTP and gives back their answers in the caller's format.
//
// # Concepts
//
// A [Backend] is one provider of the configuration: an address, a credential, and the wire format that is spoken there.
// Package wire translates between that format and the caller's; this package moves the bytes, bounds time and size, and
// decides what a failure means.
//
// # What is sent
//
// The request that wire has written, once. Redirects are not followed, compressed answers are not asked for, and no proxy
// is taken from the environment: what an operator did not configure does not happen. Of the caller's headers only those
// that belong to the format go on (see [Forwarded]), and only to a provider of the same format; never its credential. The
// span of the attempt goes out as traceparent, with the caller's tracestate; its baggage only where the provider is
// trusted with it; the request id as X-Request-Id.
//
// # Time
//
// Four limits run: until there is a connection, until the answer begins (its head, and in a stream its first part), between
// two reads, and in total. The error says which one it was. When the caller's context ends, the exchange is cut at once.
//
// # What a failure means
//
// Another candidate may serve unless the caller's own request is to blame (400, 413, 422 and the like). An unary answer
// is read as a whole, and a stream up to its first part, before Open returns: what breaks until then can still be served by
// the next candidate. What breaks later is an error of Next.
package provider

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/price"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// Limits of answers. A single event of a stream is bounded by sse.MaxEventBytes.
const (
	MaxAnswerBytes = 64 << 20  // A whole answer.
	MaxStreamBytes = 256 << 20 // All events of a stream together.
	MaxErrorBytes  = 64 << 10  // What is read of an error answer.
)

// Timeouts bound an exchange. A zero field is the default of the same name.
type Timeouts struct {
	Connect   time.Duration // Until there is a connection, names and TLS included.
	FirstByte time.Duration // From the connection to the answer's head, and in a stream to its first part.
	Idle      time.Duration // Between two reads of the answer.
	Total     time.Duration // The whole exchange.
}

// Default time-outs. Reasoning models are silent for minutes before they answer.
const (
	DefaultConnect   = 5 * time.Second
	DefaultFirstByte = 2 * time.Minute
	DefaultIdle      = time.Minute
	DefaultTotal     = 10 * time.Minute
)

func (t Timeouts) orDefaults() Timeouts {
	pick := func(d, otherwise time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return otherwise
	}
	return Timeouts{
		Connect: pick(t.Connect, DefaultConnect), FirstByte: pick(t.FirstByte, DefaultFirstByte),
		Idle: pick(t.Idle, DefaultIdle), Total: pick(t.Total, DefaultTotal),
	}
}

// The addresses of the providers that have one.
const (
	AnthropicURL = "https://api.anthropic.com/v1"
	OpenAIURL    = "https://api.openai.com/v1"
)

// Config says how to reach a provider. ID, Format, BaseURL and Now are required.
type Config struct {
	ID           string // The provider's id in the configuration, for errors.
	Format       signalbox.Protocol
	BaseURL      string            // http or https, without the endpoint's own path; a version ("/v1") belongs to it.
	APIKey       string            // "" sends no credential.
	Headers      map[string]string // Sent with every request besides; they win over all others.
	Timeouts     Timeouts
	OldMaxTokens bool // The provider does not know OpenAI's max_completion_tokens.
	Baggage      bool // The provider may see the caller's baggage.
	Transport    http.RoundTripper
	Now          func() time.Time
}

// Backend is one provider. It is safe for concurrent use.
type Backend struct {
	config    Config
	endpoint  string
	timeouts  Timeouts
	transport http.RoundTripper
	hidden    bool // A vendor's own API answers there: what its models think is not all shown.
}

// New makes a backend. With a nil Transport it gets one of its own; [Backend.Close] releases its idle connections.
func New(c Config) (*Backend, error) {
	path, ok := paths[c.Format]
	if !ok {
		return nil, fmt.Errorf("provider %q: no wire format %q", c.ID, c.Format)
	}
	base, err := url.Parse(c.BaseURL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("provider %q: base_url must be an absolute http or https address", c.ID)
	}
	b := &Backend{config: c, timeouts: c.Timeouts.orDefaults(), transport: c.Transport}
	b.hidden = price.VendorAt(base.Hostname()) != ""
	b.endpoint = base.JoinPath(path).String()
	if b.transport == nil {
		b.transport = newTransport(b.timeouts.Connect)
	}
	return b, nil
}

// paths are the endpoints below the base address.
var paths = map[signalbox.Protocol]string{
	signalbox.ProtocolOpenAIChat: "chat/completions",
	signalbox.ProtocolAnthropic:  "messages",
}

// Close closes connections that are not in use.
func (b *Backend) Close() {
	if t, ok := b.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// Open sends the call to the candidate. Errors are [*call.AttemptError].
func (b *Backend) Open(
	ctx context.Context, t *call.Track, c signalbox.Candidate, span signalbox.Span,
) (call.Upstream, error) {
	pair, ok := wire.PairOf(t.Call.Protocol, c.Format)
	if !ok || c.Format != b.config.Format {
		err := signalbox.Errorf(signalbox.CodeNotImplemented, "Calls in the format %s can not be sent to the provider %q.",
			t.Call.Protocol, b.config.ID).WithRemedy("Use a model of another provider.")
		return nil, &call.AttemptError{Err: err, Next: true}
	}
	if err := tooWide(t.Call, c); err != nil {
		return nil, &call.AttemptError{Err: err, Next: true}
	}
	target := wire.Target{
		Model: c.Upstream, MaxOutput: c.MaxOutput, Limit: t.MaxOutput(), OldMaxTokens: b.config.OldMaxTokens,
	}
	body, err := pair.Request(t.Call.Body, target)
	if err != nil { // A candidate with the caller's own format may carry what this one can not.
		return nil, &call.AttemptError{Err: signalbox.AsError(err), Next: true}
	}
	x := newExchange(ctx, b)
	upstream, err := x.open(t.Call, pair, b.request(x.ctx, t.Call, c, span, body))
	if err != nil {
		x.close()
		return nil, err
	}
	return upstream, nil
}

// wideBeta begins the beta header that widens a model's context window, to wideWindow tokens.
const (
	wideBeta   = "context-1m"
	wideWindow = 1_000_000
)

// tooWide refuses a call that asks for a wider context window than the candidate is known to have: what it may cost was
// bounded by the narrow one.
func tooWide(c *signalbox.Call, to signalbox.Candidate) *signalbox.Error {
	if c.Model == nil || c.Protocol != to.Format || to.ContextWindow == 0 || to.ContextWindow >= wideWindow ||
		!strings.Contains(c.Model.Headers["anthropic-beta"], wideBeta) {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeUnsupported,
		"anthropic-beta: %s asks for a context window of %d tokens, and that of %q is set to %d.", wideBeta, wideWindow, to.Name, to.ContextWindow).
		WithField("anthropic-beta").
		WithRemedy("Leave it out, or have the operator set the model's context_window to 1000000.")
}

// request writes the HTTP request.
func (b *Backend) request(
	ctx context.Context, c *signalbox.Call, to signalbox.Candidate, span signalbox.Span, body []byte,
) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.endpoint, bytes.NewReader(body))
	if err != nil {
		panic(err) // New has parsed the address, and the method is a constant.
	}
	r.Header = b.header(c, to, span)
	return r
}

// Forwarded are the headers of a caller that go on to a provider of the same format, in lower case.
func Forwarded(format signalbox.Protocol) []string {
	switch format { //nolint:exhaustive // Other formats have none.
	case signalbox.ProtocolAnthropic:
		return []string{"anthropic-version", "anthropic-beta"}
	case signalbox.ProtocolOpenAIChat:
		return []string{"openai-beta"}
	}
	return nil
}

// header makes the head of a request.
func (b *Backend) header(c *signalbox.Call, to signalbox.Candidate, span signalbox.Span) http.Header {
	h := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"signalbox"}, "Accept": {"application/json"}}
	if c.Stream {
		h.Set("Accept", eventStream)
	}
	if to.Format == signalbox.ProtocolAnthropic {
		h.Set("Anthropic-Version", "2023-06-01")
	}
	if c.Protocol == to.Format && c.Model != nil {
		for _, name := range Forwarded(to.Format) {
			if value := c.Model.Headers[name]; value != "" {
				h.Set(name, value)
			}
		}
	}
	b.credential(h, to.Format)
	h.Set("Traceparent", span.Traceparent())
	setIf(h, "Tracestate", span.State)
	if b.config.Baggage {
		setIf(h, "Baggage", span.Baggage)
	}
	setIf(h, "X-Request-Id", c.RequestID)
	for name, value := range b.config.Headers {
		h.Set(name, value)
	}
	return h
}

func (b *Backend) credential(h http.Header, format signalbox.Protocol) {
	switch {
	case b.config.APIKey == "":
	case format == signalbox.ProtocolAnthropic:
		h.Set("X-Api-Key", b.config.APIKey)
	default:
		h.Set("Authorization", "Bearer "+b.config.APIKey)
	}
}

func setIf(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, strings.TrimSpace(value))
	}
}
