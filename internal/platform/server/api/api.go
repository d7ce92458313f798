// Package api is the control API: what people, the console and the command line ask of a running Signalbox.
//
// It lives under /api/v1 and describes itself at /api/v1/openapi.json; the console's types are generated from that.
// Lists are {"items": […], "next": "cursor" or null, "as_of": time}, newest first, 1 to 500 items a page. Field names are
// the seed's in snake_case and present in every row, null where they do not apply. Money is a decimal string in US
// dollars; times are RFC 3339 in UTC. Errors are {"error": {code, message, remedy, field, request_id}}.
//
// # Who sees what
//
// Agents, developers and approvers see their own tenant; auditors, operators and admins see all. Reads never touch the
// hot path: they go to projections through a read-only pool, and each answer says how far those are (as_of).
package api

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Views reads the projections. Errors are of code not_found, invalid (a bad cursor) or unavailable. Safe for concurrent
// use.
type Views interface {
	ListCalls(ctx context.Context, f signalbox.CallFilter) (items []signalbox.CallView, next string, err error)
	CallByID(ctx context.Context, id string) (signalbox.CallView, error) // Of any tenant.
	Costs(ctx context.Context, q signalbox.CostQuery) ([]signalbox.CostRow, error)
	RunCosts(ctx context.Context, q signalbox.RunCostQuery) (items []signalbox.RunCost, next string, err error)
	Runs(ctx context.Context, f signalbox.RunFilter) (items []signalbox.RunView, next string, err error)
	Facets(ctx context.Context, tenants []string) (signalbox.Facets, error)
}

// Traces reads the calls of a trace, and how far the projections are. Errors and concurrency as with [Views].
type Traces interface {
	TraceCalls(ctx context.Context, traceID string, tenants []string) ([]signalbox.CallView, error)
	Progress(ctx context.Context) (signalbox.Progress, error)
}

// Records reads the log itself. Errors are of code not_found or unavailable. Safe for concurrent use.
type Records interface {
	Entry(ctx context.Context, index int64) (signalbox.Entry, error)
	Newest(ctx context.Context, before int64, limit int) ([]signalbox.Entry, error) // Newest first.
	LatestCheckpoint(ctx context.Context) ([]byte, error)                           // Nil where none is signed yet.
}

// Authenticator tells whose key or session a request carries, and refuses changes that a foreign page makes with a
// session. Errors are of code unauthenticated, invalid or forbidden.
type Authenticator interface {
	Authenticate(w http.ResponseWriter, r *http.Request) (signalbox.Key, error)
}

// Sessions are the console's logins. Secret gives the key of a secret typed in at the login, with errors like those of
// [Authenticator]; Open is given the key that has just been authenticated. Open and Close are unavailable where the log
// can not be written, and change nothing then.
type Sessions interface {
	Open(w http.ResponseWriter, r *http.Request, key signalbox.Key) (expires time.Time, err error)
	Close(w http.ResponseWriter, r *http.Request) error
	Secret(w http.ResponseWriter, r *http.Request, secret string) (signalbox.Key, error)
}

// Keys administers API keys.
type Keys interface {
	List() []signalbox.Key
	Create(ctx context.Context, by signalbox.Caller, template signalbox.Key) (signalbox.Key, string, error)
	Revoke(ctx context.Context, by signalbox.Caller, id string) (signalbox.Key, error)
}

// Options are what the API is made of.
type Options struct {
	Views        Views
	Traces       Traces
	Overview     func(ctx context.Context, q signalbox.CostQuery) (signalbox.Overview, error)
	Records      Records
	Auth         Authenticator
	Sessions     Sessions
	Keys         Keys
	Decode       func(signalbox.Entry) (signalbox.Record, error)
	Verify       func(ctx context.Context) (VerifyReport, error)
	AuditStatus  func(ctx context.Context) (AuditStatus, error)
	AuditKeeping AuditKeeping
	Health       func(ctx context.Context) Health
	Prices       func() []Price
	Runs         Runs
	RunView      RunView
	Accounts     Accounts
	Alerts       Alerts
	Subjects     Subjects
	Archives     Archives
	Export       Export
	Reconcile    Reconcile
	Approvals    Approvals
	Edit         Edit
	Policy       Policy
	BreakGlass   BreakGlass
	Incidents    Incidents
	Pins         Pins
	Servers      Servers
	ToolUses     func(ctx context.Context, q signalbox.CostQuery) (map[string]projection.ToolUse, error)
	Search       Search
	OpenSessions OpenSessions
	Providers    func() []LoginProvider // That people can log in with, by the configuration in force.
	Stopping     <-chan struct{}        // Closed when the server stops, so that nobody waits on; nil: never.
	Tenants      func() []string        // Those of the configuration in force.

	// ServesTo reports whether an MCP server exists for a tenant; one that is not configured any more does for all.
	ServesTo func(server, tenant string) bool

	Now     func() time.Time
	Version string
}

type server struct {
	Options
	arranged arrangements
	watchers watchers
}

var setup sync.Once

// New registers the API's operations on the mux.
func New(mux humago.Mux, o Options) {
	setup.Do(setHumaDefaults)
	s := &server{Options: o}
	config := huma.DefaultConfig("Signalbox control API", o.Version)
	config.CreateHooks = nil
	config.DocsPath, config.SchemasPath, config.OpenAPIPath = "", "", "/api/v1/openapi"
	config.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key of Signalbox."},
	}
	api := humago.New(mux, config)
	api.UseMiddleware(s.authenticate(api))
	s.registerSession(api)
	s.registerCalls(api)
	s.registerTraces(api)
	s.registerCosts(api)
	s.registerRuns(api)
	s.registerAccounts(api)
	s.registerAlerts(api)
	s.registerReconcile(api)
	s.registerKeys(api)
	s.registerAudit(api)
	s.registerAuditExport(api)
	s.registerAuditStatus(api)
	s.registerSubjects(api)
	s.registerArchives(api)
	s.registerApprovals(api)
	s.registerEdit(api)
	s.registerPolicy(api)
	s.registerBreakGlass(api)
	s.registerIncidents(api)
	s.registerPins(api)
	s.registerServers(api)
	s.registerSearch(api)
	s.registerSessions(api)
	s.registerHealth(api)
}

var strictJSON = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	},
	Unmarshal: json.Unmarshal,
}

// setHumaDefaults changes what huma keeps per process: its errors have our shape, names are matched exactly.
func setHumaDefaults() {
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
	huma.NewErrorWithContext = newError
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return newError(nil, status, message, errs...)
	}
}

// Page is what every list has.
type Page[T any] struct {
	Items []T       `json:"items"`
	Next  *string   `json:"next" doc:"Cursor of the next page; null on the last one."`
	AsOf  time.Time `json:"as_of" doc:"The projections hold everything up to this time."`
}

// Body wraps an answer as huma wants it.
type Body[T any] struct {
	Body T
}

// Paging are the parameters of every list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" maxLength:"512"`
}

// asOf is the time up to which the projections hold everything: now, where nothing waits to be projected. It is asked for
// before what it is said of, which is then at least as new.
func (s *server) asOf(ctx context.Context) (time.Time, error) {
	now := s.Now().UTC()
	p, err := s.Traces.Progress(ctx)
	if err != nil || p.Cursor >= p.Size {
		return now, err
	}
	return p.AsOf, nil
}

func cursor(next string) *string { return OrNull(next) }

func errCursor() error {
	return signalbox.Errorf(signalbox.CodeInvalid, "the cursor is not one of ours").WithField("cursor").
		WithRemedy("Take `next` of the page before, or leave it out.")
}

// OrNull is nil for the zero value, which answers show as null.
func OrNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
