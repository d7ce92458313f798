package upstream

import (
	"context"
	"errors"
	"time"
)

// shelf keeps one of an upstream's lists for a moment, and has it read by one flight at a time. The upstream's mutex
// guards it.
type shelf[T any] struct {
	value  *T
	last   *T // What was read last, however old; nil where nothing was.
	flying *flight[*T]
	epoch  int // Grows when the upstream says that the list has changed.
}

// forget drops the list; what is being read may be the one before the change and is not kept.
func (s *shelf[T]) forget() {
	s.value = nil
	s.epoch++
}

// fetch gives a list of the upstream, from memory where it was read a moment ago.
func fetch[T any, L aged[T]](ctx context.Context, u *Server, s *shelf[T], read func(context.Context) (*T, error)) (*T, error) {
	u.mu.Lock()
	asked := listingOf(ctx)
	if s.value != nil && u.now().Sub(L(s.value).freshness().read) < asked.believes(u.ListTTL, L(s.value).freshness().says) {
		defer u.mu.Unlock()
		return s.value, nil
	}
	if u.life.Err() != nil {
		defer u.mu.Unlock()
		return nil, errClosed(u.ID)
	}
	if s.flying == nil {
		epoch := s.epoch
		s.flying = launch(u.life, &u.wg, u.ConnectTimeout+u.ListTimeout, func(ctx context.Context) (*T, error) {
			value, err := passing(ctx, u, func() (*T, error) { return twice(ctx, read) })
			u.mu.Lock()
			defer u.mu.Unlock()
			s.flying = nil
			if u.tardy = err != nil; u.tardy {
				return value, err
			}
			L(value).freshness().read = u.now()
			s.last = value
			if epoch == s.epoch {
				s.value = value
			}
			return value, nil
		})
		s.flying.begun = u.now()
	}
	f := s.flying
	var already time.Duration
	if u.tardy {
		already = u.now().Sub(f.begun)
	}
	u.mu.Unlock()
	ctx, cancel := asked.waits(ctx, already)
	defer cancel()
	value, err := f.wait(ctx)
	if err != nil {
		return nil, u.unlisted(err)
	}
	return value, nil
}

// twice reads once more where the server has forgotten the session meanwhile.
func twice[T any](ctx context.Context, read func(context.Context) (*T, error)) (*T, error) {
	value, err := read(ctx)
	if errors.Is(err, errExpired) {
		return read(ctx)
	}
	return value, err
}
