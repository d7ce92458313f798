package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Timing of the stream of approvals.
const (
	// Heartbeat is how often a stream says that it lives. Then it is looked, too, whether its key is still good.
	Heartbeat = 15 * time.Second
	// EventPause is the least time between two looks at the inbox: what changes meanwhile is one look's work.
	EventPause = 200 * time.Millisecond
	// EventWait is how long one write may take; a reader that is slower is gone.
	EventWait = 10 * time.Second
	// inboxPage is how many approvals the first event has; the others follow one by one.
	inboxPage = 100
)

// Inbox is the data of the event reset: what the reader has is to be replaced by it.
type Inbox struct {
	Items []Approval `json:"items" doc:"Pending approvals, newest first, up to 100; older ones follow as events of their own."`
}

// EventQuery says what to watch.
type EventQuery struct {
	wire
	Tenant string `query:"tenant" maxLength:"128"`
	ID     string `query:"id" maxLength:"128" doc:"Only this approval; the stream ends when it is not pending any more."`
	Last   string `header:"Last-Event-ID" maxLength:"64"`
}

const eventStream = "text/event-stream"

func (s *server) registerApprovalEvents(api huma.API) {
	op := operation("watch-approvals", http.MethodGet, "/approvals/events", "Approvals as they change, as server-sent events")
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The first event is reset, with the pending approvals as {\"items\": […]}, also after a reconnection, so that " +
			"nothing is missed. Each further one is approval, whose data is an approval that is new, has changed or was decided.",
		Content: map[string]*huma.MediaType{eventStream: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, op, s.approvalEvents)
}

// inbox is one stream: what its reader knows of the pending approvals.
type inbox struct {
	s       *server
	c       ctxWithCaller
	q       *EventQuery
	tenants []string
	known   map[string]mark
	out     *eventWriter
}

// mark is what of a pending approval is compared to find out whether it has changed.
type mark struct {
	state    signalbox.ApprovalState
	votes    int
	escalate time.Time
}

func markOf(a *signalbox.Approval) mark { return mark{a.State, len(a.Votes), a.Escalate} }

func (s *server) approvalEvents(ctx context.Context, q *EventQuery) (*huma.StreamResponse, error) {
	c := callerOf(ctx)
	if q.ID != "" {
		if _, err := s.findApproval(ctx, c, q.ID); err != nil {
			return nil, fail(c, err)
		}
	}
	leave, err := s.watchers.enter(c.Key.ID)
	if err != nil {
		return nil, fail(c, err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer leave()
		h.SetHeader("Content-Type", eventStream)
		h.SetHeader("X-Accel-Buffering", "no") // nginx would keep events back.
		last, _ := strconv.ParseInt(q.Last, 10, 64)
		b := &inbox{
			s: s, c: c, q: q, tenants: c.narrow(q.Tenant), known: map[string]mark{},
			out: &eventWriter{w: q.w, control: http.NewResponseController(q.w), now: s.Now, id: max(last, 0)},
		}
		defer b.out.end()
		b.run(ctx)
	}}, nil
}

// run sends events until the reader is gone or not allowed any more, the server stops, or the inbox can not be read: the
// reader comes back then, and begins with a reset.
func (b *inbox) run(ctx context.Context) {
	changed, cancel := b.s.Approvals.Subscribe()
	defer cancel()
	if b.begin(ctx) != nil {
		return
	}
	beat := time.NewTicker(Heartbeat)
	defer beat.Stop()
	for !b.over() {
		select {
		case <-ctx.Done():
			return
		case <-b.s.Stopping:
			return
		case <-beat.C:
			if b.out.comment() != nil {
				return
			}
		case _, open := <-changed:
			if !open || !b.pause(ctx) {
				return
			}
		}
		if !b.admitted() || b.update(ctx) != nil {
			return
		}
	}
}

// over reports whether the one approval that is watched is decided.
func (b *inbox) over() bool {
	return b.q.ID != "" && len(b.known) == 0
}

// pause lets changes gather; false where the stream ends meanwhile.
func (b *inbox) pause(ctx context.Context) bool {
	timer := time.NewTimer(EventPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-b.s.Stopping:
	}
	return false
}

// admitted reports whether the caller may still see what he was let in for: keys and sessions end.
func (b *inbox) admitted() bool {
	key, err := b.s.Auth.Authenticate(b.q.w, b.q.r)
	return err == nil && key.Role == b.c.Key.Role && key.Tenant == b.c.Key.Tenant
}

// begin sends the first event, and one for each pending approval that had no room in it.
func (b *inbox) begin(ctx context.Context) error {
	first := Inbox{Items: []Approval{}}
	if b.q.ID != "" {
		a, err := b.s.findApproval(ctx, b.c, b.q.ID)
		if err != nil {
			return err
		}
		first.Items = append(first.Items, b.row(&a))
		return b.out.event("reset", first)
	}
	sent := false
	err := b.pending(ctx, func(list []signalbox.Approval) error {
		if sent {
			return b.send(list)
		}
		sent = true
		for i := range list {
			first.Items = append(first.Items, b.row(&list[i]))
		}
		return b.out.event("reset", first)
	})
	return err
}

// pending gives the pending approvals page by page; one page at least.
func (b *inbox) pending(ctx context.Context, each func([]signalbox.Approval) error) error {
	f := signalbox.ApprovalFilter{
		Tenants: b.tenants, States: []signalbox.ApprovalState{signalbox.ApprovalPending}, Limit: inboxPage,
	}
	for {
		list, next, err := b.s.approvals(ctx, f)
		if err != nil {
			return err
		}
		if err := each(list); err != nil || next == "" {
			return err
		}
		f.Cursor = next
	}
}

// row shows an approval, and notes what the reader then knows.
func (b *inbox) row(a *signalbox.Approval) Approval {
	if a.State == signalbox.ApprovalPending {
		b.known[a.ID] = markOf(a)
	} else {
		delete(b.known, a.ID)
	}
	return b.s.listedApproval(b.c, a)
}

// send sends those of the approvals that the reader does not know as they are.
func (b *inbox) send(list []signalbox.Approval) error {
	for i := range list {
		a := &list[i]
		if b.known[a.ID] == markOf(a) || !b.c.maySee(a.Tenant) {
			continue
		}
		if err := b.out.event("approval", b.row(a)); err != nil {
			return err
		}
	}
	return nil
}

// update sends what has changed: what is pending, and what was.
func (b *inbox) update(ctx context.Context) error {
	pending := map[string]bool{}
	if b.q.ID == "" {
		err := b.pending(ctx, func(list []signalbox.Approval) error {
			for i := range list {
				pending[list[i].ID] = true
			}
			return b.send(list)
		})
		if err != nil {
			return err
		}
	}
	for id := range b.known {
		if pending[id] {
			continue
		}
		a, err := b.s.Approvals.Get(ctx, id)
		if err == nil {
			err = b.send([]signalbox.Approval{a})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eventWriter writes server-sent events, each with a time of its own.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
	id      int64
}

func (e *eventWriter) event(name string, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	e.id++
	return e.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.id, name, b))
}

// comment tells the reader, and whatever is between, that the stream lives.
func (e *eventWriter) comment() error { return e.write(":\n\n") }

func (e *eventWriter) write(text string) error {
	_ = e.control.SetWriteDeadline(e.now().Add(EventWait)) // A writer without deadlines can not block.
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}

// end takes the deadline away again: the connection may serve further requests.
func (e *eventWriter) end() { _ = e.control.SetWriteDeadline(time.Time{}) }
