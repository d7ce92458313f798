package mcp

import (
	"context"
	"time"

	"github.com/signalbox/signalbox"
)

// Limits of calls that wait for an approval.
const (
	DefaultApprovalWait = 45 * time.Second // How long a call waits before it answers "pending". Clients often give up after 60.
	ProgressEvery       = 5 * time.Second  // How often a caller who asked for progress hears that his call waits.
	MaxWaiting          = 1000             // Calls that wait at once; the next ones answer "pending" at once.
)

// HandlerOption adds something to a [Handler] that [NewHandler] makes.
type HandlerOption func(*Handler)

// Visible decides whether a list shows a tool to a caller. Annotations are what the server says of the tool, and may be
// nil. Where it does not, rule names what hides the tool, for people. It is safe for concurrent use.
type Visible func(caller signalbox.Caller, server, tool string, a *signalbox.Annotations) (shown bool, rule string)

// CallerOf gives who makes a call, as the gate would establish it out of the key and the call's claims. Errors are meant
// for the caller. It is safe for concurrent use.
type CallerOf func(*signalbox.Call) (signalbox.Caller, error)

// Permits decides whether a caller could make a request that is no tools/call, such as resources/read, with these
// arguments. Where he could not, rule names why, for people. It is safe for concurrent use.
type Permits func(caller signalbox.Caller, server, method string, arguments []byte) (permitted bool, rule string)

// Reaches reports whether anything of a server could be for the caller. It is safe for concurrent use.
type Reaches func(caller signalbox.Caller, server string) bool

// FilterLists lets lists show only what is visible to whoever asks: tools by visible, and by permits each resource and
// prompt whose reading is permitted. A server that gives no list is named to those alone whom it would show something,
// by reaches. Without this option they show everything. A list decides nothing: a call is judged by
// the stations, whatever was listed.
func FilterLists(callerOf CallerOf, visible Visible, permits Permits, reaches Reaches) HandlerOption {
	return func(h *Handler) { h.callerOf, h.visible, h.permits, h.reaches = callerOf, visible, permits, reaches }
}

// AskFew lets joint lists ask only those servers of which something could be visible to the caller, and listeners of all servers
// hear of those alone. It may say so of more
// servers than [FilterLists] is told, of which only the lists themselves can tell. Without this option all servers are asked,
// and who may use one of them waits for another that hangs.
func AskFew(concerns Reaches) HandlerOption {
	return func(h *Handler) { h.concerns = concerns }
}

// ServesTo reports whether a server exists for a tenant. It is safe for concurrent use.
type ServesTo func(server, tenant string) bool

// KeepTenants lets servers exist for some tenants alone: the paths of all others do as if these were not there. Calls are
// none of its business: the stations decide about them. Without this option all servers exist for all.
func KeepTenants(servesTo ServesTo) HandlerOption {
	return func(h *Handler) { h.servesTo = servesTo }
}

// Waiter waits for the decisions of people. It is safe for concurrent use.
type Waiter interface {
	// Wait gives the approval once it is no longer pending. It may give a pending one earlier, when the process is about
	// to stop; the caller is then told to come back. When ctx ends it returns at once, with any error or with the pending
	// approval. Waiting changes nothing about the approval.
	Wait(ctx context.Context, id string) (signalbox.Approval, error)
}

// WaitForApprovals lets a call that needs an approval wait for it, at most for the time given (0 is
// [DefaultApprovalWait]), and then be presented again as a new call. Without this option such a call is refused at once.
func WaitForApprovals(w Waiter, wait time.Duration) HandlerOption {
	return func(h *Handler) {
		h.waiter, h.wait = w, wait
		if wait <= 0 {
			h.wait = DefaultApprovalWait
		}
	}
}
