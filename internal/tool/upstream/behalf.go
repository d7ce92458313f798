package upstream

import (
	"context"

	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// during lets the child ask on behalf of the caller of a call, until the function is called. A child that may ask has one such
// call at a time; should there be another one, what it asks is answered by nobody.
func (w *stdioWire) during(ctx context.Context) (over func()) {
	if !w.asks || askingOf(ctx) == nil {
		return func() {}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.askers++
	w.behalf = ctx
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.askers--
		w.behalf = nil
	}
}

// caller gives the context of the one call that the child works on; nil where it is none, or not one.
func (w *stdioWire) caller() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.askers != 1 {
		return nil
	}
	return w.behalf
}

// asked takes what the child asks, if somebody can be asked. People take their time, and the child goes on. Roots it does not get,
// as it was told: it would take one caller's for those of all.
func (w *stdioWire) asked(m rpc.Message) bool {
	ctx := w.caller()
	if ctx == nil || m.Method == rpc.MethodPing || m.Method == rpc.MethodRoots {
		return false
	}
	w.wg.Go(func() {
		select {
		case w.queue <- answerOf(ctx, m):
		case <-w.gone:
		}
	})
	return true
}

// told takes what the child says to the caller of the call that it works on.
func (w *stdioWire) told(m rpc.Message) bool {
	ctx := w.caller()
	if ctx == nil {
		return false
	}
	switch m.Method {
	case rpc.MethodCancelled:
		askingOf(ctx).withdraw(m.Params)
	case rpc.MethodElicited:
		callerOf(ctx).Elicited(m.Params)
	default:
		return false
	}
	return true
}

// giveUp ends a child that may ask, after a call that it has not answered: it could still ask on behalf of who is gone, when
// it already works for somebody else.
func (w *stdioWire) giveUp() {
	w.mu.Lock()
	legacy := w.spoken != "" && w.spoken < rpc.ModernVersion
	w.mu.Unlock()
	if w.asks && legacy {
		w.lose(errGivenUp)
	}
}
