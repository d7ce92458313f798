// Package route decides which models could serve a call, in which order.
//
// # Concepts
//
//   - A [Model] is a name of the configuration for a provider's model, with fallbacks. Their own fallbacks do not count.
//   - A [Route] has a condition and a list of models. A request for "auto" ([Auto]) is served by the first route whose
//     condition holds; a request for a route's name by that route, whatever its condition says: who names it has chosen.
//   - A [Candidate] is a model that could serve, with its price on the day of the call.
//
// # What a requested name means
//
// In this order: a model's name; a route's name, or "auto"; the provider's own name of a configured model; the name by
// which a vendor of the price table knows a model, if exactly one provider of that vendor is configured. The last two let
// a program that was written for the provider work unchanged: it asks for "claude-haiku-4-5" and gets it, without a line
// in the configuration for each model. Where two providers could be meant, nobody guesses.
//
// # Who may use what
//
// A tenant has globs over names: "*" within a segment of a name that has slashes, "**" across, a bare "*" for all. A
// candidate is permitted by its own name, by the name that was asked for where it is the provider's, or by the name of
// the route that chose it. Candidates that are not permitted are left out; if none is left, the call is refused. A tenant
// without globs may use nothing.
//
// # Conditions
//
// A condition is a CEL expression of type bool over the variables of [Variables]. It is compiled and type-checked once;
// evaluation has a bound ([CostLimit]). A condition that fails while it is evaluated refuses the call: the route neither
// applies nor is passed over, since the next one might be the one that costs more. The code is internal, because the
// operator wrote the condition and the caller can do nothing about it.
//
// # Throttled calls
//
// A model can name a cheaper one to take its place ([Model].DowngradeTo), and that one a cheaper one still. In a throttled
// call ([Config].Throttled) each candidate makes room for the cheapest of its line that the tenant may use; the order
// stays, and so does what has no cheaper one.
//
// # Plans
//
// In an opened run "auto" can mean a model for each agent ([Config].PlannedModel); it then counts as if the caller had
// named it.
//
// # Invariants
//
// A decision depends on the call, the tables, and what is throttled and planned alone: the same call gets the same candidates. No candidate comes twice.
package route

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/price"
	"github.com/signalbox/signalbox/internal/model/serve"
)

// Auto is the name that asks for a route to be chosen.
const Auto = "auto"

// Provider is what must be known of a provider of the configuration.
type Provider struct {
	Format    signalbox.Protocol // The wire format that is spoken there.
	Vendor    string             // Whose models and prices they are, in the words of the price table; "" is unknown.
	Simulated bool
}

// Model is a name that callers may ask for.
type Model struct {
	Provider      string
	Upstream      string   // The provider's name of the model; "" is the model's own name.
	Fallbacks     []string // Names of models, tried in this order.
	ContextWindow int64    // In tokens; 0 is what the price table says.
	MaxOutput     int64    // In tokens; 0 is what the price table says.
	Price         *signalbox.Price
	DowngradeTo   string // The model that takes its place in throttled calls; "" is none.
}

// Route chooses models by a condition.
type Route struct {
	Name string
	When string   // A CEL expression; "" always holds.
	Use  []string // Names of models, the first is tried first; their fallbacks follow.
}

// Config is the tables that decisions are made from.
type Config struct {
	Providers map[string]Provider
	Models    map[string]Model
	Routes    []Route
	Tenants   map[string][]string // Globs by tenant.
	Prices    *price.Table        // Required.

	// Throttled reports whether the calls of a tenant, or of a run of it, are to be served by cheaper models for now. It is
	// asked once per call. Nil: none are.
	Throttled func(tenant, run string) bool
	// PlannedModel gives the model or route that "auto" means for the calling agent in its run; "" leaves it to the
	// conditions. Nil: it always is left to them.
	PlannedModel func(t *call.Track) string
}

// Resolver decides. It is immutable and safe for concurrent use.
type Resolver struct {
	config Config
	routes []compiled
	known  map[string]entry // Models by name.
	names  []string         // Of models, sorted.
}

// entry is a model with what is known of it beforehand.
type entry struct {
	candidate signalbox.Candidate // Without a price.
	prices    price.History
	fallbacks []string
	downgrade string // The next cheaper model.
}

// New checks the tables against one another and compiles the conditions.
func New(c Config) (*Resolver, error) {
	r := &Resolver{config: c, known: map[string]entry{}, names: slices.Sorted(maps.Keys(c.Models))}
	var errs []error
	for name, m := range c.Models {
		e, err := c.entry(name, m)
		errs = append(errs, err)
		r.known[name] = e
		errs = append(errs, c.checkDowngrade(name))
	}
	for _, route := range c.Routes {
		program, err := compile(route.When)
		if err != nil {
			errs = append(errs, fmt.Errorf("route %q: %w", route.Name, err))
		}
		errs = append(errs, c.haveModels("route "+route.Name, route.Use))
		r.routes = append(r.routes, compiled{Route: route, program: program})
	}
	for tenant, globs := range c.Tenants {
		for _, g := range globs {
			if !doublestar.ValidatePattern(g) {
				errs = append(errs, fmt.Errorf("tenant %q: %q is no pattern", tenant, g))
			}
		}
	}
	return r, errors.Join(errs...)
}

func (c Config) entry(name string, m Model) (entry, error) {
	p, ok := c.Providers[m.Provider]
	if !ok {
		return entry{}, fmt.Errorf("model %q: there is no provider %q", name, m.Provider)
	}
	if m.Upstream == "" {
		m.Upstream = name
	}
	e := c.describe(name, m.Provider, p, m.Upstream)
	e.fallbacks, e.downgrade = m.Fallbacks, m.DowngradeTo
	if m.ContextWindow > 0 {
		e.candidate.ContextWindow = m.ContextWindow
	}
	if m.MaxOutput > 0 {
		e.candidate.MaxOutput = m.MaxOutput
	}
	if m.Price != nil {
		e.prices = price.History{*m.Price}
	}
	return e, c.haveModels("model "+name, m.Fallbacks)
}

// describe makes an entry out of what the price table knows.
func (c Config) describe(name, id string, p Provider, upstream string) entry {
	known, _ := c.Prices.Find(p.Vendor, upstream)
	return entry{prices: known.Prices, candidate: signalbox.Candidate{
		Name: name, Provider: id, ProviderName: telemetryName(id, p), Format: p.Format, Upstream: upstream,
		ContextWindow: known.ContextWindow, MaxOutput: known.MaxOutput, Simulated: p.Simulated,
	}}
}

func (c Config) haveModels(where string, names []string) error {
	for _, name := range names {
		if _, ok := c.Models[name]; !ok {
			return fmt.Errorf("%s: there is no model %q", where, name)
		}
	}
	return nil
}

// telemetryNames are OpenTelemetry's words for vendors where they differ from ours.
var telemetryNames = map[string]string{
	price.Anthropic: "anthropic", price.OpenAI: "openai", price.Google: "gcp.gemini", price.Groq: "groq",
	price.Mistral: "mistral_ai", price.XAI: "x_ai",
}

func telemetryName(id string, p Provider) string {
	if name, ok := telemetryNames[p.Vendor]; ok {
		return name
	}
	return id
}

// Resolve gives the candidates of a call of kind model, best first, and the route that chose them. Where cheaper ones have
// taken the place of some, it says so in the track.
func (r *Resolver) Resolve(_ context.Context, t *call.Track) (string, []signalbox.Candidate, error) {
	route, found, err := r.choose(t)
	if err == nil && r.config.Throttled != nil && r.config.Throttled(t.Gate.Caller.Tenant, t.Gate.Run) {
		found, t.Resolve.Downgraded = r.downgraded(t, route, found)
	}
	return route, found, err
}

// asked is the name that the call asks for, after the plan of its run.
func (r *Resolver) asked(t *call.Track) string {
	name := t.Call.Model.Model
	if name == Auto && r.config.PlannedModel != nil {
		return cmp.Or(r.config.PlannedModel(t), name)
	}
	return name
}

func (r *Resolver) choose(t *call.Track) (string, []signalbox.Candidate, error) {
	name, tenant := r.asked(t), t.Gate.Caller.Tenant
	if e, ok := r.known[name]; ok {
		found, err := r.candidates(t, selection{names: slices.Concat([]string{name}, e.fallbacks), must: name})
		return "", found, err
	}
	route, err := r.route(name, t)
	if err != nil {
		return "", nil, err
	}
	if route != nil {
		found, err := r.candidates(t, selection{names: r.withFallbacks(route.Use), via: route.Name})
		return route.Name, found, err
	}
	if e, ok := r.direct(name); ok {
		found, err := r.directCandidate(t, name, e)
		return "", found, err
	}
	return "", nil, r.notFound(name, tenant)
}

// selection is names of models to be turned into candidates.
type selection struct {
	names []string
	via   string // The route that chose them.
	must  string // The model without which the call is refused.
}

// candidates keeps what the tenant may use, each once.
func (r *Resolver) candidates(t *call.Track, s selection) ([]signalbox.Candidate, error) {
	tenant := t.Gate.Caller.Tenant
	all := s.via != "" && r.permits(tenant, s.via)
	var found []signalbox.Candidate
	seen := map[string]bool{}
	for _, name := range s.names {
		permitted := all || r.permits(tenant, name)
		if name == s.must && !permitted {
			return nil, forbidden(name)
		}
		if permitted && !seen[name] {
			seen[name] = true
			found = append(found, r.known[name].at(t.Call.Received))
		}
	}
	if len(found) == 0 {
		return nil, forbidden(s.via)
	}
	return found, nil
}

// at is the candidate with its price on that day.
func (e entry) at(day time.Time) signalbox.Candidate {
	c := e.candidate
	c.Price = e.prices.At(day)
	return c
}

// withFallbacks gives the names, and then the fallbacks of each.
func (r *Resolver) withFallbacks(names []string) []string {
	all := slices.Clone(names)
	for _, name := range names {
		all = append(all, r.known[name].fallbacks...)
	}
	return all
}

// permits reports whether one of the tenant's globs matches.
func (r *Resolver) permits(tenant, name string) bool {
	for _, glob := range r.config.Tenants[tenant] {
		if glob == "*" || doublestar.MatchUnvalidated(glob, name) {
			return true
		}
	}
	return false
}

// Models lists what a tenant may ask for by name: models, routes, and "auto" where there are routes.
func (r *Resolver) Models(tenant string) []serve.Model {
	var list []serve.Model
	for _, name := range r.names {
		if r.permits(tenant, name) {
			list = append(list, serve.Model{ID: name, Owner: r.known[name].candidate.Provider})
		}
	}
	routes := 0
	for _, route := range r.routes {
		if r.permits(tenant, route.Name) || slices.ContainsFunc(r.withFallbacks(route.Use), func(m string) bool { return r.permits(tenant, m) }) {
			list = append(list, serve.Model{ID: route.Name, Owner: "signalbox"})
			routes++
		}
	}
	if routes > 0 {
		list = append(list, serve.Model{ID: Auto, Owner: "signalbox"})
	}
	slices.SortFunc(list, func(a, b serve.Model) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return list
}
