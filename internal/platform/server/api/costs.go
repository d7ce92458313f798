package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// MaxCostHours bounds the time range of hourly series, so that no answer holds more points than a chart can show.
const MaxCostHours = 24 * 62

// Costs are series and totals from the hourly rollups.
type Costs struct {
	By     string       `json:"by"`
	Bucket string       `json:"bucket"`
	From   time.Time    `json:"from"`
	To     time.Time    `json:"to"`
	AsOf   time.Time    `json:"as_of"`
	Series []CostSeries `json:"series"`
	Totals []CostTotal  `json:"totals" doc:"By cost, highest first; by run, a page of the range's runs, those that began last first."`
	Next   *string      `json:"next" doc:"By run: the cursor of the next page; null where these totals are all there are."`
}

// CostSeries is one key over time.
type CostSeries struct {
	Key    string      `json:"key"`
	Points []CostPoint `json:"points"`
}

// CostPoint is one bucket.
type CostPoint struct {
	Time time.Time `json:"time"`
	CostFigures
}

// CostTotal is one key over the whole range.
type CostTotal struct {
	Key    string  `json:"key" doc:"Empty for calls without such a value; by run, for a tenant's calls that belong to no run."`
	Tenant *string `json:"tenant" doc:"By run, whose run it is; else null."`
	CostFigures
}

// CostFigures are counts of calls that have ended.
type CostFigures struct {
	Calls        int64  `json:"calls"`
	Failures     int64  `json:"failures"`
	InputTokens  int64  `json:"input_tokens"`
	OutputTokens int64  `json:"output_tokens"`
	Cost         string `json:"cost" doc:"US dollars, of the calls whose cost is known."`
	Unpriced     int64  `json:"unpriced" doc:"Calls with an attempt that has no price: the cost is then too low."`
}

// CostQuery asks for costs.
type CostQuery struct {
	By     string    `query:"by" enum:"tenant,team,agent,model,tool,provider,run" default:"model"`
	Bucket string    `query:"bucket" enum:"hour,day" default:"hour"`
	Tenant string    `query:"tenant" maxLength:"128"`
	From   time.Time `query:"from"`
	To     time.Time `query:"to"`
	Cursor string    `query:"cursor" maxLength:"512" doc:"By run only: next of the page before."`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"500" doc:"By run only: how many runs a page has."`
}

// Overview is the front page: totals of a range and its hours.
type Overview struct {
	AsOf time.Time `json:"as_of"`
	CostFigures
	Refusals     int64       `json:"refusals"`
	Running      int64       `json:"running"`
	LatencyP50MS *float64    `json:"latency_p50_ms"`
	LatencyP95MS *float64    `json:"latency_p95_ms"`
	LatencyP99MS *float64    `json:"latency_p99_ms"`
	Points       []CostPoint `json:"points"`
}

// RangeQuery is a range of time; the last 24 hours unless it says otherwise.
type RangeQuery struct {
	From time.Time `query:"from"`
	To   time.Time `query:"to"`
}

func (s *server) registerCosts(api huma.API) {
	huma.Register(api, operation("get-costs", http.MethodGet, "/costs", "Cost, tokens and calls over time, from rollups"), s.getCosts)
	huma.Register(api, operation("get-overview", http.MethodGet, "/overview", "Totals of a range of time"), s.getOverview)
	huma.Register(api, operation("list-prices", http.MethodGet, "/prices", "The price table"), s.listPrices)
}

// span fills in the last 24 hours where the query names no range, and widens the range to whole hours: rollups know no
// less, and what happened within the current hour must show.
func (s *server) span(from, to time.Time) (time.Time, time.Time) {
	if to.IsZero() {
		to = s.Now()
	}
	to = to.UTC().Add(time.Hour - time.Nanosecond).Truncate(time.Hour)
	if from.IsZero() {
		from = to.Add(-24 * time.Hour)
	}
	return from.UTC().Truncate(time.Hour), to
}

func (s *server) getCosts(ctx context.Context, q *CostQuery) (*Body[Costs], error) {
	c := callerOf(ctx)
	from, to := s.span(q.From, q.To)
	if q.Bucket == "hour" && to.Sub(from) > MaxCostHours*time.Hour {
		return nil, fail(c, signalbox.Errorf(signalbox.CodeInvalid, "the range is over %d hours", MaxCostHours).
			WithField("bucket").WithRemedy("Ask for bucket=day, or for a shorter range."))
	}
	asOf, err := s.asOf(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	costs := Costs{By: q.By, Bucket: q.Bucket, From: from, To: to, AsOf: asOf, Series: []CostSeries{}, Totals: []CostTotal{}}
	if q.By == "run" {
		err = s.runCosts(ctx, c, q, &costs)
	} else if q.Cursor != "" {
		err = signalbox.Errorf(signalbox.CodeInvalid, "costs by %s have no pages", q.By).
			WithField("cursor").WithRemedy("Leave the cursor out, or ask for by=run.")
	} else {
		err = s.rollupCosts(ctx, c, q, &costs)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Costs]{costs}, nil
}

func (s *server) rollupCosts(ctx context.Context, c ctxWithCaller, q *CostQuery, out *Costs) error {
	rows, err := s.Views.Costs(ctx, signalbox.CostQuery{
		By: signalbox.FacetField(q.By), Bucket: signalbox.Bucket(q.Bucket), From: out.From, To: out.To, Tenants: c.narrow(q.Tenant),
	})
	if err != nil {
		return err
	}
	series, totals := map[string]*CostSeries{}, map[string]signalbox.Totals{}
	var keys []string
	for _, r := range rows {
		if series[r.Key] == nil {
			series[r.Key] = &CostSeries{Key: r.Key}
			keys = append(keys, r.Key)
		}
		series[r.Key].Points = append(series[r.Key].Points, CostPoint{r.Start, figures(r.Totals)})
		totals[r.Key] = totals[r.Key].Plus(r.Totals)
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		if d := totals[b].Cost - totals[a].Cost; d != 0 {
			return int(d / max(d, -d))
		}
		return strings.Compare(a, b)
	})
	for _, k := range keys {
		out.Series = append(out.Series, *series[k])
		out.Totals = append(out.Totals, CostTotal{Key: k, CostFigures: figures(totals[k])})
	}
	return nil
}

// runCosts gives a page of runs; a run has no series, its calls have.
func (s *server) runCosts(ctx context.Context, c ctxWithCaller, q *CostQuery, out *Costs) error {
	runs, next, err := s.Views.RunCosts(ctx, signalbox.RunCostQuery{
		From: out.From, To: out.To, Tenants: c.narrow(q.Tenant), Cursor: q.Cursor, Limit: q.Limit,
	})
	if err != nil {
		return err
	}
	for _, r := range runs {
		out.Totals = append(out.Totals, CostTotal{Key: r.Run, Tenant: &r.Tenant, CostFigures: figures(r.Totals)})
	}
	out.Next = cursor(next)
	return nil
}

func figures(t signalbox.Totals) CostFigures {
	return CostFigures{
		Calls: t.Calls, Failures: t.Failures, InputTokens: t.InputTokens, OutputTokens: t.OutputTokens,
		Cost: t.Cost.String(), Unpriced: t.Unpriced,
	}
}

func (s *server) getOverview(ctx context.Context, q *RangeQuery) (*Body[Overview], error) {
	c := callerOf(ctx)
	from, to := s.span(q.From, q.To)
	asOf, err := s.asOf(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	o, err := s.Overview(ctx, signalbox.CostQuery{From: from, To: to, Tenants: c.tenants()})
	if err != nil {
		return nil, fail(c, err)
	}
	out := Overview{
		AsOf: asOf, CostFigures: figures(o.Totals), Refusals: o.Refusals, Running: o.Running, Points: []CostPoint{},
	}
	if o.Latency.Count > 0 {
		out.LatencyP50MS, out.LatencyP95MS, out.LatencyP99MS = &o.Latency.P50, &o.Latency.P95, &o.Latency.P99
	}
	for _, h := range o.Hours {
		out.Points = append(out.Points, CostPoint{h.Start, figures(h.Totals)})
	}
	return &Body[Overview]{out}, nil
}

// Price is a line of the price table.
type Price struct {
	Model    string `json:"model"`
	Provider string `json:"provider"`
	Rates
	Tiers []PriceTier `json:"tiers"`
}

// PriceTier replaces the rates above a number of input tokens.
type PriceTier struct {
	Above int64 `json:"above_input_tokens"`
	Rates
}

// PriceList is the price table.
type PriceList struct {
	Items []Price `json:"items"`
}

func (s *server) listPrices(context.Context, *struct{}) (*Body[PriceList], error) {
	return &Body[PriceList]{PriceList{Items: s.Prices()}}, nil
}
