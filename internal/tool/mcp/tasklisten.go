package mcp

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Bounds of what a caller hears of tasks. Each of them is looked at while he listens, as often as its server says.
const (
	MaxTasksHeard = 32          // Tasks that one caller hears of.
	MaxTaskPoll   = time.Minute // The longest time between two looks; the shortest is [TaskPoll].
)

// tasksIn reads the tasks that the caller wants to hear of. Those that are not his are left out: the acknowledgement says
// which are heard of.
func (h *Handler) tasksIn(ctx context.Context, x *exchange, list json.Node) ([]string, error) {
	if list.Null() || h.tasks == nil {
		return nil, nil
	}
	if !x.declaresTasks() {
		return nil, tasksUndeclared()
	}
	nodes, err := list.Array()
	if err != nil || len(nodes) > MaxTasksHeard {
		return nil, invalid("params.notifications.taskIds", errors.New("a list of at most 32 ids is expected"))
	}
	var heard []string
	for _, node := range nodes {
		id, err := node.Text()
		if err != nil {
			return nil, invalid("params.notifications.taskIds", err)
		}
		_, err = h.find(ctx, x, id)
		switch {
		case signalbox.CodeOf(err) == signalbox.CodeNotFound:
		case err != nil:
			return nil, err
		case !slices.Contains(heard, id):
			heard = append(heard, id)
		}
	}
	return heard, nil
}

// followTasks looks at tasks, and gives a notification of each when it is another than before, the first time at once. The
// function ends it.
func (h *Handler) followTasks(ctx context.Context, x *exchange, ids []string) (told <-chan []byte, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	all := make(chan []byte)
	var group sync.WaitGroup
	for _, id := range ids {
		own, c, tool := *x, *x.call, signalbox.ToolRequest{}
		if c.Tool != nil {
			tool = *c.Tool
		}
		own.call, c.Tool = &c, &tool // Of this goroutine alone.
		group.Go(func() { h.followTask(ctx, &own, id, all) })
	}
	return all, func() { cancel(); group.Wait() }
}

// followTask is followTasks for one task, until it has ended.
func (h *Handler) followTask(ctx context.Context, x *exchange, id string, told chan<- []byte) {
	var last json.Value
	for ctx.Err() == nil {
		data, err := h.glance(ctx, x, id)
		if err != nil && !passes(err) {
			return // Who asks for it is told why.
		}
		if err == nil && !bytes.Equal(data, last) {
			select {
			case told <- x.taskNotice(data):
			case <-ctx.Done():
				return
			}
			last = data
		}
		view, _ := rpc.ReadTask(last)
		if view.Final() {
			return
		}
		pause := time.NewTimer(min(MaxTaskPoll, max(TaskPoll, view.Poll)))
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
}

// glance is what tasks/get would give.
func (h *Handler) glance(ctx context.Context, x *exchange, id string) (json.Value, error) {
	if x.modern() {
		return h.look(ctx, x, id)
	}
	f, err := h.find(ctx, x, id)
	if err != nil {
		return nil, err
	}
	return h.legacyView(ctx, x, f, rpc.MethodGetTask)
}

// passes reports whether an error may be gone when one looks again.
func passes(err error) bool {
	switch signalbox.CodeOf(err) { //nolint:exhaustive // All others stay.
	case signalbox.CodeUpstream, signalbox.CodeUnavailable, signalbox.CodeTimeout, signalbox.CodeRateLimited:
		return true
	}
	return false
}

// taskNotice writes a notification about a task.
func (x *exchange) taskNotice(data json.Value) []byte {
	if !x.modern() {
		return rpc.Encode(0, rpc.MethodTaskStatus, data)
	}
	members, err := rpc.Members(data)
	if err != nil {
		return rpc.Encode(0, rpc.MethodTaskNotified, data)
	}
	var o, meta rpc.Object
	for _, m := range members.All() {
		if m.Name != "resultType" && m.Name != "_meta" { // What a server says in _meta is about its answer to us.
			o.Add(m.Name, m.Value.Bytes())
		}
	}
	meta.Add(metaSubscription, x.id)
	o.Add("_meta", meta.Bytes())
	return rpc.Encode(0, rpc.MethodTaskNotified, o.Bytes())
}

// noteTask notes a task that was made in the session, for its stream of notifications. The oldest make room; s may be nil.
func (s *callerSession) noteTask(id string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks = append(s.tasks, id)
	if len(s.tasks) > MaxTasksHeard {
		s.tasks = s.tasks[1:]
	}
	close(s.changed)
	s.changed = make(chan struct{})
}
