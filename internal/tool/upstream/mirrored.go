package upstream

import (
	"context"
	"maps"
	"net/http"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/mirror"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

type headersKey struct{}

// withHeaders gives the context of a call with the headers that repeat its arguments. Those of the caller that we do not know go
// on: somebody behind us may.
func (u *Server) withHeaders(ctx context.Context, t *signalbox.ToolRequest, terms *Terms) context.Context {
	if !u.overHTTP() || u.API != nil || rpc.Reserved(t.Name) {
		return ctx
	}
	params := u.mirrored(t.Name)
	if params == nil && len(terms.Headers) == 0 {
		return ctx
	}
	h := mirror.Others(params, terms.Headers)
	maps.Copy(h, mirror.Headers(params, t.Arguments))
	return context.WithValue(ctx, headersKey{}, h)
}

// mirrored gives what of a tool's arguments is repeated in headers, as far as its list is known: a moment ago the call was
// resolved by it.
func (u *Server) mirrored(tool string) []mirror.Param {
	u.mu.Lock()
	list := u.toolShelf.value
	u.mu.Unlock()
	if list == nil {
		return nil
	}
	t, _ := list.find(tool)
	return t.mirrored
}

// headersOf gives the headers that repeat the arguments of the call that a context belongs to.
func headersOf(ctx context.Context) http.Header {
	h, _ := ctx.Value(headersKey{}).(http.Header)
	return h
}

// mismatch is what is wrong with the headers of a modern caller that repeat the arguments, as the protocol's newest version
// wants it.
func mismatch(ctx context.Context, t *Tool, r *signalbox.ToolRequest) *signalbox.Error {
	c := callerOf(ctx)
	if len(t.mirrored) == 0 || c == nil {
		return nil
	}
	headers := c.Terms().Headers
	if headers == nil {
		return nil
	}
	if err := mirror.Check(t.mirrored, r.Arguments, headers); err != nil {
		return signalbox.Errorf(signalbox.CodeInvalid, "Headers and body disagree: %s.", err).WithField(mirror.Prefix + "…").
			WithRemedy("Repeat in the headers what the message says, as the tool's schema in tools/list wants it.").
			WithCause(&rpc.CodeError{Code: rpc.CodeHeaderMismatch})
	}
	return nil
}
