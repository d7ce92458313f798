package upstream

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// pulseTimeout is the longest time that a child that has left calls unanswered has to give a sign of life.
const pulseTimeout = 5 * time.Second

// guarded sends one request, if the breaker lets it pass and there is a place for it.
func (u *Server) guarded(
	ctx context.Context, method, name string, params func(*session) []byte,
) (json.Value, error) {
	if err := u.takePlace(ctx); err != nil {
		return nil, err
	}
	defer func() { <-u.places }()
	return passing(ctx, u, func() (json.Value, error) { return u.inSession(ctx, method, name, params) })
}

// takePlace waits a moment for a place among the calls in flight. Whoever gets one gives it back.
func (u *Server) takePlace(ctx context.Context) error {
	select {
	case u.places <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(u.PlaceWait)
	defer timer.Stop()
	select {
	case u.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return u.broken(ctx, context.Cause(ctx))
	case <-u.life.Done():
		return errClosed(u.ID)
	case <-timer.C:
	}
	u.declined.Add(1)
	return signalbox.Errorf(signalbox.CodeUnavailable, "The MCP server %q has %d calls in flight, which is as many as it may.", u.ID, cap(u.places)).
		WithRemedy("Retry in a moment; the server's max_concurrent_calls can be raised.").WithRetryAfter(time.Second)
}

// passing does the work if the breaker lets it pass, and tells the breaker what came of it.
func passing[T any](ctx context.Context, u *Server, work func() (T, error)) (T, error) {
	u.mu.Lock()
	pass, wait, ok := u.calls.Allow(u.now())
	u.mu.Unlock()
	if !ok {
		u.declined.Add(1)
		var none T
		return none, signalbox.Errorf(signalbox.CodeUnavailable, "The MCP server %q has failed too often in a row and is given a pause.", u.ID).
			WithRemedy("Retry after the pause; one call is then let through to see whether it works again.").WithRetryAfter(wait)
	}
	askingOf(ctx).whenAsked(func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if pass.Probe() { // The server lives. Nobody waits for who is asked now, and may take his time.
			u.calls.Done(pass, breaker.Succeeded, u.now())
			pass = breaker.Pass{}
		}
	})
	result, err := work()
	u.mu.Lock()
	opened := u.calls.Done(pass, judge(ctx, err), u.now())
	pass = breaker.Pass{} // It is handed back, whatever is still asked.
	row := u.calls.Row()
	if opened && u.life.Err() == nil { // Once it is closed nothing new may begin.
		u.wg.Go(u.feelPulse)
	}
	u.mu.Unlock()
	if opened {
		u.logger.WarnContext(ctx, "an MCP server is given a pause", "server", u.ID, "failures", row, "error", err)
	}
	return result, err
}

// judge says what an error tells of the server. An answer is an answer, also where it is a refusal; that there was no session is
// counted elsewhere.
func judge(ctx context.Context, err error) breaker.Verdict {
	var known *signalbox.Error
	var answered *rpc.Error
	var w *wireError
	switch {
	case err == nil, errors.As(err, &answered):
		return breaker.Succeeded
	case errors.As(err, &known), errors.Is(ctx.Err(), context.Canceled):
		return breaker.Unknown
	case errors.As(err, &w) && refusal(w.status):
		return breaker.Unknown
	}
	return breaker.Failed
}

// refusal reports whether a status says that the server works and does not want this request.
func refusal(status int) bool {
	return status >= 300 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// feelPulse asks a child that has left calls unanswered for any answer at all. One that gives none hangs: it is ended, and
// started again at the next call. Nothing is asked of servers over HTTP, which are not ours to restart.
func (u *Server) feelPulse() {
	u.mu.Lock()
	s := u.current
	u.mu.Unlock()
	if s == nil {
		return
	}
	w, ok := s.wire.(*stdioWire)
	if !ok {
		return
	}
	limit := min(pulseTimeout, u.CallTimeout)
	ctx, cancel := context.WithTimeout(u.life, limit)
	defer cancel()
	method, params := rpc.MethodPing, rpc.Object{}
	if s.modern {
		method = rpc.MethodDiscover
		params.Add("_meta", s.meta(nil, rpc.NoCapabilities))
	}
	if _, err := w.request(ctx, method, "", params.Bytes()); errors.Is(err, context.DeadlineExceeded) {
		w.lose(said(nil, "it has answered nothing for %s, not even a ping", limit))
	}
}

// inSession sends one request in a live session. The one failure after which it is sent again, once, is that the server has
// forgotten the session: then it says by its status that it has not looked at the request.
func (u *Server) inSession(
	ctx context.Context, method, name string, params func(*session) []byte,
) (json.Value, error) {
	for again := false; ; again = true {
		s, err := u.session(ctx)
		if err != nil {
			return nil, err
		}
		result, err := s.wire.request(ctx, method, name, params(s))
		if again || !errors.Is(err, errExpired) {
			return result, err
		}
	}
}
