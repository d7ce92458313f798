package server

import (
	"context"
	"net/http"
	"time"

	"github.com/signalbox/signalbox"
	consoleui "github.com/signalbox/signalbox/console"
	"github.com/signalbox/signalbox/internal/gate/people"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/model/anthropic"
	"github.com/signalbox/signalbox/internal/model/openai"
	"github.com/signalbox/signalbox/internal/model/serve"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/mcp"
)

// readyWait bounds how long /readyz waits for the database; it asks nobody else.
const readyWait = 2 * time.Second

// handler is everything that is served, and the one list of its paths.
func (s *Server) handler() http.Handler {
	s.chain = s.stations()
	chain := s.chain
	door := s.keys.door
	ui := consoleui.Handler()
	r := newRouter()
	r.handle("POST /v1/chat/completions", ClassCall, &serve.Server{API: openai.API{}, Door: door, Handler: chain, Now: s.options.Now})
	r.handle("POST /v1/messages", ClassCall, &serve.Server{API: anthropic.API{}, Door: door, Handler: chain, Now: s.options.Now})
	s.serveModels(r, door)
	r.handle("/v1/", ClassFree, &serve.Missing{OpenAI: openai.API{}, Anthropic: anthropic.API{}, Now: s.options.Now})
	tools := s.mcp(chain)
	r.handle(mcp.Pattern, ClassCall, tools)
	r.handle(mcp.JointPattern, ClassCall, tools)
	s.serveDiscovery(r)
	r.HandleFunc("GET "+people.MetadataPath, s.protectedResource)
	r.HandleFunc("GET "+people.MetadataPath+"/{path...}", s.protectedResource)
	api.New(r, s.api())
	r.HandleFunc("/api/", s.noOperation)
	tiles := s.readers(audit.Handler(s.data.db, s.fail))
	r.handle("GET "+audit.CheckpointPath, ClassFree, tiles)
	r.handle("GET "+audit.TilePath, ClassFree, tiles)
	r.handle("GET "+audit.ProofPath, ClassFree, tiles)
	r.HandleFunc("/audit/", s.noOperation)
	r.handle("GET /audit", ClassFree, ui) // The console's view of the log; without this line it would be sent to /audit/.
	r.handle("GET /metrics", ClassFree, s.readers(s.telemetry.Handler()))
	r.HandleFunc("GET /decide/{id}", s.decide)
	r.HandleFunc("POST /decide/{id}", s.decide)
	r.HandleFunc("GET /login/{id}", s.login)
	r.HandleFunc("GET /login/{id}/callback", s.loggedIn)
	r.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	r.HandleFunc("GET /readyz", s.ready)
	r.handle("/", ClassFree, ui)
	s.routes = r.routes
	return r
}

func (s *Server) api() api.Options {
	views := s.data.views
	return api.Options{
		Views: views, Traces: views, Records: s.data.db,
		Overview: func(ctx context.Context, q signalbox.CostQuery) (signalbox.Overview, error) {
			return projection.Overview(ctx, views, q)
		},
		ToolUses: func(ctx context.Context, q signalbox.CostQuery) (map[string]projection.ToolUse, error) {
			return projection.Tools(ctx, views, q)
		},
		Decode: s.data.vault.Decode, Auth: s.keys.door,
		Sessions: s.sessions(), Keys: keyAdmin{s.keys}, Verify: s.verify, Health: s.health,
		AuditStatus: s.auditStatus, AuditKeeping: newKeeping(s).api(),
		Prices: func() []api.Price { r := s.runtimes.current(); return r.models.prices(r.config.Models) },
		Runs:   s.runs, RunView: views.RunByID, Accounts: accounts{s}, Alerts: brakes{s.data.db, s}, Subjects: &subjects{Server: s},
		Archives: &archivist{server: s}, Export: s.exportLog, Tenants: s.tenants, ServesTo: s.servesTo,
		OpenSessions: openSessions{s.keys.sessions}, Providers: s.loginProviders,
		Approvals: approvals{s.approvals, s}, Edit: s.edit, Policy: policies{s}, BreakGlass: &breakGlass{Server: s}, Incidents: &incidents{Server: s}, Pins: pins{s.pins},
		Servers: toolServers{s}, Search: s.search, Stopping: s.life.Done(),
		Reconcile: (&reconciler{server: s, recent: map[string]correction{}}).reconcile,
		Now:       s.options.Now, Version: s.options.Version,
	}
}

// readers lets operators, auditors and admins through.
func (s *Server) readers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := s.keys.door.Authenticate(w, r)
		if err == nil && key.Role != signalbox.RoleOperator && key.Role != signalbox.RoleAuditor && key.Role != signalbox.RoleAdmin {
			err = signalbox.Errorf(signalbox.CodeForbidden, "the role %s may not read this", key.Role).
				WithRemedy("Use a key with the role operator, auditor or admin.")
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// fail answers with an error in the control API's shape.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	id := r.Header.Get(serve.HeaderRequestID)
	if !signalbox.ValidID(id) {
		id = signalbox.NewID(signalbox.RequestPrefix, s.options.Now())
	}
	w.Header().Set(serve.HeaderRequestID, id)
	api.WriteError(w, err, id)
}

// noOperation answers for paths below the control API and the log that are nothing.
func (s *Server) noOperation(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, signalbox.Errorf(signalbox.CodeNotFound, "there is no operation %s %s", r.Method, r.URL.Path).
		WithRemedy("See /api/v1/openapi.json for what there is."))
}

// ready says whether calls can be served: whether the log can be written. It waits for no upstream.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWait)
	defer cancel()
	if _, err := s.data.db.Size(ctx); err != nil {
		s.fail(w, r, err)
		return
	}
	if err := s.data.writer.Failing(); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// verify recomputes the whole log for the control API.
func (s *Server) verify(ctx context.Context) (api.VerifyReport, error) {
	report, err := audit.Verify(ctx, s.data.db, audit.Options{Verifier: s.data.key.Verifier()})
	if err != nil {
		return api.VerifyReport{}, err
	}
	return VerifyReport(report), nil
}

// VerifyReport is the report in the control API's words.
func VerifyReport(r audit.Report) api.VerifyReport {
	out := api.VerifyReport{OK: r.OK(), Records: r.Size, Root: r.Root.String(), Findings: []api.Finding{}}
	if r.Checkpoint != nil {
		out.CheckpointSize = r.Checkpoint.Size
	}
	for _, f := range r.Findings {
		finding := api.Finding{Problem: string(f.Check) + ": " + f.What}
		if f.Index >= 0 {
			finding.Index = &f.Index
		}
		out.Findings = append(out.Findings, finding)
	}
	return out
}
