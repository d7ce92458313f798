package server

import (
	"net/http"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/model/serve"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// Class says whether what comes over a path is paid for.
type Class string

// The classes.
const (
	// ClassCall passes the stations: it holds its bound in the ledger before anything leaves the process.
	ClassCall Class = "call"
	// ClassFree reaches no model, tool, agent, database or web page outside, so that nothing can be billed for it.
	ClassFree Class = "free"
)

// Route is one path that is served.
type Route struct {
	Pattern string
	Class   Class
}

// router is the one list of paths, and the class of each. It serves them too.
type router struct {
	mux    *http.ServeMux
	routes []Route
}

func newRouter() *router { return &router{mux: http.NewServeMux()} }

func (r *router) handle(pattern string, class Class, h http.Handler) {
	r.routes = append(r.routes, Route{pattern, class})
	r.mux.Handle(pattern, h)
}

// HandleFunc adds an operation of the control API, all of which are free.
func (r *router) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	r.handle(pattern, ClassFree, http.HandlerFunc(h))
}

// ServeHTTP serves one request.
func (r *router) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if mask.Secret(q.Header.Get(serve.HeaderRequestID)) { // It is repeated in answers and records.
		q.Header.Del(serve.HeaderRequestID)
	}
	if mask.Secret(q.URL.Path) && !strings.HasPrefix(q.URL.Path, toolPath) { // Which the gate refuses, with a record.
		refuseSecret(w, q.Header.Get(serve.HeaderRequestID))
		return
	}
	r.mux.ServeHTTP(w, q)
}

// toolPath begins the paths of MCP servers.
const toolPath = "/mcp/"

// mask finds secrets where names and ids belong.
var mask = guard.New()

// refuseSecret answers a request whose path has a secret in it, which no answer repeats.
func refuseSecret(w http.ResponseWriter, id string) {
	api.WriteError(w, signalbox.Errorf(signalbox.CodeInvalid, "The path has a secret in it.").WithField("path").
		WithRemedy("Name what is meant, and change the secret: it has been sent where it does not belong."), id)
}

// Routes lists every path with its class.
func (s *Server) Routes() []Route { return s.routes }
