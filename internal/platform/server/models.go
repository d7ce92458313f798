package server

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/anthropic"
	"github.com/signalbox/signalbox/internal/model/count"
	"github.com/signalbox/signalbox/internal/model/openai"
	"github.com/signalbox/signalbox/internal/model/price"
	"github.com/signalbox/signalbox/internal/model/provider"
	"github.com/signalbox/signalbox/internal/model/route"
	"github.com/signalbox/signalbox/internal/model/serve"
	"github.com/signalbox/signalbox/internal/model/simulated"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// models are the parts of the model layer.
type models struct {
	backends map[string]call.Backend // By provider.
	closers  []func()
	router   *route.Resolver
	counter  *count.Counter
	table    *price.Table
}

// close gives up the connections to the providers.
func (m *models) close() {
	for _, end := range m.closers {
		end()
	}
}

func (s *Server) newModels(c *config.Config) (_ *models, err error) {
	table, err := price.Default()
	if err != nil {
		return nil, err
	}
	m := &models{backends: map[string]call.Backend{}, table: table}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	tables := route.Config{
		Providers: map[string]route.Provider{}, Models: map[string]route.Model{}, Tenants: map[string][]string{}, Prices: table,
		Throttled: func(tenant, run string) bool { return s.alerts.Throttled(tenant, run) }, PlannedModel: s.plannedModel,
	}
	counters := map[string]count.Provider{}
	for id, p := range c.Providers {
		if m.backends[id], err = s.backend(m, id, p); err != nil {
			return nil, err
		}
		if c, ok := m.backends[id].(count.Provider); ok {
			counters[id] = c
		}
		tables.Providers[id] = routeProvider(p)
	}
	for name, model := range c.Models {
		tables.Models[name] = route.Model{
			Provider: model.Provider, Upstream: model.Model, Fallbacks: model.Fallbacks, ContextWindow: model.ContextWindow,
			MaxOutput: model.MaxOutput, Price: model.Price, DowngradeTo: model.DowngradeTo,
		}
	}
	for _, r := range c.Routes {
		tables.Routes = append(tables.Routes, route.Route{Name: r.Name, When: r.When, Use: r.Use})
	}
	for _, t := range c.Tenants {
		tables.Tenants[t.ID] = t.Models
	}
	if m.router, err = route.New(tables); err != nil {
		return nil, err
	}
	m.counter = count.New(counters)
	return m, nil
}

// plannedModel is what "auto" means for an agent by the plan of its run; "" leaves it to the routes.
func (s *Server) plannedModel(t *call.Track) string {
	if !strings.HasPrefix(t.Gate.Run, signalbox.RunPrefix) {
		return ""
	}
	run, err := s.runs.Run(context.Background(), t.Gate.Caller.Tenant, t.Gate.Run) // The gate has just read it.
	if err != nil {
		return ""
	}
	agent, _ := run.Plan.Agent(t.Gate.Caller.Agent)
	return agent.Model
}

// backend makes what sends calls to a provider.
func (s *Server) backend(m *models, id string, p config.Provider) (call.Backend, error) {
	timeouts := provider.Timeouts{
		Connect: p.Timeouts.Connect, FirstByte: p.Timeouts.FirstByte, Idle: p.Timeouts.Idle, Total: p.Timeouts.Total,
	}
	if p.Kind == config.KindSimulated {
		return simulated.New(id, s.simulation(p.Simulated), timeouts)
	}
	b, err := provider.New(provider.Config{
		ID: id, Format: formatOf(p.Kind), BaseURL: p.BaseURL.Reveal(), APIKey: p.APIKey.Reveal(), Headers: reveal(p.Headers),
		Timeouts: timeouts, OldMaxTokens: p.Kind == config.KindOpenAICompatible, Baggage: p.Baggage, Now: s.options.Now,
	})
	if err != nil {
		return nil, err
	}
	m.closers = append(m.closers, b.Close)
	return b, nil
}

func (s *Server) simulation(c config.Simulated) simulated.Config {
	out := simulated.Config{
		Seed: c.Seed, LatencyP50: c.Latency.P50, LatencyP95: c.Latency.P95, TokensPerSecond: c.TokensPerSecond,
		MinOutput: c.OutputTokens.Min, MaxOutput: c.OutputTokens.Max, FailureRate: c.FailureRate,
		ToolCallRate: c.ToolCallRate, Now: s.options.Now,
	}
	for _, f := range c.Failures {
		out.Failures = append(out.Failures, simulated.Failure(f))
	}
	return out
}

func reveal(secrets map[string]config.Secret) map[string]string {
	out := map[string]string{}
	for name, secret := range secrets {
		out[name] = secret.Reveal()
	}
	return out
}

func formatOf(k config.Kind) signalbox.Protocol {
	if k == config.KindAnthropic {
		return signalbox.ProtocolAnthropic
	}
	return signalbox.ProtocolOpenAIChat
}

// routeProvider says whose models a provider serves: that of its kind, or of the host behind a compatible one.
func routeProvider(p config.Provider) route.Provider {
	out := route.Provider{Format: formatOf(p.Kind), Simulated: p.Kind == config.KindSimulated}
	switch p.Kind {
	case config.KindAnthropic, config.KindOpenAI:
		out.Vendor = string(p.Kind)
	case config.KindOpenAICompatible:
		if u, err := url.Parse(p.BaseURL.Reveal()); err == nil {
			out.Vendor = price.VendorAt(u.Hostname())
		}
	case config.KindSimulated:
	}
	return out
}

// serveModels lists models in the shape of the API that asks: Anthropic's SDKs name its version, OpenAI's do not.
func (s *Server) serveModels(r *router, door serve.Door) {
	list := func(api serve.Lister) http.Handler {
		return &serve.Models{API: api, Door: door, Catalogue: s.catalogue(), Since: s.started, Now: s.options.Now, Visible: s.visibleModel}
	}
	openAI, claude := list(openai.API{}), list(anthropic.API{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Anthropic-Version") != "" {
			claude.ServeHTTP(w, r)
			return
		}
		openAI.ServeHTTP(w, r)
	})
	r.handle("GET /v1/models", ClassFree, handler)
	r.handle("GET /v1/models/{id...}", ClassFree, handler)
}

// catalogue gives the models of the runtime in force.
func (s *Server) catalogue() serve.Catalogue { return catalogue{&s.runtimes} }

type catalogue struct{ *runtimes }

// Models lists what a tenant may ask for.
func (c catalogue) Models(tenant string) []serve.Model {
	return c.current().models.router.Models(tenant)
}

// prices is the table in force: what the configuration says of its models, then what is built in.
func (m *models) prices(configured map[string]config.Model) []api.Price {
	list := []api.Price{}
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		if c := configured[name]; c.Price != nil {
			list = append(list, priceRow(c.Provider, name, *c.Price))
		}
	}
	for _, line := range m.table.Models() {
		for _, p := range line.Prices {
			list = append(list, priceRow(line.Vendor, line.ID, p))
		}
	}
	return list
}

func priceRow(vendor, model string, p signalbox.Price) api.Price {
	row := api.Price{Provider: vendor, Model: model, Rates: api.NewRates(p.Rates, p.Source, p.Effective), Tiers: []api.PriceTier{}}
	for _, t := range p.Tiers {
		row.Tiers = append(row.Tiers, api.PriceTier{Above: t.Above, Rates: api.NewRates(t.Rates, p.Source, p.Effective)})
	}
	return row
}
