package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/budget"
	governing "github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/tool/mcp"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// runtime is what is made of the configuration and replaced as a whole when that changes. A call stays with the runtime
// it was resolved by until it is over; a runtime that was replaced ends with its last call.
type runtime struct {
	config      *config.Config
	models      *models
	tools       *tools
	policy      *budget.Policy
	permissions *permissions
	alerts      *alerting
	guards      guards
	apis        apis
	roles       map[string]string // Of agents, by their id.
	since       time.Time         // When it was made.
	inner       call.Handler      // The stations from resolve on.

	mu      sync.Mutex
	calls   int
	retired bool
	close   func() // Of what no later runtime has taken over; nil once it has been called.
}

// runtimes holds the runtime in force.
type runtimes struct {
	mu  sync.RWMutex
	now *runtime
}

// current gives the runtime in force.
func (r *runtimes) current() *runtime {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.now
}

// enter gives the runtime in force to a call, which must leave it.
func (r *runtimes) enter() *runtime {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.now.mu.Lock()
	defer r.now.mu.Unlock()
	r.now.calls++
	return r.now
}

// replace puts a new runtime in force and retires the one before.
func (r *runtimes) replace(next *runtime) {
	r.mu.Lock()
	before := r.now
	r.now = next
	r.mu.Unlock()
	if before != nil {
		before.retire()
	}
}

func (r *runtime) leave() {
	r.mu.Lock()
	r.calls--
	end := r.over()
	r.mu.Unlock()
	end()
}

func (r *runtime) retire() {
	r.mu.Lock()
	r.retired = true
	end := r.over()
	r.mu.Unlock()
	end()
}

// over gives what remains to be done once nobody uses the runtime any more.
func (r *runtime) over() func() {
	if !r.retired || r.calls > 0 || r.close == nil {
		return func() {}
	}
	end := r.close
	r.close = nil
	return end
}

// serve hands a call to the stations of the runtime in force.
func (r *runtimes) serve(ctx context.Context, t *call.Track) (call.Answer, error) {
	rt := r.enter()
	answer, err := rt.inner.Serve(ctx, t)
	if err != nil || answer == nil {
		rt.leave()
		return nil, err
	}
	return &runtimeAnswer{Answer: answer, leave: sync.OnceFunc(rt.leave)}, nil
}

// runtimeAnswer keeps its runtime until it is closed.
type runtimeAnswer struct {
	call.Answer
	leave func()
}

// Close ends the answer.
func (a *runtimeAnswer) Close() error {
	defer a.leave()
	return a.Answer.Close()
}

// newRuntime makes a runtime. It takes over those tool servers of the one before whose connections are configured the same:
// their processes and sessions go on. Where there is an error, nothing was taken.
func (s *Server) newRuntime(c *config.Config, before *runtime) (*runtime, error) {
	alerts, err := newAlerting(c)
	if err != nil {
		return nil, err
	}
	policy, err := ledgerPolicy(c, alerts)
	if err != nil {
		return nil, err
	}
	r := &runtime{config: c, policy: policy, alerts: alerts, guards: newGuards(c), roles: map[string]string{}, since: s.options.Now().UTC()}
	for _, a := range c.Agents {
		r.roles[a.ID] = a.Role
	}
	if r.apis, err = readAPIs(c); err != nil {
		return nil, err
	}
	if r.permissions, err = s.newPermissions(c, r.apis, before); err != nil {
		return nil, err
	}
	if r.models, err = s.newModels(c); err != nil {
		return nil, err
	}
	if r.tools, err = s.newTools(c, r.apis, before); err != nil {
		r.models.close()
		return nil, err
	}
	r.close = func() {
		r.models.close()
		r.tools.servers.Close()
		r.alerts.close()
	}
	r.inner = s.innerStations(r)
	return r, nil
}

// startRuntime puts the configuration that the server was started with in force.
func (s *Server) startRuntime(context.Context) error {
	r, err := s.newRuntime(s.config, nil)
	if err != nil {
		return err
	}
	s.runtimes.replace(r)
	s.onStop("models and tools", func(context.Context) error {
		s.runtimes.current().retire()
		return nil
	})
	return nil
}

// mcp serves the tool servers of the runtime in force.
func (s *Server) mcp(chain call.Handler) http.Handler {
	return mcp.NewHandler(serversInForce{&s.runtimes}, s.keys.door, chain, s.options.Version, s.options.Logger,
		mcp.FilterLists(s.callerOf, s.visible, s.permits, s.reaches), mcp.AskFew(s.concerns), mcp.KeepTenants(s.servesTo), mcp.WaitForApprovals(untilStop{s}, 0), mcp.KeepTasks(s.tasks),
		mcp.EndStreams(s.life.Done()), mcp.SealStates(s.stateKey()),
		mcp.HoldCalls(s.held), mcp.GuardTasks(s.guardOf))
}

// serversInForce are the tool servers of the runtime in force.
type serversInForce struct{ runtimes *runtimes }

// Current gives them.
func (f serversInForce) Current() *upstream.Servers { return f.runtimes.current().tools.servers }

// stateKey is what binds what callers give back for MCP servers. All replicas have the same.
func (s *Server) stateKey() []byte {
	key := s.data.vault.Subject("mcp states", "v1") // No tenant has a space in its name.
	return key[:]
}

// visible reports whether lists show a tool to a caller.
func (s *Server) visible(c signalbox.Caller, server, tool string, a *signalbox.Annotations) (bool, string) {
	return s.runtimes.current().permissions.policy.Visible(c, server, tool, a, s.grants.of(c.Tenant, c.Agent)...)
}

// permits reports whether a caller could make a request of an MCP server that is no tools/call.
func (s *Server) permits(c signalbox.Caller, server, method string, arguments []byte) (bool, string) {
	d := s.runtimes.current().permissions.policy.Decide(governing.Request{
		Kind: signalbox.KindTool, Caller: c, Grants: s.grants.of(c.Tenant, c.Agent),
		Tool: &signalbox.ToolRequest{Server: server, Name: method, Arguments: arguments},
	})
	return d.Allowed, d.Rule
}

// reaches reports whether anything of an MCP server could be for a caller.
func (s *Server) reaches(c signalbox.Caller, server string) bool {
	return s.runtimes.current().permissions.policy.Reaches(c, server, s.grants.of(c.Tenant, c.Agent)...)
}

// guardOf gives the guard's look at what passes about the tasks of a tool.
func (s *Server) guardOf(server, tool string) call.Beside {
	return s.runtimes.current().guards.rules(server, tool).Aside(server)
}

// concerns reports whether something of an MCP server could be visible to a caller. Where there are rules in Cedar, only the
// server's list can tell.
func (s *Server) concerns(c signalbox.Caller, server string) bool {
	return len(s.runtimes.current().config.Policy.Cedar) > 0 || s.reaches(c, server)
}

// servesTo reports whether an MCP server exists for a tenant. One that is not configured is nobody's secret.
func (s *Server) servesTo(server, tenant string) bool {
	return s.runtimes.current().config.ServesTo(server, tenant)
}

// keyBudgets gives the budgets of a key, or of a client with tokens, limits included.
func (s *Server) keyBudgets(id string) []signalbox.Budget {
	key, ok := s.keys.ring.Key(id)
	if !ok {
		return s.keys.people.Budgets(id)
	}
	return key.Budgets
}
