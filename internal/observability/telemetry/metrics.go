package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox/signalbox"
)

// instruments are what finished calls are counted with.
type instruments struct {
	calls        metric.Int64Counter
	callDuration metric.Float64Histogram
	cost         metric.Int64Counter
	commit       metric.Float64Histogram
	approvals    approvalMetrics
	incidents    metric.Int64Counter

	duration   metric.Float64Histogram
	firstChunk metric.Float64Histogram
	tokenUsage metric.Int64Histogram
	input      metric.Int64Histogram
	output     metric.Int64Histogram
	used       []usageCounter
	mcpClient  metric.Float64Histogram
	mcpServer  metric.Float64Histogram

	callLabels  cache[callKey, callLabels]
	modelLabels cache[modelKey, modelLabels]
	toolLabels  cache[toolKey, []metric.RecordOption]
	costLabels  cache[costKey, []metric.AddOption]
}

// usageCounter counts one kind of tokens.
type usageCounter struct {
	metric.Int64Counter
	of func(signalbox.Usage) int64
}

// maker makes instruments and keeps their errors.
type maker struct {
	metric.Meter
	err error
}

func (m *maker) counter(name, unit, description string) metric.Int64Counter {
	c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.err = errors.Join(m.err, err)
	return c
}

func (m *maker) seconds(name, description string, buckets []float64) metric.Float64Histogram {
	h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(buckets...))
	m.err = errors.Join(m.err, err)
	return h
}

func (m *maker) tokens(name, description string) metric.Int64Histogram {
	h, err := m.Int64Histogram(name, metric.WithUnit("{token}"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(tokenBuckets...))
	m.err = errors.Join(m.err, err)
	return h
}

func newInstruments(meter metric.Meter) (instruments, error) {
	m := &maker{Meter: meter}
	i := instruments{
		calls:        m.counter("signalbox.calls", "{call}", "Calls that have ended."),
		callDuration: m.seconds("signalbox.call.duration", "How long calls took, all attempts included.", secondBuckets),
		cost:         m.counter("signalbox.cost.nanodollars", "{nanodollar}", "Cost of attempts, in 1e-9 US dollars."),
		commit:       m.seconds("signalbox.log.commit.duration", "How long transactions of the log took.", commitBuckets),
		approvals:    newApprovalMetrics(m),
		incidents:    m.counter("signalbox.incidents", "{incident}", "Incidents that people have reported, by tenant, agent, severity, and whether the call was a write."),
		duration:     m.seconds(metricOperationDuration, "How long attempts at models took.", secondBuckets),
		firstChunk:   m.seconds(metricFirstChunk, "Time to the first chunk of streams.", secondBuckets),
		tokenUsage:   m.tokens(metricTokenUsage, "Tokens of attempts, by type."),
		input:        m.tokens(metricOperationInput, "Input tokens of attempts."),
		output:       m.tokens(metricOperationOutput, "Output tokens of attempts."),
		mcpClient:    m.seconds(metricMCPClient, "How long attempts at MCP servers took.", secondBuckets),
		mcpServer:    m.seconds(metricMCPServer, "How long acts on MCP servers took: calls of tools, and what else is a call.", secondBuckets),
		callLabels:   newCache(callKey.labels),
		modelLabels:  newCache(modelKey.labels),
		toolLabels:   newCache(toolKey.labels),
		costLabels:   newCache(costKey.labels),
	}
	for _, u := range []struct {
		name string
		of   func(signalbox.Usage) int64
	}{
		{metricInputTokens, func(u signalbox.Usage) int64 { return u.Input }},
		{metricOutputTokens, func(u signalbox.Usage) int64 { return u.Output }},
		{metricCacheReadTokens, func(u signalbox.Usage) int64 { return u.CacheRead }},
		{metricCacheWriteTokens, func(u signalbox.Usage) int64 { return u.CacheWrite }},
		{metricReasoningTokens, func(u signalbox.Usage) int64 { return u.Reasoning }},
	} {
		i.used = append(i.used, usageCounter{m.counter(u.name, "{token}", "Tokens used, as billed."), u.of})
	}
	return i, m.err
}

// call counts a finished call and its attempts.
func (i *instruments) call(r signalbox.Record) {
	ctx := context.Background()
	seconds := float64(r.When.DurationMS) / 1000
	code := codeOf(r)
	l := i.callLabels.get(callKey{r.What.Kind, r.Outcome, code})
	i.calls.Add(ctx, 1, l.count...)
	i.callDuration.Record(ctx, seconds, l.duration...)
	if r.What.Kind == signalbox.KindTool {
		i.mcpServer.Record(ctx, seconds, i.toolLabels.get(toolKeyOf(r, code))...)
	}
	for _, a := range r.Attempts {
		i.attempt(ctx, r, a)
	}
}

func codeOf(r signalbox.Record) string {
	if r.Error == nil {
		return ""
	}
	return string(r.Error.Code)
}

func (i *instruments) attempt(ctx context.Context, r signalbox.Record, a signalbox.Attempt) {
	seconds := float64(a.DurationMS) / 1000
	if r.What.Kind == signalbox.KindTool {
		i.mcpClient.Record(ctx, seconds, i.toolLabels.get(toolKeyOf(r, string(a.Code)))...)
	} else {
		i.model(ctx, r, a, seconds)
	}
	if a.Cost != nil {
		i.cost.Add(ctx, int64(*a.Cost), i.costLabels.get(costKey{r.What.Kind, a.Provider, priced(r, a)})...)
	}
}

// priced names what was paid for: a model as it is configured; a tool's server has its name already.
func priced(r signalbox.Record, a signalbox.Attempt) string {
	if r.What.Kind == signalbox.KindTool {
		return ""
	}
	return a.Name
}

func (i *instruments) model(ctx context.Context, r signalbox.Record, a signalbox.Attempt, seconds float64) {
	l := i.modelLabels.get(modelKey{a.ProviderName, a.Name, a.Code, r.Context.Simulated || a.Simulated})
	if r.Context.Stream && a.FirstByteMS > 0 {
		i.firstChunk.Record(ctx, float64(a.FirstByteMS)/1000, l.known...)
	}
	i.duration.Record(ctx, seconds, l.ended...)
	var used signalbox.Usage
	if a.Usage != nil {
		used = *a.Usage
		i.input.Record(ctx, used.Input, l.known...)
		i.output.Record(ctx, used.Output, l.known...)
		i.tokenUsage.Record(ctx, used.Input, l.input...)
		i.tokenUsage.Record(ctx, used.Output, l.output...)
	}
	for _, u := range i.used { // What used nothing adds zero, so that its series exists.
		u.Add(ctx, u.of(used), l.modal...)
	}
}
