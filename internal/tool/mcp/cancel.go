package mcp

import (
	"context"
	"sync"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// flights are the requests of legacy callers that are under way: such a caller cancels by a notification that names the
// request's id. Modern ones close the stream.
type flights struct {
	mu   sync.Mutex
	byID map[flightKey][]*context.CancelFunc
}

// flightKey names a request. Callers without a session are told apart by what else is known of them; where that does not
// tell two of them apart, neither is cancelled.
type flightKey struct{ tenant, key, user, run, agent, source, session, id string }

func (x *exchange) flightKey(id json.Value) flightKey {
	c := x.call
	k := flightKey{
		tenant: c.Caller.Tenant, key: c.Caller.Key, user: c.Claims.User, run: c.Claims.Run, agent: c.Claims.Agent,
		source: c.Source, id: string(id),
	}
	if x.session != nil {
		k.session = x.session.id
	}
	return k
}

// begin notes a request; the function ends it.
func (f *flights) begin(ctx context.Context, x *exchange) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	if x.modern() || !x.act() {
		return ctx, cancel
	}
	key := x.flightKey(x.id)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil {
		f.byID = map[flightKey][]*context.CancelFunc{}
	}
	f.byID[key] = append(f.byID[key], &cancel)
	return ctx, func() {
		cancel()
		f.mu.Lock()
		defer f.mu.Unlock()
		for i, c := range f.byID[key] {
			if c == &cancel {
				f.byID[key] = append(f.byID[key][:i], f.byID[key][i+1:]...)
				break
			}
		}
		if len(f.byID[key]) == 0 {
			delete(f.byID, key)
		}
	}
}

// cancel cancels the request that a notification names, if it is one alone.
func (f *flights) cancel(x *exchange) {
	id := x.params.Get("requestId")
	if !id.Exists() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.byID[x.flightKey(id.Bytes())]; len(one) == 1 {
		(*one[0])()
	}
}
