package upstream

import (
	"context"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Open sends a tools/call, or another act, to the candidate's server, once, and waits for its result. The result is one terminal part.
// No other candidate could serve instead, so Next is never set. Codes: upstream (not reachable, or it answered with
// an error), invalid (the server refused the arguments), timeout, cancelled, not_implemented (the server wants input, or has
// made a task of the call, and there is nobody who knows what to do about it).
func (s *Servers) Open(
	ctx context.Context, t *call.Track, c signalbox.Candidate, span signalbox.Span,
) (call.Upstream, error) {
	u, err := s.Find(c.Provider)
	if err != nil {
		return nil, &call.AttemptError{Err: signalbox.AsError(err)}
	}
	if c.Refusal != nil { // The policy has said so before, if there is one.
		return nil, &call.AttemptError{Err: c.Refusal}
	}
	if isAsked(t.Call.Tool.Name) {
		return handOver(ctx)
	}
	if !u.Baggage {
		span.Baggage = ""
	}
	limited, caller := withGuard(onBehalf(ctx, t.Call), t)
	terms := termsOf(caller)
	meta, err := guardTerms(t, callerMeta(t.Call), &terms)
	if err == nil {
		span, err = guardSpan(t, span)
	}
	if err != nil {
		return nil, &call.AttemptError{Err: signalbox.AsError(err)}
	}
	limited, cancel := withLimit(limited, u.CallTimeout, &terms)
	defer cancel()
	meta = append(meta, traceMeta(span)...)
	if terms.Progress {
		defer u.listen(t.Call.ID, caller)()
		meta = append(meta, textMember("progressToken", t.Call.ID)...)
	}
	meta = append(meta, textMember(rpc.MetaIdempotency, forwarded(t.Idempotency.Forward, &terms))...)
	meta = append(meta, terms.Meta...)
	tool := t.Tool()
	method, name, params := methodOf(tool, c.Upstream)
	limited = u.withHeaders(limited, tool, &terms)
	var offer taskOffer
	result, err := u.guarded(limited, method, name, func(session *session) []byte {
		own := params
		if session.modern {
			terms.addInputs(&own)
		}
		capabilities := terms.Capabilities
		if t.Guard.Beside == nil { // What a task comes to does not pass the guard.
			offer, capabilities = terms.offer(ctx, session, method, &own)
		}
		own.Add("_meta", session.meta(meta, capabilities))
		return own.Bytes()
	})
	if err != nil {
		return nil, u.guardedError(ctx, t, err)
	}
	r, err := newResult(u.ID, result, offer, caller)
	if err == nil && r.report.Finish == rpc.TypeInputRequired && caller == nil {
		return nil, notCarried(u.ID, rpc.TypeInputRequired) // Nobody is there who could be asked.
	}
	return r, err
}

// callerMeta gives the members of the caller's _meta that are his own: not the protocol's, not the trace, not the
// token for progress, which nobody would carry back, and not his idempotency key, which means something for him alone.
func callerMeta(c *signalbox.Call) []json.Member {
	if c.Protocol != signalbox.ProtocolMCP || len(c.Body) == 0 {
		return []json.Member{}
	}
	message, err := json.Object(c.Body)
	if err != nil {
		return []json.Member{}
	}
	params, err := message.Get("params").Object()
	if err != nil {
		return []json.Member{}
	}
	meta, err := params.Get("_meta").Object()
	if err != nil {
		return []json.Member{}
	}
	own := []json.Member{}
	for _, m := range meta.All() {
		switch {
		case strings.HasPrefix(m.Name, rpc.MetaPrefix), m.Name == "progressToken", m.Name == rpc.MetaIdempotency: // Which we replace.
		case m.Name == "traceparent", m.Name == "tracestate", m.Name == "baggage":
		default:
			own = append(own, m)
		}
	}
	return own
}

// traceMeta hands the attempt's span on.
func traceMeta(span signalbox.Span) []json.Member {
	return slices.Concat(textMember("traceparent", span.Traceparent()), textMember("tracestate", span.State), textMember("baggage", span.Baggage))
}

// textMember gives a member with a text, none for "".
func textMember(name, value string) []json.Member {
	node, err := json.Parse(json.Quote(value), json.Limits{})
	if err != nil || value == "" {
		return nil
	}
	return []json.Member{{Name: name, Value: node}}
}
