package upstream

import (
	"context"
	"slices"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Declared is what a server says of itself in the handshake. Many read the same one, and nobody changes it. A nil one is that of a
// server of which nothing is known.
type Declared struct {
	said         bool // The server has said what it can do.
	capabilities json.Members
	tasks        bool          // It is of 2025-11-25, and makes tasks of calls.
	instructions *instructions // Nil where there are none.
	age          freshness
}

func (d *Declared) freshness() *freshness { return &d.age }

// Has reports whether the server has declared the capability, or the part of it; of one of which nothing is known it may be.
func (d *Declared) Has(capability string, part ...string) bool {
	if d == nil || !d.said {
		return true
	}
	node := d.capabilities.Get(capability)
	for _, name := range part {
		members, err := node.Object()
		if err != nil {
			return false
		}
		node = members.Get(name)
	}
	return !node.Null() && node.Kind() != 'f'
}

// Tasks reports whether the server makes tasks of calls as 2025-11-25 has them; of one of which nothing is known it may.
func (d *Declared) Tasks() bool { return d == nil || d.tasks }

// readDeclared reads the result of a handshake. It keeps no part of it. What makes no sense is as if it were not said.
func readDeclared(result json.Value) Declared {
	var d Declared
	all, err := rpc.Members(slices.Clone(result))
	if err != nil {
		return d
	}
	if own, err := all.Get("capabilities").Object(); err == nil {
		d.capabilities, d.said = own, true
	}
	if text, err := all.Get("instructions").Text(); err == nil && text != "" {
		d.instructions = &instructions{text: text}
	}
	if says := counts(all.Get("ttlMs")); says != nil {
		d.age.says = *says
	} else {
		d.age.says = DefaultListTTL
	}
	return d
}

// Declared gives what the server says of itself, from memory where it has said so a moment ago. An older server says it once, when the
// session begins, and a modern one whenever it is asked. Errors are those of lists.
func (u *Server) Declared(ctx context.Context) (*Declared, error) {
	s, err := u.greeted(ctx)
	if err != nil {
		return nil, err
	}
	now := u.now()
	if s.modern && u.API == nil && now.Sub(s.started) >= MinListTTL {
		return fetch(ctx, u, &u.declaredShelf, u.discoverAgain)
	}
	d := s.declared // What was said before is no sign that calls work by now: the breaker hears nothing of it.
	d.tasks, d.age.read = s.tasks, now
	return &d, nil
}

// greeted gives the session. Where the last attempt to connect has failed, the time that the caller waits counts from when the
// one that is under way has begun, as for lists.
func (u *Server) greeted(ctx context.Context) (*session, error) {
	f, err := u.joinConnecting()
	if err != nil {
		return nil, err
	}
	var already time.Duration
	u.mu.Lock()
	if u.connects.Row() > 0 && !f.begun.IsZero() {
		already = u.now().Sub(f.begun)
	}
	u.mu.Unlock()
	ctx, cancel := listingOf(ctx).waits(ctx, already)
	defer cancel()
	s, err := f.wait(ctx)
	if err != nil {
		return nil, u.unreachable(err)
	}
	return s, nil
}

// discoverAgain asks a modern server.
func (u *Server) discoverAgain(ctx context.Context) (*Declared, error) {
	s, err := u.session(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, u.ListTimeout)
	defer cancel()
	result, err := s.wire.request(ctx, rpc.MethodDiscover, "", listParams(s, ""))
	if err != nil {
		return nil, err
	}
	d := readDeclared(result)
	return &d, nil
}
