package config

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
)

func providerTable(_ string, p *Provider) value {
	p.Timeouts = DefaultTimeouts()
	return object{fields: []field{
		need("kind", "Protocol: anthropic, openai, openai_compatible or simulated.", oneOf(&p.Kind, KindAnthropic, KindOpenAI, KindOpenAICompatible, KindSimulated)),
		key("api_key", "Credential; may be empty, then none is sent.", secret{into: &p.APIKey, empty: true}),
		key("base_url", "Where the API is, with its version, such as http://127.0.0.1:8000/v1.", endpoint{into: &p.BaseURL}),
		key("headers", "Headers to send besides.", headersTable(&p.Headers)),
		key("baggage", "Hand the caller's W3C baggage on to this provider; it may name users and tenants.", boolean(&p.Baggage)),
		key("timeouts", "Bounds of one attempt.", timeoutsTable(&p.Timeouts)),
		key("simulated", "How a simulated provider behaves.", simulatedTable(&p.Simulated)),
	}, check: func(s seen) { checkProvider(s, p) }}
}

// checkProvider also fills in the addresses of the providers that have one of their own.
func checkProvider(s seen, p *Provider) {
	switch p.Kind {
	case KindSimulated:
		s.refuse("a simulated provider contacts nothing", "api_key", "base_url", "headers", "baggage")
		return
	case KindAnthropic:
		p.defaultURL(DefaultAnthropicURL)
	case KindOpenAI:
		p.defaultURL(DefaultOpenAIURL)
	case KindOpenAICompatible:
		if !s.has("base_url") {
			s.problem("base_url", "is missing", "add it: an openai_compatible provider has no address of its own")
		}
	default:
		return // The kind is reported already.
	}
	s.refuse("belongs to providers of kind simulated", "simulated")
	p.Simulated = Simulated{}
}

func (p *Provider) defaultURL(url string) {
	if p.BaseURL.IsZero() {
		p.BaseURL = NewEndpoint(url)
	}
}

// ownHeaders are those that the HTTP client sets; a second value would change how the message is read.
var ownHeaders = []string{
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Trailer", "Te", "Keep-Alive", "Proxy-Connection",
}

func headersTable(into *map[string]Secret, own ...string) value {
	given := map[string]bool{}
	free := rule{check: func(r *reader, text, shown string, where place) {
		name := canonicalHeader(text)
		if slices.Contains(ownHeaders, name) || slices.Contains(own, name) {
			r.problem(where, "the header "+shown+" is set by Signalbox", "remove it")
		}
		if given[name] {
			r.problem(where, "the header "+shown+" is given twice; case does not count", "keep one")
		}
		given[name] = true
	}}
	return dictOf(into, each(headerText, free), func(_ string, s *Secret) value { return secret{into: s} })
}

func timeoutsTable(t *Timeouts) value {
	const least, most = time.Millisecond, 24 * time.Hour
	return object{fields: []field{
		key("connect", "Until the connection stands.", duration(&t.Connect, least, most)),
		key("first_byte", "From sending to the first byte of the answer.", duration(&t.FirstByte, least, most)),
		key("idle", "Between two reads of an answer.", duration(&t.Idle, least, most)),
		key("total", "The whole attempt.", duration(&t.Total, least, most)),
	}, check: func(s seen) {
		if s.has("first_byte") && t.FirstByte > t.Total {
			s.problem("first_byte", fmt.Sprintf("is longer than total, %s", durationText(t.Total)), "raise total, or shorten it")
		}
	}}
}

func toolTimeoutsTable(t *ToolTimeouts) value {
	const least, most = time.Millisecond, 24 * time.Hour
	return object{fields: []field{
		key("connect", "Until the handshake is done; for a command, its start included.", duration(&t.Connect, least, most)),
		key("total", "The whole call of a tool.", duration(&t.Total, least, most)),
		key("place", "For a place among the calls in flight, when there are as many as there may be.", duration(&t.Place, least, time.Minute)),
	}}
}

func simulatedTable(m *Simulated) value {
	*m = Simulated{
		Seed: DefaultSimulatedSeed, Latency: Latency{DefaultSimulatedP50, DefaultSimulatedP95},
		TokensPerSecond: DefaultSimulatedTokensPerSecond,
		OutputTokens:    Range{DefaultSimulatedMinOutput, DefaultSimulatedMaxOutput}, Failures: DefaultFailures(),
	}
	return object{fields: []field{
		key("seed", "The same seed and requests give the same answers.", integer(&m.Seed, 0, math.MaxInt64)),
		key("latency", "Time until the first byte.", latencyTable(&m.Latency)),
		key("tokens_per_second", "Pace of a stream.", integer(&m.TokensPerSecond, 1, 1_000_000)),
		key("output_tokens", "Length of an answer.", rangeTable(&m.OutputTokens)),
		key("failure_rate", "Share of calls that fail, 0 to 1.", rate(&m.FailureRate)),
		key("failures", "How they fail.", listOf(&m.Failures, func(f *Failure) value { return oneOf(f, DefaultFailures()...) }).atLeastOne()),
		key("tool_call_rate", "Share of calls with tools that are answered by a tool call, 0 to 1.", rate(&m.ToolCallRate)),
	}}
}

func latencyTable(l *Latency) value {
	return object{fields: []field{
		key("p50", "Half of the answers begin within this time.", duration(&l.P50, 0, time.Hour)),
		key("p95", "19 of 20 answers begin within this time.", duration(&l.P95, 0, time.Hour)),
	}, check: func(s seen) {
		if l.P95 < l.P50 {
			s.problem("p95", fmt.Sprintf("is shorter than p50, %s", durationText(l.P50)), "give a longer one")
		}
	}}
}

func rangeTable(t *Range) value {
	return object{fields: []field{
		key("min", "Fewest tokens.", integer(&t.Min, 1, 1_000_000)),
		key("max", "Most tokens.", integer(&t.Max, 1, 1_000_000)),
	}, check: func(s seen) {
		if t.Max < t.Min {
			s.problem("max", fmt.Sprintf("is less than min, %d", t.Min), "give a larger one")
		}
	}}
}

func modelTable(name string, m *Model) value {
	m.Model = name
	return object{fields: []field{
		need("provider", "The provider that serves it.", textInto(&m.Provider, refers(aProvider))),
		key("model", "The provider's name for it; without it, the same name.", textInto(&m.Model, modelNameText)),
		key("fallbacks", "Models to try next, in order.", listOf(&m.Fallbacks, modelReference)),
		key("context_window", "Tokens of input and output together.", integer(&m.ContextWindow, 1, signalbox.MaxTokens)),
		key("max_output", "Most tokens of an answer.", integer(&m.MaxOutput, 1, signalbox.MaxTokens)),
		key("price", "US dollars per million tokens; it replaces the built-in price.", priceTable(&m.Price)),
		key("downgrade_to", "The model used instead while a run or tenant is throttled.", textInto(&m.DowngradeTo, refers(aModel))),
	}, check: func(s seen) {
		s.r.noteDowngrade(name, m.DowngradeTo, s)
		if slices.Contains(m.Fallbacks, name) {
			s.problem("fallbacks", "names the model itself", "remove it")
		}
		noRepetition(s, "fallbacks", m.Fallbacks)
		if m.ContextWindow > 0 && m.MaxOutput > m.ContextWindow {
			s.problem("max_output", fmt.Sprintf("is more than context_window, %d", m.ContextWindow), "give a smaller one")
		}
	}}
}

func modelReference(s *string) value { return textInto(s, refers(aModel)) }

func noRepetition(s seen, name string, list []string) {
	for i, item := range list {
		if slices.Contains(list[:i], item) {
			s.problem(name, "names a model twice", "keep one")
			return
		}
	}
}

func routeTable(t *Route) value {
	return object{fields: []field{
		need("name", "Name of the route; a request may ask for it as its model.", textInto(&t.Name, modelNameText, notReserved, declares(aRoute))),
		need("when", "Condition in CEL, such as step.kind == \"classify\".", textInto(&t.When, expression)),
		need("use", "Models to try, in order.", listOf(&t.Use, modelReference).atLeastOne()),
	}, check: func(s seen) { noRepetition(s, "use", t.Use) }}
}

// priceTable makes the price only when the key is there.
func priceTable(into **signalbox.Price) value {
	p := &signalbox.Price{Source: "config"}
	fields := append(rateFields(&p.Rates),
		key("effective", "Day from which the price holds, such as 2026-01-31.", textInto(&p.Effective, dayText, calendarDay)),
		key("tiers", "Rates for calls with more input, ascending.", listOf(&p.Tiers, tierTable)),
	)
	return object{fields: fields, check: func(s seen) {
		for i := 1; i < len(p.Tiers); i++ {
			if p.Tiers[i].Above <= p.Tiers[i-1].Above {
				s.problem("tiers", "are not in ascending order of above", "sort them")
			}
		}
		*into = p
	}}
}

func tierTable(t *signalbox.Tier) value {
	above := need("above", "The tier is for calls with more input tokens than this.", integer(&t.Above, 1, signalbox.MaxTokens))
	return object{fields: append([]field{above}, rateFields(&t.Rates)...)}
}

func rateFields(r *signalbox.Rates) []field {
	return []field{
		need("input", "US dollars per million input tokens.", money(&r.Input)),
		need("output", "US dollars per million output tokens.", money(&r.Output)),
		key("cache_read", "US dollars per million tokens read from the provider's cache; without it, as input.", optionalMoney(&r.CacheRead)),
		key("cache_write", "US dollars per million tokens written to the provider's cache; without it, as input.", optionalMoney(&r.CacheWrite)),
		key("cache_write_1h", "The same for entries that live an hour; without it, as cache_write.", optionalMoney(&r.CacheWrite1h)),
		key("per_call", "US dollars per call besides.", money(&r.PerCall)),
	}
}
