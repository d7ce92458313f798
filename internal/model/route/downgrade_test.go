package route_test

import (
	"context"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/route"
)

// cheaper is a house with lines of cheaper models: large → middle → tiny, other → tiny, odd → dear, plain.
func cheaper(t *testing.T) route.Config {
	t.Helper()
	costs := func(dollars signalbox.Money) *signalbox.Price {
		return &signalbox.Price{Rates: signalbox.Rates{Input: dollars * signalbox.Dollar, Output: dollars * signalbox.Dollar}}
	}
	c := config(t)
	c.Models = map[string]route.Model{
		"large":  {Provider: "local", Price: costs(9), DowngradeTo: "middle", Fallbacks: []string{"other", "plain"}},
		"middle": {Provider: "local", Price: costs(5), DowngradeTo: "tiny"},
		"tiny":   {Provider: "local", Price: costs(1)},
		"other":  {Provider: "sim", Price: costs(8), DowngradeTo: "tiny"},
		"odd":    {Provider: "local", Price: costs(4), DowngradeTo: "middle"},
		"steps":  {Provider: "local", Price: costs(9), DowngradeTo: "small"},
		"small":  {Provider: "local", Price: costs(2), DowngradeTo: "dear"},
		"dear":   {Provider: "local", Price: costs(7), DowngradeTo: "free"},
		"free":   {Provider: "local"},
		"plain":  {Provider: "local", Price: costs(3)},
	}
	c.Models["steps2"] = route.Model{Provider: "local", Price: costs(9), DowngradeTo: "small2"}
	c.Models["small2"] = route.Model{Provider: "local", Price: costs(2), DowngradeTo: "dear2"}
	c.Models["dear2"] = route.Model{Provider: "local", Price: costs(7)}
	c.Routes = []route.Route{{Name: "best", Use: []string{"large", "plain", "other"}}}
	c.Tenants = map[string][]string{"all": {"*"}, "some": {"large", "middle", "other"}, "one": {"large"}, "routes": {"best"}}
	return c
}

func TestThrottledCalls(t *testing.T) {
	tests := []struct {
		name, tenant, model, run string
		route, want              string
		downgraded               bool
	}{
		{"not throttled", "all", "large", "calm", "", "large other plain", false},
		{"to the end of the line, each once", "all", "large", "hot", "", "tiny plain", true},
		{"as far as it is permitted", "some", "large", "hot", "", "middle other", true},
		{"where nothing cheaper is permitted", "one", "large", "hot", "", "large", false},
		{"by a route", "all", "best", "hot", "best", "tiny plain", true},
		{"by a route that is permitted as such", "routes", "auto", "hot", "best", "tiny plain", true},
		{"a model without a cheaper one", "all", "plain", "hot", "", "plain", false},
		{"the cheapest, not the last of its line", "all", "steps2", "hot", "", "small2", true},
		{"the last, where its price is not known", "all", "steps", "hot", "", "free", true},
		{"the provider's own name", "all", "claude-haiku-4-5", "hot", "", "claude-haiku-4-5", false},
	}
	c := cheaper(t)
	c.Throttled = func(tenant, run string) bool { return tenant != "" && run == "hot" }
	r := resolver(t, c)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := track(tt.tenant, tt.model)
			tr.Gate.Run = tt.run
			via, got, err := r.Resolve(t.Context(), tr)
			if err != nil || via != tt.route || names(got) != tt.want || tr.Resolve.Downgraded != tt.downgraded {
				t.Errorf("got %q, %q, downgraded %v, %v; want %q, %q, %v", via, names(got), tr.Resolve.Downgraded, err, tt.route, tt.want, tt.downgraded)
			}
			for _, k := range got {
				if k.Name == "tiny" && (k.Price == nil || k.Price.Input != signalbox.Dollar) {
					t.Errorf("the price of tiny is %+v", k.Price)
				}
			}
		})
	}
}

// TestDowngradedIsKeptByTheStation checks that the station passes on what the resolver has found.
func TestDowngradedIsKeptByTheStation(t *testing.T) {
	c := cheaper(t)
	c.Throttled = func(string, string) bool { return true }
	station := call.Resolve(map[signalbox.Kind]call.Resolver{signalbox.KindModel: resolver(t, c)})
	tr := track("all", "best")
	_, err := station(call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { return nil, nil })).Serve(t.Context(), tr)
	if got := tr.Resolve; err != nil || !got.Downgraded || got.Route != "best" || got.Status != signalbox.StatusPassed || names(got.Candidates) != "tiny plain" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDowngradesThatCanNotBe(t *testing.T) {
	tests := map[string]struct {
		models map[string]string // A model and what it is downgraded to.
		want   string
	}{
		"to what is not there": {map[string]string{"a": "b"}, `there is no model "b"`},
		"to itself":            {map[string]string{"a": "a"}, `back to "a"`},
		"in a circle":          {map[string]string{"a": "b", "b": "c", "c": "a"}, "in a circle"},
		"into a circle":        {map[string]string{"a": "b", "b": "b"}, `back to "b"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			c.Routes, c.Models = nil, map[string]route.Model{}
			for model, to := range tt.models {
				c.Models[model] = route.Model{Provider: "local", DowngradeTo: to}
			}
			if _, err := route.New(c); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestPlannedModel(t *testing.T) {
	tests := []struct {
		name, tenant, model, planned string
		route, want                  string
		code                         signalbox.Code
	}{
		{"nothing is planned", "all", "auto", "", "best", "large plain other", ""},
		{"a model", "all", "auto", "middle", "", "middle", ""},
		{"a route", "all", "auto", "best", "best", "large plain other", ""},
		{"a model that is named counts", "all", "tiny", "middle", "", "tiny", ""},
		{"a model that is not permitted", "one", "auto", "middle", "", "", signalbox.CodeForbidden},
		{"a model that is not there", "all", "auto", "gone", "", "", signalbox.CodeNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := cheaper(t)
			c.PlannedModel = func(*call.Track) string { return tt.planned }
			via, got, err := resolver(t, c).Resolve(t.Context(), track(tt.tenant, tt.model))
			if via != tt.route || names(got) != tt.want || err != nil && signalbox.CodeOf(err) != tt.code || err == nil && tt.code != "" {
				t.Errorf("got %q, %q, %v; want %q, %q, %s", via, names(got), err, tt.route, tt.want, tt.code)
			}
		})
	}
}
