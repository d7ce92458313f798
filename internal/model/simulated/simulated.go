// Package simulated is a model that is none: it makes up answers, so that everything around a model can be seen and
// tested without one.
//
// # Concepts
//
// A [Transport] stands where the network would: it takes the request that would go to a provider, in OpenAI's chat format,
// and answers as one would, with tokens that are counted, delays, streams and failures. All else (translation, time-outs,
// fallbacks, the meaning of failures) is what real providers go through. Whatever it says begins with [Label].
//
// An answer is a function of the seed, the request's bytes and the number of the attempt: the same question gets the same
// answer and the same failure, and a fallback to a second simulated model is not bound to fail as the first one did.
//
// # Behaviour
//
// The delay until the first byte is log-normal through two quantiles. A stream comes in pieces of about a token at the
// configured pace. A request with tools is answered, at a rate, by a call of one of them with arguments that fit its
// schema's plain types; after a tool's result comes a text. A token is [BytesPerToken] bytes.
//
// # Scripts
//
// Lines of the last user message that begin with "simulate:" say what happens instead; see [ParseScript].
package simulated

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/provider"
)

// Label begins every text of a simulated model.
const Label = "[simulated] "

// BytesPerToken is how many bytes of text count as one token.
const BytesPerToken = 4

// Failure is a way to fail.
type Failure string

// The failures.
const (
	RateLimited Failure = "rate_limited" // 429 with Retry-After.
	Overloaded  Failure = "overloaded"   // 503.
	Broken      Failure = "error"        // 500.
	Reset       Failure = "reset"        // The connection breaks before the answer.
	Truncated   Failure = "truncated"    // The answer breaks off in the middle.
	Hang        Failure = "hang"         // No answer ever.
)

// Failures lists the failures.
func Failures() []Failure {
	return []Failure{RateLimited, Overloaded, Broken, Reset, Truncated, Hang}
}

// Config says how the model behaves.
type Config struct {
	Seed            int64
	LatencyP50      time.Duration // Until the first byte, in half of the calls.
	LatencyP95      time.Duration // Until the first byte, in 95 % of the calls.
	TokensPerSecond int64         // Pace of what follows; 0 is no delay.
	MinOutput       int64         // Tokens of an answer, at least.
	MaxOutput       int64         // Tokens of an answer, at most.
	FailureRate     float64       // Share of attempts that fail, 0 to 1.
	Failures        []Failure     // How they fail.
	ToolCallRate    float64       // Share of calls with tools that are answered by calling one, 0 to 1.

	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error // Nil is [Sleep].
}

// Sleep waits for d or until ctx ends, and gives the context's error then.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Backend serves calls with a simulated model. It is safe for concurrent use.
type Backend struct{ provider *provider.Backend }

// New makes a backend. The time-outs are those of any provider.
func New(id string, c Config, timeouts provider.Timeouts) (*Backend, error) {
	p, err := provider.New(provider.Config{
		ID: id, Format: signalbox.ProtocolOpenAIChat, BaseURL: "http://simulated.invalid/v1", Timeouts: timeouts,
		Transport: NewTransport(c), Now: c.Now,
	})
	if err != nil {
		return nil, err
	}
	return &Backend{provider: p}, nil
}

// Open makes up an answer.
func (b *Backend) Open(
	ctx context.Context, t *call.Track, c signalbox.Candidate, span signalbox.Span,
) (call.Upstream, error) {
	return b.provider.Open(context.WithValue(ctx, attemptKey{}, len(t.Attempts)), t, c, span)
}

type attemptKey struct{}

// Transport answers requests in OpenAI's chat format. It is safe for concurrent use.
type Transport struct{ config Config }

// NewTransport makes a transport.
func NewTransport(c Config) *Transport {
	if c.Sleep == nil {
		c.Sleep = Sleep
	}
	return &Transport{config: c}
}

// RoundTrip answers one request.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	arrived(r)
	q, err := readQuestion(body)
	if err != nil {
		return respond(r, http.StatusBadRequest, errorBody("invalid_request_error", err.Error())), nil
	}
	attempt, _ := r.Context().Value(attemptKey{}).(int)
	s := &session{config: t.config, question: q, random: source(t.config.Seed, body, attempt), attempt: attempt}
	return s.answer(r)
}

// arrived tells what a real transport tells by now: there is a connection, and the upstream has the request, so that what
// fails from here on may have been acted on.
func arrived(r *http.Request) {
	trace := httptrace.ContextClientTrace(r.Context())
	if trace == nil {
		return
	}
	if trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
}

// source is the randomness of one attempt.
func source(seed int64, body []byte, attempt int) *rand.Rand {
	h := sha256.New()
	var head [16]byte
	binary.BigEndian.PutUint64(head[:8], uint64(seed))
	binary.BigEndian.PutUint64(head[8:], uint64(attempt))
	h.Write(head[:])
	h.Write(body)
	sum := h.Sum(nil)
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:]))) //nolint:gosec // Repeatable on purpose.
}

// latency draws from the log-normal distribution with the configured quantiles, cut at ten times the upper one.
func (c Config) latency(random *rand.Rand) time.Duration {
	z := random.NormFloat64()
	if c.LatencyP50 <= 0 || c.LatencyP95 < c.LatencyP50 {
		return max(c.LatencyP50, 0)
	}
	const z95 = 1.6448536269514722 // The 95 % quantile of the standard normal distribution.
	sigma := math.Log(float64(c.LatencyP95)/float64(c.LatencyP50)) / z95
	return time.Duration(min(float64(c.LatencyP50)*math.Exp(sigma*z), 10*float64(c.LatencyP95)))
}

// pace is the delay between two tokens.
func (c Config) pace() time.Duration {
	if c.TokensPerSecond <= 0 {
		return 0
	}
	return time.Second / time.Duration(c.TokensPerSecond)
}
