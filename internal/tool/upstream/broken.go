package upstream

import (
	"context"
	"errors"
	"net/http"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// attemptError translates what went wrong with a tools/call.
func (u *Server) attemptError(ctx context.Context, err error) *call.AttemptError {
	var answered *rpc.Error
	var w *wireError
	var known *signalbox.Error
	switch {
	case errors.As(err, &known): // There was no session to send the call in, or no credential to send it with, or it was ended by us.
		return &call.AttemptError{Err: known, Sent: errors.As(err, &w) && w.sent}
	case errors.As(err, &answered):
		if answered.Code == rpc.CodeHeaderMismatch { // The tool may have changed since it was listed.
			u.mu.Lock()
			u.toolShelf.forget()
			u.mu.Unlock()
		}
		return &call.AttemptError{Err: u.refused(answered), Sent: true, Undone: undone(answered)}
	case errors.As(err, &w):
		return &call.AttemptError{Err: u.broken(ctx, err), HTTPStatus: w.status, Sent: w.sent}
	}
	return &call.AttemptError{Err: u.broken(ctx, err)}
}

// undone reports whether the error says that the tool has not run. Every other answer counts as a call of it, a failure
// that the tool itself reports included.
func undone(e *rpc.Error) bool {
	switch e.Code {
	case rpc.CodeInvalidParams, rpc.CodeInvalidRequest, rpc.CodeMethodNotFound, rpc.CodeResourceNotFound, rpc.CodeMissingCapability,
		rpc.CodeHeaderMismatch, rpc.CodeURLRequired:
		return true
	}
	return false
}

// refused is the error for a JSON-RPC error of the upstream. What it says in its data goes on beside what we say.
func (u *Server) refused(e *rpc.Error) *signalbox.Error {
	f := &rpc.CodeError{Code: e.Code, More: func(data *rpc.Object) { addNew(data, e.Data) }}
	switch e.Code {
	case rpc.CodeInvalidParams, rpc.CodeInvalidRequest:
		f.Code = rpc.CodeInvalidParams
		return signalbox.Errorf(signalbox.CodeInvalid, "The MCP server %q refused the call: %s", u.ID, rpc.Clip(e.Message)).
			WithField("arguments").WithRemedy("Correct the arguments; the lists of tools, prompts and templates say which there are.").WithCause(errors.Join(e, f))
	case rpc.CodeResourceNotFound:
		f.Code = rpc.CodeInvalidParams // As newer versions have it.
		return signalbox.Errorf(signalbox.CodeNotFound, "The MCP server %q has no such resource: %s", u.ID, rpc.Clip(e.Message)).
			WithField("uri").WithRemedy("Use one of the URIs that resources/list gives.").WithCause(errors.Join(e, f))
	case rpc.CodeMissingCapability:
		return signalbox.Errorf(signalbox.CodeInvalid, "The MCP server %q needs a capability that the caller has not declared, or that the policy does not permit the server to use: %s", u.ID, rpc.Clip(e.Message)).
			WithField("params._meta." + rpc.MetaCapabilities).WithRemedy("Declare it, and have it permitted.").WithCause(errors.Join(e, f))
	}
	if e.Code == rpc.CodeURLRequired { // What it says of the URLs is handed on once it is permitted.
		return signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q wants its user to visit a URL first: %s", u.ID, rpc.Clip(e.Message)).
			WithRemedy("Visit it, and make the call again.").WithCause(errors.Join(e, f))
	}
	f.Code = rpc.CodeOf(signalbox.CodeUpstream)
	return signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q answered with error %d: %s", u.ID, e.Code, rpc.Clip(e.Message)).
		WithRemedy("See the server's own log; whether the tool has acted is not known.").WithCause(errors.Join(e, f))
}

// addNew adds the members of an object, if it is one, that the other does not have.
func addNew(to *rpc.Object, raw json.Value) {
	own, err := json.Object(to.Bytes())
	if err != nil || len(raw) == 0 {
		return
	}
	root, err := json.Parse(raw, json.Limits{CaseVariants: true})
	if err != nil {
		return
	}
	members, err := root.Object()
	if err != nil {
		return
	}
	for _, m := range members.All() {
		if !own.Has(m.Name) {
			to.Add(m.Name, m.Value.Bytes())
		}
	}
}

// broken is the error for a call without a response.
func (u *Server) broken(ctx context.Context, err error) *signalbox.Error {
	var w *wireError
	var unconnected *unconnectedError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errCancelled().WithCause(err)
	case errors.As(err, &unconnected):
		return u.unreachable(err)
	case errors.Is(err, context.DeadlineExceeded):
		return signalbox.Errorf(signalbox.CodeTimeout, "The MCP server %q did not answer the call within %s.", u.ID, u.CallTimeout).
			WithRemedy("Whether the tool has acted is not known; the server's timeouts.total can be raised.").WithCause(err)
	case errors.As(err, &w) && w.status != 0:
		return u.turnedDown(w)
	}
	return signalbox.Errorf(signalbox.CodeUpstream, "The connection to the MCP server %q broke during the call%s.", u.ID, reasonOf(err)).
		WithRemedy("Check the server; whether the tool has acted is not known.").WithCause(err)
}

// turnedDown is the error for an HTTP status without a message.
func (u *Server) turnedDown(w *wireError) *signalbox.Error {
	code, what, remedy := signalbox.CodeUpstream, "answered with", "See the server's own log."
	switch w.status {
	case http.StatusTooManyRequests:
		code, remedy = signalbox.CodeRateLimited, "Retry later; the server limits how often Signalbox may call it."
	case http.StatusServiceUnavailable, statusOverloaded:
		code, remedy = signalbox.CodeUnavailable, "Retry later; the server says that it can not serve at the moment."
	case http.StatusUnauthorized:
		what, remedy = "does not take the credential that Signalbox has for it, with", remedyCredential
	case http.StatusForbidden:
		what, remedy = "does not permit this to the credential that Signalbox has for it, with", remedyCredential
	case http.StatusNotFound:
		remedy = "Check the server's url."
	}
	e := signalbox.Errorf(code, "The MCP server %q %s status %d.", u.ID, what, w.status).WithRemedy(remedy).WithCause(w)
	if w.after > 0 {
		e = e.WithRetryAfter(w.after)
	}
	return e
}

const remedyCredential = "Check the server's headers or credential in the configuration, and what they may do there."

// statusOverloaded is what some servers answer instead of 503.
const statusOverloaded = 529
