package ledger

import "maps"

// flow is whose calls wait in one line: those of one agent of one tenant.
type flow struct{ tenant, agent string }

// ticket says when an ask is served: by start, and in the order of arrival among equals.
type ticket struct{ start, number uint64 }

func (t ticket) before(o ticket) bool {
	return t.start < o.start || t.start == o.start && t.number < o.number
}

// maxTurns is how many calls are served at one virtual time. It bounds how long flows that appear anew, each of which
// starts at the present time, can be served before one that has waited.
const maxTurns = 1024

// fair orders the calls that wait by start-time fair queueing: a flow's next call starts where the one before ended, or
// at the present virtual time, which is the start of what was served last. Every call has the weight one, so of two flows
// that wait each is served every other time, however many calls one of them has in line.
type fair struct {
	now    uint64
	number uint64
	turns  int
	count  int // Calls that wait.
	lanes  map[flow]*lane
}

// lane is a flow's line.
type lane struct {
	end     uint64
	waiting int
}

// enter gives a call of the flow its ticket.
func (f *fair) enter(w flow) ticket {
	if f.lanes == nil {
		f.lanes = map[flow]*lane{}
	}
	l := f.lanes[w]
	if l == nil {
		l = &lane{}
		f.lanes[w] = l
	}
	t := ticket{start: max(f.now, l.end), number: f.number}
	l.end = t.start + 1
	l.waiting++
	f.count++
	f.number++
	return t
}

// leave takes a call out of its flow's line. One that was not served gives its turn back if it was the last.
func (f *fair) leave(w flow, t ticket, served bool) {
	l := f.lanes[w]
	l.waiting--
	if f.count--; f.count == 0 {
		clear(f.lanes)
		f.now, f.turns = 0, 0
		return
	}
	if served {
		f.serve(t)
	} else if l.end == t.start+1 {
		l.end = t.start
	}
	if l.waiting == 0 && l.end <= f.now {
		delete(f.lanes, w)
	}
}

func (f *fair) serve(t ticket) {
	f.turns++
	if t.start > f.now {
		f.advance(t.start)
	} else if f.turns >= maxTurns {
		f.advance(f.now + 1)
	}
}

// advance moves the virtual time on and forgets the flows that are no longer ahead of it.
func (f *fair) advance(to uint64) {
	f.now, f.turns = to, 0
	maps.DeleteFunc(f.lanes, func(_ flow, l *lane) bool { return l.waiting == 0 && l.end <= to })
}
