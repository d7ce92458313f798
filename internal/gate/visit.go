package gate

import (
	"context"
	"io"
	"sync"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// visit is one call's stay: its places, and the context that ends when it is halted.
type visit struct {
	ctx     context.Context // The caller's.
	entered context.Context // That of the brakes; the same where there are none.
	leaves  []func()        // What is to be given back.
	once    sync.Once
}

// leave gives the call's places back, once.
func (v *visit) leave() {
	v.once.Do(func() {
		for _, leave := range v.leaves {
			leave()
		}
	})
}

// reason gives the error of a call that has ended with err: that of the halt, where one has cut it.
func (v *visit) reason(err error) error {
	if v.entered.Err() == nil || v.ctx.Err() != nil {
		return err
	}
	if halted, ok := context.Cause(v.entered).(*signalbox.Error); ok { //nolint:errorlint // It is set as it is, never wrapped.
		return halted
	}
	return err
}

// serve serves the call and keeps its places until the answer is over.
func (v *visit) serve(t *call.Track, next call.Handler) (call.Answer, error) {
	served := false
	defer func() {
		if !served {
			v.leave() // An error or a panic.
		}
	}()
	answer, err := next.Serve(v.entered, t)
	if err != nil {
		return nil, v.reason(err)
	}
	if answer == nil {
		return nil, signalbox.AsError(io.ErrUnexpectedEOF)
	}
	served = true
	return &visited{Answer: answer, visit: v}, nil
}

// visited is an answer that ends the call's visit when it is over.
type visited struct {
	call.Answer
	visit *visit
}

// Next gives the next part; after any error the answer is over.
func (a *visited) Next(ctx context.Context) (call.Part, error) {
	over := true
	defer func() {
		if over {
			a.visit.leave()
		}
	}()
	ctx, done := a.visit.join(ctx)
	defer done()
	part, err := a.Answer.Next(ctx)
	if err != nil {
		return call.Part{}, a.visit.reason(err)
	}
	over = false
	return part, nil
}

// join gives a context that ends with the caller's or with a halt. Callers read their answer with the context that they
// made the call with, so that nothing has to be made for each part.
func (v *visit) join(ctx context.Context) (context.Context, func()) {
	switch ctx {
	case v.ctx:
		return v.entered, func() {}
	case v.entered:
		return ctx, func() {}
	}
	joined, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(v.entered, func() { cancel(context.Cause(v.entered)) })
	return joined, func() { stop(); cancel(nil) }
}

// Close ends the answer.
func (a *visited) Close() error {
	defer a.visit.leave()
	return a.Answer.Close()
}
