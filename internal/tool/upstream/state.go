package upstream

import (
	"time"

	"github.com/signalbox/signalbox/internal/tool/breaker"
)

// Connection says how it stands with the connection to a server.
type Connection string

// The connections.
const (
	Idle       Connection = "idle" // Nobody has used the server yet, or not since it was lost.
	Connecting Connection = "connecting"
	Connected  Connection = "connected"
	Broken     Connection = "broken" // The last attempt has failed, or the session was lost.
)

// State is how it stands with a server.
type State struct {
	Server     string
	Connection Connection
	Version    string        // Of the protocol, that is spoken in the session; "" where there is none, and for an HTTP API.
	Modern     bool          // Requests of that version stand by themselves.
	Breaker    breaker.State // Of its calls.
	Until      time.Time     // Where the breaker is open: until when.
	Failures   int           // Of calls, in a row.
	InFlight   int
	Places     int    // How many may be in flight.
	Declined   int64  // Calls turned away since the start, for want of a place or in a pause.
	Sessions   int64  // Begun since the start; with a command each is a start of the child.
	Listed     int    // How many tools the last list had; -1 where none is known.
	Failure    string // Why the connection is broken, in words of ours; "" where it is not.
}

// States gives the state of every server, by id. It asks none of them and waits for nothing.
func (s *Servers) States() []State {
	states := make([]State, 0, len(s.ids))
	for _, id := range s.ids {
		states = append(states, s.byID[id].state())
	}
	return states
}

func (u *Server) state() State {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := State{
		Server: u.ID, Connection: Idle, Breaker: u.calls.State(u.now()), Until: u.calls.Until(u.now()), Failures: u.calls.Row(),
		InFlight: len(u.places), Places: cap(u.places), Declined: u.declined.Load(), Sessions: u.started.Load(), Listed: -1,
	}
	if u.toolShelf.value != nil {
		s.Listed = len(u.toolShelf.value.Tools)
	}
	switch {
	case u.current != nil && u.current.alive():
		s.Connection = Connected
		if u.API == nil {
			s.Version, s.Modern = u.current.spoken, u.current.modern
		}
	case u.connecting != nil:
		s.Connection = Connecting
	case u.connects.Row() > 0 || u.current != nil:
		s.Connection, s.Failure = Broken, u.unreachable(u.lastFailure()).Message
	}
	return s
}

// lastFailure is why there is no session: how the one that nobody has buried yet was lost, else the last failure.
func (u *Server) lastFailure() error {
	if u.current != nil {
		return u.current.lossOf()
	}
	return u.failure
}
