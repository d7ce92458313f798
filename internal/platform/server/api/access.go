package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/signalbox/signalbox"
)

// MaxBody bounds the body of a control request, in bytes.
const MaxBody = 64 << 10

// ConsoleHeader must be present on a login: no other site can make a browser send it, so none can log a visitor in.
const ConsoleHeader = "X-Signalbox-Console"

type callerKey struct{}

// ctxWithCaller is who makes a control request.
type ctxWithCaller struct {
	Key       signalbox.Key
	RequestID string
}

// callerOf gives who makes the request; the middleware has put it there.
func callerOf(ctx context.Context) ctxWithCaller {
	c, _ := ctx.Value(callerKey{}).(ctxWithCaller)
	return c
}

func requestID(ctx huma.Context) string {
	if ctx == nil {
		return ""
	}
	return callerOf(ctx.Context()).RequestID
}

// caller is the acting party of records.
func (c ctxWithCaller) caller() signalbox.Caller {
	return signalbox.Caller{Tenant: c.Key.Tenant, Team: c.Key.Team, Key: c.Key.ID, Role: c.Key.Role, User: c.Key.User, Agent: c.Key.Agent}
}

// tenants are those the caller may see; nil is all.
func (c ctxWithCaller) tenants() []string {
	switch c.Key.Role {
	case signalbox.RoleAuditor, signalbox.RoleOperator, signalbox.RoleAdmin:
		return nil
	case signalbox.RoleAgent, signalbox.RoleDeveloper, signalbox.RoleApprover:
	}
	return []string{c.Key.Tenant}
}

func (c ctxWithCaller) maySee(tenant string) bool {
	all := c.tenants()
	return all == nil || slices.Contains(all, tenant)
}

// knows reports whether an MCP server exists for the caller, or for somebody of whom he may know.
func (s *server) knows(c ctxWithCaller, mcpServer string) bool {
	all := c.tenants()
	return all == nil || slices.ContainsFunc(all, func(tenant string) bool { return s.ServesTo(mcpServer, tenant) })
}

// narrow restricts what the caller may see to one tenant, if the request names one.
func (c ctxWithCaller) narrow(tenant string) []string {
	switch {
	case tenant == "":
		return c.tenants()
	case c.maySee(tenant):
		return []string{tenant}
	}
	return []string{}
}

// public marks operations that need no key.
const public = "public"

// operation describes an operation. No roles means that every role may call it.
func operation(id, method, path, summary string, roles ...signalbox.Role) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: "/api/v1" + path, Summary: summary, MaxBodyBytes: MaxBody,
		Metadata: map[string]any{"roles": roles}, Security: []map[string][]string{{"key": {}}},
	}
}

// authenticate lets a request through if its key's role may call the operation.
func (s *server) authenticate(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		c := ctxWithCaller{RequestID: s.requestID(r)}
		ctx.SetHeader("X-Request-Id", c.RequestID)
		ctx.SetHeader("Cache-Control", "no-store")
		op := ctx.Operation()
		if op.Metadata[public] == nil {
			key, err := s.admit(w, r, op)
			if err != nil {
				ctx = huma.WithValue(ctx, callerKey{}, c)
				//nolint:errcheck // The answer is on its way; a broken connection is the reader's to notice.
				huma.WriteErr(api, ctx, signalbox.CodeOf(err).Status(), err.Error(), err)
				return
			}
			c.Key = key
		}
		next(huma.WithValue(ctx, callerKey{}, c))
	}
}

func (s *server) requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); signalbox.ValidID(id) {
		return id
	}
	return signalbox.NewID(signalbox.RequestPrefix, s.Now())
}

func (s *server) admit(w http.ResponseWriter, r *http.Request, op *huma.Operation) (signalbox.Key, error) {
	key, err := s.Auth.Authenticate(w, r)
	if err != nil {
		return key, err
	}
	roles, _ := op.Metadata["roles"].([]signalbox.Role)
	if len(roles) > 0 && !slices.Contains(roles, key.Role) {
		return key, signalbox.Errorf(signalbox.CodeForbidden, "the role %s may not do this", key.Role).
			WithRemedy("Use a key with one of the roles: " + join(roles) + ".")
	}
	return key, nil
}

func join(roles []signalbox.Role) string {
	text := ""
	for i, r := range roles {
		if i > 0 {
			text += ", "
		}
		text += string(r)
	}
	return text
}
