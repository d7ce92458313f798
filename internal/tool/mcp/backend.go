package mcp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Open sends a tools/call, or another act, to the candidate's server, once, and waits for its result. The result is one terminal part.
// No other candidate could serve instead, so Next is never set. Codes: upstream (not reachable, or it answered with
// an error), invalid (the server refused the arguments), timeout, cancelled, not_implemented (the server wants input or
// started a task).
func (s *Servers) Open(
	ctx context.Context, t *call.Track, c signalbox.Candidate, span signalbox.Span,
) (call.Upstream, error) {
	u, err := s.upstream(c.Provider)
	if err != nil {
		return nil, &call.AttemptError{Err: signalbox.AsError(err)}
	}
	limited, cancel := context.WithTimeout(onBehalf(ctx, t.Call), u.CallTimeout)
	defer cancel()
	if isAsked(t.Call.Tool.Name) {
		return handedOver(), nil
	}
	x := exchangeOf(ctx)
	token, stop := u.listen(x)
	defer stop()
	meta := append(callerMeta(t.Call), traceMeta(span)...)
	if token != "" {
		meta = append(meta, textMember("progressToken", token)...)
	}
	if x != nil && x.modern() && x.meta.Get(metaLogLevel).Kind() == '"' {
		meta = append(meta, json.Member{Name: metaLogLevel, Value: x.meta.Get(metaLogLevel)})
	}
	method, name, params := methodOf(t.Call.Tool, c.Upstream)
	result, err := u.guarded(limited, method, name, func(session *session) []byte {
		own := params
		x.addInputs(&own)
		own.add("_meta", session.meta(meta, x.capabilities()))
		return own.bytes()
	})
	if err != nil {
		return nil, u.attemptError(ctx, err)
	}
	r, err := newResult(u.ID, result)
	if err == nil && r.report.Finish == typeInputRequired && x == nil {
		return nil, notCarried(u.ID, typeInputRequired) // Nobody is there who could be asked.
	}
	return r, err
}

// attemptError translates what went wrong with a tools/call.
func (u *upstream) attemptError(ctx context.Context, err error) *call.AttemptError {
	var rpc *rpcError
	var w *wireError
	var known *signalbox.Error
	switch {
	case errors.As(err, &known): // There was no session to send the call in, or no credential to send it with.
		return &call.AttemptError{Err: known}
	case errors.As(err, &rpc):
		return &call.AttemptError{Err: u.refused(rpc), Sent: true, Undone: rpc.undone()}
	case errors.As(err, &w):
		return &call.AttemptError{Err: u.broken(ctx, err), HTTPStatus: w.status, Sent: w.sent}
	}
	return &call.AttemptError{Err: u.broken(ctx, err)}
}

// undone reports whether the error says that the tool has not run. Every other answer counts as a call of it, a failure
// that the tool itself reports included.
func (e *rpcError) undone() bool {
	switch e.code {
	case rpcInvalidParams, rpcInvalidRequest, rpcMethodNotFound, rpcResourceNotFound, rpcMissingCapability:
		return true
	}
	return false
}

// refused is the error for a JSON-RPC error of the upstream. What it says in its data goes on beside what we say.
func (u *upstream) refused(e *rpcError) *signalbox.Error {
	f := &fault{code: e.code, more: func(data *object) { addNew(data, e.data) }}
	switch e.code {
	case rpcInvalidParams, rpcInvalidRequest:
		f.code = rpcInvalidParams
		return signalbox.Errorf(signalbox.CodeInvalid, "The MCP server %q refused the call: %s", u.ID, clip(e.message)).
			WithField("arguments").WithRemedy("Correct the arguments; tools/list shows the tool's schema.").WithCause(errors.Join(e, f))
	case rpcResourceNotFound:
		f.code = rpcInvalidParams // As newer versions have it.
		return signalbox.Errorf(signalbox.CodeNotFound, "The MCP server %q has no such resource: %s", u.ID, clip(e.message)).
			WithField("uri").WithRemedy("Use one of the URIs that resources/list gives.").WithCause(errors.Join(e, f))
	case rpcMissingCapability:
		return signalbox.Errorf(signalbox.CodeInvalid, "The MCP server %q needs a capability that the caller has not declared, or that the policy does not permit the server to use: %s", u.ID, clip(e.message)).
			WithField("params._meta." + metaCapabilities).WithRemedy("Declare it, and have it permitted.").WithCause(errors.Join(e, f))
	}
	f.code = rpcCode(signalbox.CodeUpstream)
	return signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q answered with error %d: %s", u.ID, e.code, clip(e.message)).
		WithRemedy("See the server's own log; whether the tool has acted is not known.").WithCause(errors.Join(e, f))
}

// addNew adds the members of an object, if it is one, that the other does not have.
func addNew(to *object, raw json.Value) {
	own, err := json.Object(to.bytes())
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
			to.add(m.Name, m.Value.Bytes())
		}
	}
}

// broken is the error for a call without a response.
func (u *upstream) broken(ctx context.Context, err error) *signalbox.Error {
	var w *wireError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errCancelled().WithCause(err)
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
func (u *upstream) turnedDown(w *wireError) *signalbox.Error {
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

// callerMeta gives the members of the caller's _meta that are his own: not the protocol's, not the trace, and not the
// token for progress, which nobody would carry back.
func callerMeta(c *signalbox.Call) []json.Member {
	if c.Protocol != signalbox.ProtocolMCP || len(c.Body) == 0 {
		return []json.Member{}
	}
	r, err := parseRequest(c.Body)
	if err != nil {
		return []json.Member{}
	}
	own := []json.Member{}
	for _, m := range r.meta.All() {
		switch {
		case strings.HasPrefix(m.Name, metaPrefix), m.Name == "progressToken": // Which we replace.
		case m.Name == "traceparent", m.Name == "tracestate", m.Name == "baggage":
		default:
			own = append(own, m)
		}
	}
	return own
}

// traceMeta hands the attempt's span on.
func traceMeta(span signalbox.Span) []json.Member {
	return slices.Concat(textMember("traceparent", span.Traceparent()), textMember("tracestate", span.State), textMember("baggage", span.Baggage))
}

// textMember gives a member with a text, none for "".
func textMember(name, value string) []json.Member {
	node, err := json.Parse(json.Quote(value), json.Limits{})
	if err != nil || value == "" {
		return nil
	}
	return []json.Member{{Name: name, Value: node}}
}

// result is the answer of a tool.
type result struct {
	data   json.Value
	report call.Report
	given  bool
}

// Types of results, which are also the reasons why a call finished.
const (
	typeComplete      = "complete"
	typeInputRequired = "input_required" // The server asks its caller for something first.
)

// newResult looks into a result. One of a type that we do not know is an error: we can not carry it on.
func newResult(server string, data json.Value) (*result, error) {
	var r struct {
		Type    string       `json:"resultType"`
		IsError bool         `json:"isError"`
		Content []json.Value `json:"content"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, &call.AttemptError{Sent: true, Err: signalbox.Errorf(signalbox.CodeUpstream,
			"The MCP server %q gave a result that is none.", server).
			WithRemedy("Check the server; the tool may have acted.").WithCause(err)}
	}
	if r.Type != "" && r.Type != typeComplete && r.Type != typeInputRequired {
		return nil, notCarried(server, r.Type)
	}
	report := call.Report{OutputBytes: int64(len(data)), Excerpt: excerpt(r.Content), Finish: typeComplete}
	if r.Type == typeInputRequired {
		report.Finish = typeInputRequired
	}
	if r.IsError {
		report.Finish = FinishToolError
	}
	return &result{data: data, report: report}, nil
}

func notCarried(server, kind string) error {
	return &call.AttemptError{Sent: true, Err: signalbox.Errorf(signalbox.CodeNotImplemented,
		"The MCP server %q answered with a result of type %q, which Signalbox does not carry here.", server, clip(kind)).
		WithRemedy("Use a tool that answers at once.")}
}

// FinishToolError is the finish reason of a call that was carried out and whose tool reports a failure. The call is ok:
// the caller got the tool's answer.
const FinishToolError = "tool_error"

// excerpt gives the beginning of the text of a result.
func excerpt(content []json.Value) string {
	var b strings.Builder
	for _, raw := range content {
		var text struct {
			Text string `json:"text"`
		}
		if json.Unmarshal(raw, &text) != nil || text.Text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if b.WriteString(text.Text); b.Len() >= signalbox.MaxExcerpt {
			return strings.ToValidUTF8(b.String()[:signalbox.MaxExcerpt], "")
		}
	}
	return b.String()
}

// Head describes the answer.
func (r *result) Head() call.Head {
	return call.Head{ContentType: "application/json", Header: http.Header{}}
}

// Next gives the result, once.
func (r *result) Next(context.Context) (call.Part, error) {
	if r.given {
		return call.Part{}, io.EOF
	}
	r.given = true
	return call.Part{Data: r.data, Terminal: true}, nil
}

// Close does nothing: the result is here.
func (r *result) Close() error { return nil }

// Report tells what is known of the attempt.
func (r *result) Report() call.Report { return r.report }
