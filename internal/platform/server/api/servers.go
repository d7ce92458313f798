package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Servers tells of the MCP servers of the configuration in force. It asks none of them. Safe for concurrent use.
type Servers interface {
	List() []ServerState             // By id.
	Declared(server string) []string // Names of tools of which something is declared.

	// Rules gives what decides about tools of a server.
	Rules(server string) ToolJudge
}

// ToolJudge gives what decides about a tool of which its server says that. Who may call it is left out unless asked for.
type ToolJudge func(tool string, a *signalbox.Annotations, agents bool) ToolRules

// ServerState is how it stands with a server.
type ServerState struct {
	ID         string
	Kind       ServerKind
	Connection ConnectionState // All but paused.
	Failure    string          // Why there is no connection.
	Breaker    string          // Of its calls: closed, open or half_open.
	Until      time.Time       // When it is open: until when.
	Failures   int             // In a row.
	InFlight   int
	Places     int
	Declined   int64
	Sessions   int64
	Protocol   string // The version that is spoken; "" while that is not known.
	Modern     bool   // That version needs no session.
	Credential string
	Price      *signalbox.Money // Of a call; nil where nobody has said.
	Listed     *int             // How many tools its last list had; nil while none is known.
}

// ServerKind says what a server is.
type ServerKind string

// The kinds.
const (
	ServerHTTP    ServerKind = "http"
	ServerChild   ServerKind = "child"
	ServerOpenAPI ServerKind = "openapi"
)

// ConnectionState says whether calls of a server can be made.
type ConnectionState string

// The states.
const (
	ConnectionIdle        ConnectionState = "idle"
	ConnectionConnecting  ConnectionState = "connecting"
	ConnectionReady       ConnectionState = "ready"
	ConnectionUnreachable ConnectionState = "unreachable"
	ConnectionPaused      ConnectionState = "paused"
)

// Server is an MCP server, or an HTTP API that stands for one.
type Server struct {
	ID         string          `json:"id"`
	Kind       ServerKind      `json:"kind" enum:"http,child,openapi" doc:"child: a program that Signalbox runs. openapi: an HTTP API by its description."`
	State      ConnectionState `json:"state" enum:"idle,connecting,ready,unreachable,paused" doc:"idle: nobody has used it yet. paused: its calls have failed too often, and are refused at once for a while."`
	Failure    *string         `json:"failure" doc:"Why it can not be reached."`
	Breaker    string          `json:"breaker" enum:"closed,open,half_open" doc:"half_open: the next call is let through to see whether it works again."`
	Until      *time.Time      `json:"paused_until"`
	Failures   int             `json:"failures_in_row" doc:"Calls that have failed, in a row."`
	InFlight   int             `json:"in_flight"`
	Places     int             `json:"places" doc:"How many calls may be in flight."`
	Declined   int64           `json:"declined" doc:"Calls turned away since it was configured, for want of a place or in a pause."`
	Sessions   int64           `json:"sessions" doc:"Begun since it was configured; with a child, its starts."`
	Protocol   *string         `json:"protocol_version" doc:"That is spoken with it; null while it is not known, and for an HTTP API."`
	Era        *string         `json:"era" enum:"modern,legacy" doc:"modern: each request stands by itself. legacy: in a session."`
	Credential string          `json:"credential" enum:"none,headers,client_credentials,token_exchange" doc:"What Signalbox shows to it; never what it is."`
	Price      *string         `json:"price_per_call" doc:"US dollars, of tools without a price of their own; null: unpriced."`
	Listed     *int            `json:"tools_listed" doc:"In its last list; null while none is known."`
	Seen       int             `json:"tools_seen" doc:"Tools that were ever seen."`
	Held       int             `json:"tools_held" doc:"That nobody can use before a review."`
	Flagged    int             `json:"tools_flagged" doc:"That look suspicious."`
}

// OneServer names a server.
type OneServer struct {
	ID string `path:"id" maxLength:"63"`
}

func (s *server) registerServers(api huma.API) {
	readers := []signalbox.Role{
		signalbox.RoleDeveloper, signalbox.RoleApprover, signalbox.RoleAuditor, signalbox.RoleOperator, signalbox.RoleAdmin,
	}
	huma.Register(api, operation("list-servers", http.MethodGet, "/servers", "MCP servers, by id, with how it stands with each", readers...), s.listServers)
	huma.Register(api, operation("get-server", http.MethodGet, "/servers/{id}", "How it stands with an MCP server", readers...), s.getServer)
	huma.Register(api, operation("list-tools", http.MethodGet, "/servers/{id}/tools", "Tools of an MCP server, by name, with their calls in a range of time", readers...), s.listTools)
	huma.Register(api, operation("get-tool", http.MethodGet, "/tools/{id}", "A tool of an MCP server: what it says, who may call it, and its calls in a range of time", readers...), s.getTool)
}

// ServerQuery pages through servers.
type ServerQuery struct {
	Paging
}

func (s *server) listServers(ctx context.Context, q *ServerQuery) (*Body[Page[Server]], error) {
	page := Page[Server]{Items: []Server{}, AsOf: s.Now().UTC()}
	pins, err := s.Pins.List(ctx, "")
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	for _, state := range s.Servers.List() {
		if state.ID <= q.Cursor {
			continue
		}
		if len(page.Items) == q.Limit {
			page.Next = cursor(page.Items[q.Limit-1].ID)
			break
		}
		page.Items = append(page.Items, serverRow(&state, pins))
	}
	return &Body[Page[Server]]{page}, nil
}

// ServerDetail is a server with when this was so.
type ServerDetail struct {
	Server
	AsOf time.Time `json:"as_of"`
}

func (s *server) getServer(ctx context.Context, in *OneServer) (*Body[ServerDetail], error) {
	state, err := s.findServer(in.ID)
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	pins, err := s.Pins.List(ctx, in.ID)
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	return &Body[ServerDetail]{ServerDetail{serverRow(&state, pins), s.Now().UTC()}}, nil
}

func (s *server) findServer(id string) (ServerState, error) {
	all := s.Servers.List()
	if i := slices.IndexFunc(all, func(x ServerState) bool { return x.ID == id }); i >= 0 {
		return all[i], nil
	}
	return ServerState{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no MCP server %s.", strconv.Quote(id)).WithField("id").
		WithRemedy("Use the id of a server of the configuration: GET /api/v1/servers lists them.")
}

// serverRow makes the row out of the state and the pins of that server, among others.
func serverRow(x *ServerState, pins []signalbox.Pin) Server {
	row := Server{
		ID: x.ID, Kind: x.Kind, State: x.Connection, Failure: OrNull(x.Failure), Breaker: x.Breaker, Until: timeOrNull(x.Until), Failures: x.Failures,
		InFlight: x.InFlight, Places: x.Places, Declined: x.Declined, Sessions: x.Sessions, Protocol: OrNull(x.Protocol),
		Credential: x.Credential, Price: dollars(x.Price), Listed: x.Listed,
	}
	if x.Breaker == "open" {
		row.State = ConnectionPaused
	}
	if era := "legacy"; x.Protocol != "" {
		if x.Modern {
			era = "modern"
		}
		row.Era = &era
	}
	for i := range pins {
		if pins[i].Server == x.ID {
			row.count(&pins[i])
		}
	}
	return row
}

func (row *Server) count(p *signalbox.Pin) {
	row.Seen++
	if p.State == signalbox.PinHeld {
		row.Held++
	}
	if len(p.Shown().Flags) > 0 {
		row.Flagged++
	}
}

// serverOf gives the server and the name of a tool's id.
func serverOf(id string) (server, tool string) {
	server, tool, _ = strings.Cut(id, ".")
	return server, tool
}
