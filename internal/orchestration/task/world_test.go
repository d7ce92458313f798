package task

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/orchestration/approval"
)

// world is what all processes share: the store, the log, and the tool, which counts.
type world struct {
	mu        sync.Mutex
	tasks     map[string]signalbox.Task
	approvals map[string]signalbox.Approval
	claims    map[string]string // Who has each.
	erased    bool
	records   []signalbox.Record
	watchers  []chan struct{}
	wrong     []string
	broken    bool // Nothing can be written.
	unsealing bool // Nothing can be sealed.

	made     map[string]int // How often each task's tool has run, by approval.
	running  int
	peak     int
	tool     func(ctx context.Context) (string, error) // What it does. Nil: it says done.
	refusing error                                     // Of the stations.
	lostAt   signalbox.RecordType                      // The process is gone when it writes one of these; "" for never.
}

func newWorld() *world {
	return &world{
		tasks: map[string]signalbox.Task{}, approvals: map[string]signalbox.Approval{}, claims: map[string]string{}, made: map[string]int{},
	}
}

func (w *world) locked(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *world) get(id string) (t signalbox.Task) {
	w.locked(func() { t = w.tasks[id] })
	return t
}

// decide ends an approval and tells all processes.
func (w *world) decide(id string, state signalbox.ApprovalState) {
	w.locked(func() {
		a := w.approvals[id]
		a.State, a.UseBy = state, time.Now().Add(time.Hour)
		w.approvals[id] = a
		for _, c := range w.watchers {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	})
}

func (w *world) actions() (list []string) {
	w.locked(func() {
		for _, r := range w.records {
			list = append(list, string(r.Type)+" "+r.What.Action)
		}
	})
	return list
}

// process is the world as one process sees it.
type process struct {
	*world
	name string
}

var errGone = signalbox.Errorf(signalbox.CodeUnavailable, "gone")

func (p *process) Task(_ context.Context, id string) (t signalbox.Task, err error) {
	p.locked(func() {
		if t = p.tasks[id]; t.ID == "" {
			err = signalbox.Errorf(signalbox.CodeNotFound, "none")
		}
	})
	return t, err
}

func (p *process) TaskOf(_ context.Context, approval string) (found signalbox.Task, ok bool, err error) {
	p.locked(func() {
		for _, t := range p.tasks {
			if t.Approval == approval && !t.State.Final() {
				found, ok = t, true
			}
		}
	})
	return found, ok, nil
}

func (p *process) OpenTasks(_ context.Context, kind signalbox.TaskKind, tenant, key string) (n int, err error) {
	p.locked(func() {
		for _, t := range p.tasks {
			if t.Kind == kind && t.Tenant == tenant && (key == "" || t.Key == key) && !t.State.Final() {
				n++
			}
		}
		if p.broken {
			err = errGone
		}
	})
	return n, err
}

func (p *process) TasksOf(_ context.Context, kind signalbox.TaskKind, tenant, key string, now time.Time, limit int) (list []signalbox.Task, err error) {
	p.locked(func() {
		for _, id := range slices.Backward(slices.Sorted(maps.Keys(p.tasks))) {
			t := p.tasks[id]
			if t.Kind == kind && t.Tenant == tenant && t.Key == key && (!t.State.Final() || t.Expires.After(now)) && len(list) < limit {
				list = append(list, t)
			}
		}
		if p.broken {
			err = errGone
		}
	})
	return list, err
}

func (p *process) DueTasks(_ context.Context, now time.Time, limit int) (list []signalbox.Task, err error) {
	p.locked(func() {
		for _, id := range slices.Sorted(maps.Keys(p.tasks)) {
			t := p.tasks[id]
			due := t.State == signalbox.TaskRunning || p.approvals[t.Approval].State != signalbox.ApprovalPending
			if t.Kind == signalbox.TaskOfServer {
				due = !t.Expires.After(now)
			}
			if !t.State.Final() && len(list) < limit && (due || t.Content == nil) {
				t.Content = nil
				list = append(list, t)
			}
		}
	})
	return list, nil
}

func (p *process) Approval(_ context.Context, id string) (a signalbox.Approval, err error) {
	p.locked(func() {
		if a = p.approvals[id]; a.ID == "" {
			err = signalbox.Errorf(signalbox.CodeNotFound, "none")
		}
	})
	return a, err
}

func (p *process) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	p.locked(func() { p.watchers = append(p.watchers, c) })
	return c, func() {}
}

func (p *process) Withdraw(_ context.Context, v approval.Voter, id, _ string) (a signalbox.Approval, err error) {
	p.locked(func() {
		if a = p.approvals[id]; a.State != signalbox.ApprovalPending || v.Key != "key_1" {
			err = signalbox.Errorf(signalbox.CodeConflict, "decided")
			return
		}
		a.State = signalbox.ApprovalWithdrawn
		p.approvals[id] = a
	})
	return a, err
}

func (p *process) Take(_ context.Context, name string) (release func(), ok bool, err error) {
	p.locked(func() {
		if p.claims[name] == "" {
			p.claims[name], ok = p.name, true
		}
	})
	return func() {
		p.locked(func() {
			if p.claims[name] == p.name {
				delete(p.claims, name)
			}
		})
	}, ok, nil
}

// Append does what the transaction of a record does. Who changes a task has its claim.
func (p *process) Append(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return 0, errGone
	}
	for _, e := range effects {
		switch e := e.(type) {
		case signalbox.PutTask:
			p.put(e.Task)
		case signalbox.CancelTask:
			if t := p.tasks[e.ID]; !t.State.Final() && t.Cancelled.IsZero() {
				t.Cancelled = e.At
				p.tasks[e.ID] = t
			}
		case signalbox.PutApproval:
			p.approvals[e.Approval.ID] = e.Approval
		}
	}
	p.records = append(p.records, r)
	return int64(len(p.records)), nil
}

func (p *process) put(t signalbox.Task) {
	old, known := p.tasks[t.ID]
	name := t.ClaimKey()
	if !known {
		name = "task of " + t.Approval
	}
	if p.claims[name] != p.name && (known || t.Kind == signalbox.TaskOfApproval) {
		p.wrong = append(p.wrong, fmt.Sprintf("%s wrote %s without %q, which %q has", p.name, t.ID, name, p.claims[name]))
	}
	if known && old.State.Final() {
		return
	}
	if t.Cancelled = old.Cancelled; known && old.Content == nil {
		t.Content = nil
	}
	p.tasks[t.ID] = t
}

func (p *process) SealBytes(tenant, subject string, aad, plain []byte) (s signalbox.Sealed, effects []signalbox.Effect, err error) {
	p.locked(func() {
		if p.unsealing {
			err = errGone
		}
	})
	return signalbox.Sealed{Key: tenant + " " + subject, Data: slices.Concat(aad, []byte{0}, plain)}, nil, err
}

func (p *process) OpenBytes(_ string, s signalbox.Sealed, aad []byte) (plain []byte, state signalbox.ContentState, err error) {
	p.locked(func() {
		place, text, _ := bytes.Cut(s.Data, []byte{0})
		switch plain = text; {
		case p.erased:
			state = signalbox.ContentErased
		case p.unsealing:
			state = signalbox.ContentSealed
		case !bytes.Equal(place, aad):
			err = errGone
		}
	})
	return plain, state, err
}

// serve is the stations and the tool: the intent uses the approval up, the tool runs, and the outcome is written.
func (p *process) serve(ctx context.Context, t *call.Track) error {
	if t.Call.Approval == "" || t.Call.Caller.Key != "key_1" || string(t.Call.Body) != body {
		return fmt.Errorf("the call is not the one that was asked about: %+v", t.Call)
	}
	end := func(result []byte, err error) error {
		if p.dies(signalbox.RecordOutcome) {
			return errGone
		}
		outcome := signalbox.Record{Type: signalbox.RecordOutcome, Call: t.Call.ID}
		if _, lost := p.Append(context.WithoutCancel(ctx), outcome, t.Ended(result, err)...); lost != nil {
			return lost
		}
		return err
	}
	if err := p.intent(ctx, t); err != nil {
		return end(nil, err)
	}
	if p.dies(signalbox.RecordIntent) {
		return errGone
	}
	tool := p.tool
	p.locked(func() { p.made[t.Call.Approval]++; p.running++; p.peak = max(p.peak, p.running) })
	defer p.locked(func() { p.running-- })
	if tool == nil {
		return end([]byte(`{"content":[]}`), nil)
	}
	text, err := tool(ctx)
	if ctx.Err() != nil {
		return end(nil, signalbox.Errorf(signalbox.CodeCancelled, "cut"))
	}
	return end([]byte(text), err)
}

func (p *process) dies(at signalbox.RecordType) (dies bool) {
	p.locked(func() { dies = p.lostAt == at })
	return dies
}

func (p *process) intent(ctx context.Context, t *call.Track) error {
	a, err := p.Approval(ctx, t.Call.Approval)
	switch {
	case p.refusing != nil:
		return p.refusing
	case ctx.Err() != nil:
		return signalbox.Errorf(signalbox.CodeCancelled, "cut")
	case err != nil || !a.Used.IsZero():
		return signalbox.Errorf(signalbox.CodeConflict, "used twice")
	}
	a.Used = time.Now()
	_, err = p.Append(ctx, signalbox.Record{Type: signalbox.RecordIntent, Call: t.Call.ID}, append(t.Begun(), signalbox.PutApproval{Approval: a})...)
	return err
}

// body is the request of all calls.
const body = `{"method":"tools/call"}`

func (w *world) process(name string, report func(error)) *Keeper {
	p := &process{w, name}
	return New(Options{
		Store: p, Approvals: p, Log: p, Sealer: p, Now: time.Now, Serve: p.serve, Report: report,
		Parse: func(server string, b []byte) (*signalbox.ToolRequest, error) {
			if !strings.HasPrefix(string(b), "{") {
				return nil, errGone
			}
			return &signalbox.ToolRequest{Server: server, Name: "write", Arguments: []byte("{}")}, nil
		},
		Handed: func(result []byte) (signalbox.ServerTask, time.Duration, bool) {
			id, handed := strings.CutPrefix(string(result), "task ")
			return signalbox.ServerTask{ID: id}, time.Hour, handed
		},
	})
}

// kim is who makes the tests' calls.
var kim = signalbox.Caller{Tenant: "acme", Key: "key_1", Agent: "writer", User: "kim", Role: signalbox.RoleAgent}

// asking is a call that waits for an approval, which it makes.
func (w *world) asking(approval string) *signalbox.Call {
	w.locked(func() {
		w.approvals[approval] = signalbox.Approval{
			ID: approval, Tenant: "acme", Key: "key_1", State: signalbox.ApprovalPending, Expires: time.Now().Add(24 * time.Hour),
		}
	})
	step := int64(3)
	return &signalbox.Call{
		ID: "call_0", RequestID: "req_1", Kind: signalbox.KindTool, Protocol: signalbox.ProtocolMCP, Caller: kim, Source: "10.0.0.1",
		Claims: signalbox.Claims{User: "kim", Subject: "customer-9", Run: "run_1", Step: &step, Purpose: "a ticket"},
		Span:   signalbox.StartSpan("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b", "c=d"),
		Body:   []byte(body), Tool: &signalbox.ToolRequest{Server: "files", Name: "write", Arguments: []byte("{}")},
	}
}
