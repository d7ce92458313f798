package telemetry

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/trace"
)

// givenIDs is an IDGenerator that gives a span the ids that its context holds: the record had them before there was a
// span.
type givenIDs struct{}

type givenKey struct{}

type given struct {
	trace trace.TraceID
	span  trace.SpanID
}

// withIDs makes the next span of the context have these ids.
func withIDs(ctx context.Context, t trace.TraceID, s trace.SpanID) context.Context {
	return context.WithValue(ctx, givenKey{}, given{t, s})
}

// NewIDs gives the ids of a span without a parent.
func (givenIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if g, ok := ctx.Value(givenKey{}).(given); ok {
		return g.trace, g.span
	}
	var g given
	rand.Read(g.trace[:])
	rand.Read(g.span[:])
	return g.trace, g.span
}

// NewSpanID gives the id of a span with a parent.
func (i givenIDs) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, s := i.NewIDs(ctx)
	return s
}
