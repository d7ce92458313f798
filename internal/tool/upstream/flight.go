package upstream

import (
	"context"
	"sync"
	"time"
)

// flight is work that many wait for and that belongs to none of them: who stops waiting does not end it.
type flight[T any] struct {
	done  chan struct{}
	begun time.Time // By the clock of who launched it.
	value T
	err   error
}

// launch starts the work in a goroutine of the group, under a time limit.
func launch[T any](
	parent context.Context, group *sync.WaitGroup, limit time.Duration, work func(context.Context) (T, error),
) *flight[T] {
	f := &flight[T]{done: make(chan struct{})}
	group.Go(func() {
		ctx, cancel := context.WithTimeout(parent, limit)
		defer cancel()
		defer close(f.done)
		f.value, f.err = work(ctx)
	})
	return f
}

// wait waits for the result, or for the end of the context.
func (f *flight[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
