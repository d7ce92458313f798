package mcp

import (
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Guards gives the guard's look at what passes about the tasks of a tool; nil where nobody looks. It is safe for concurrent use.
type Guards func(server, tool string) call.Beside

// GuardTasks has the guard look at what tasks come to, by the rules that hold when they are asked about. Without this option
// nobody looks.
func GuardTasks(g Guards) HandlerOption { return func(h *Handler) { h.guards = g } }

// beside is the guard's look at what passes about a task; nil where nobody looks.
func (h *Handler) beside(t signalbox.Task) call.Beside {
	if h.guards == nil {
		return nil
	}
	return h.guards(t.Server, strings.TrimPrefix(t.Tool, t.Server+"."))
}

// passing gives what the guard lets pass of what a task comes to: that is told now, whenever its call was made.
func (h *Handler) passing(t signalbox.Task, data json.Value) (json.Value, error) {
	beside := h.beside(t)
	if beside == nil {
		return data, nil
	}
	return beside.ToCaller(data)
}
