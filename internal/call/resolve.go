package call

import (
	"context"

	"github.com/signalbox/signalbox"
)

// Resolver finds what could serve a call of one kind, best first, and the route that chose them. It fails with
// not_found where nothing could and with forbidden where the caller may not use what could. It may set Downgraded in the
// track's result of this station, and nothing else there. Safe for concurrent use.
type Resolver interface {
	Resolve(ctx context.Context, t *Track) (route string, candidates []signalbox.Candidate, err error)
}

// Resolve is the resolve station: it asks the resolver of the call's kind.
func Resolve(resolvers map[signalbox.Kind]Resolver) Station {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, t *Track) (Answer, error) {
			r, ok := resolvers[t.Call.Kind]
			if !ok {
				t.Resolve.Status = signalbox.StatusFailed
				return nil, signalbox.Errorf(signalbox.CodeNotImplemented, "calls of kind %q are not built", t.Call.Kind)
			}
			route, candidates, err := r.Resolve(ctx, t)
			if err != nil {
				t.Resolve.Status = signalbox.StatusDenied
				return nil, err
			}
			t.Resolve.Status, t.Resolve.Route, t.Resolve.Candidates = signalbox.StatusPassed, route, candidates
			return next.Serve(ctx, t)
		})
	}
}
